"""Figures of the labels of one galaxy: maps and radial profiles."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.lib.stride_tricks import sliding_window_view

from mangrove.artefacts import Artefact
from mangrove.report.drawing import BAD_COLOUR, BPT_COLOURS, Gaps, legend_below, note, panel_grid, robust_limits
from mangrove.report.galaxy import heading, radii, reason_figure
from mangrove.report.label_style import STYLE, is_shown, shown_limits, shown_values
from mangrove.report.sky import SkyFrame, draw_image, draw_map, label_grid, on_spaxels, sky_frame
from mangrove.spectra.bpt import BPT_CLASS, NONE

STELLAR = ("log_age_lw", "metallicity_lw", "log_ml_r", "log_mass_density", "ebv_star")
GASEOUS = ("ebv_gas", "log_sfr_density", "log_ssfr", "d_bpt")
#: Smallest half width of the colours of d_BPT, dex.
_MIN_HALF_BPT = 0.2
_MIN_WINDOW = 7
#: Room for colour bars, and for a legend below the last map.
_MAP_GAPS = Gaps(left=0.8, right=1.1, bottom=1.0, top=0.75, columns=1.25, rows=0.45)
_PROFILE_GAPS = Gaps(left=0.85, right=0.15, bottom=0.6, top=0.75, columns=0.95, rows=0.4)


def label_maps_figure(extract: Artefact, labels: Mapping) -> Figure:
    """Maps of the labels within the published limits.

    Parameters
    ----------
    extract : Artefact
        Of one galaxy. Without baxels the figure shows the signal and the reason.
    labels : mapping of str to ndarray
        The galaxy's rows of the table 'labels'.
    """
    if not len(extract["snr"]):
        return reason_figure(extract)
    frame = sky_frame(extract)
    figure, panels = panel_grid(2, 5, (3.4, 3.4), _MAP_GAPS)
    axes = panels.ravel()
    for ax, name in zip(axes, (*STELLAR, *GASEOUS), strict=False):
        values, style = shown_values(labels, name), STYLE[name]
        limits = _bpt_limits(values) if name == "d_bpt" else shown_limits(labels, name)
        draw_map(ax, frame, on_spaxels(extract, values), style.title, style.axis, style.cmap, limits)
    _class_map(axes[-1], frame, extract, labels)
    label_grid(panels, frame)
    figure.suptitle(f"{heading(extract)}    grey: no value, or reduced χ² of 2 and above, or faint lines", fontsize=13)
    return figure


def label_profiles_figure(extract: Artefact, labels: Mapping) -> Figure:
    """Labels of the baxels with their errors against the radius, and the running median; parameters as for the maps."""
    if not len(extract["snr"]):
        return reason_figure(extract)
    radius, unit = radii(labels)
    figure, axes = panel_grid(3, 3, (4.7, 3.0), _PROFILE_GAPS, sharex=True)
    for ax, name in zip(axes.ravel(), (*STELLAR, *GASEOUS), strict=True):
        _profile(ax, radius, labels, name)
    for ax in axes[-1]:
        ax.set_xlabel(f"radius ({unit})")
    figure.suptitle(f"{heading(extract)}    points: baxels with their errors; line: running median", fontsize=13)
    return figure


def running_median(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Medians of x and y in a window that moves over the points in the order of x.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite, n > 0.

    Returns
    -------
    x, y : ndarray, shape (n - width + 1,)
        The width is a tenth of the points, at least seven, at most all.
    """
    order = np.argsort(x, kind="stable")
    width = min(order.size, max(_MIN_WINDOW, order.size // 10))
    return tuple(np.median(sliding_window_view(np.asarray(v)[order], width), axis=-1) for v in (x, y))


def _bpt_limits(values) -> tuple[float, float]:
    """Limits at equal distance from the curve, so that its two sides have two colours."""
    _, half = robust_limits(np.abs(values))
    return -max(half, _MIN_HALF_BPT), max(half, _MIN_HALF_BPT)


def _class_map(axes: Axes, frame: SkyFrame, extract: Artefact, labels: Mapping) -> None:
    kind = np.where(is_shown(labels, "d_bpt"), labels["bpt_class"], NONE)
    codes = on_spaxels(extract, np.where(kind == NONE, np.nan, kind))
    colours = [BPT_COLOURS.get(name, BAD_COLOUR) for name in BPT_CLASS.values()]
    norm = BoundaryNorm(np.arange(len(colours) + 1) - 0.5, len(colours))
    draw_image(axes, frame, codes, "BPT class, number of baxels", cmap=ListedColormap(colours), norm=norm)
    counts = {code: int(np.sum(kind == code)) for code in BPT_CLASS}
    handles = [
        Patch(facecolor=colours[code], edgecolor="0.4", label=f"{BPT_CLASS[code]}: {counts[code]}")
        for code in BPT_CLASS
        if counts[code]
    ]
    legend_below(axes, handles, 0.16)


def _profile(axes: Axes, radius, labels: Mapping, name: str) -> None:
    use = is_shown(labels, name) & np.isfinite(radius)
    x, y, error = radius[use], labels[name][use], labels[f"{name}_err"][use]
    axes.set_title(f"{STYLE[name].title}, {use.sum()} of {use.size} baxels", fontsize=11)
    axes.set_ylabel(STYLE[name].axis)
    if not x.size:
        note(axes, "no value")
        return
    known = np.nan_to_num(error)
    axes.errorbar(x, y, known, fmt="o", ms=3.5, lw=0.8, color="#2c7fb8", ecolor="#a6cbe3", zorder=2)
    axes.plot(*running_median(x, y), color="#d7301f", lw=1.8, zorder=3)
    if name == "d_bpt":
        axes.axhline(0.0, color="0.3", lw=1, ls="--", zorder=1)
    # The well measured set the limits: faint bins and error bars may leave the panel.
    low, high = shown_limits(labels, name)
    margin = max(0.3 * (high - low), 0.05)
    axes.set_ylim(low - margin, high + margin)
