"""Figures of the labels of one galaxy: maps and radial profiles."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.report import galaxy_panels as panels
from mangrove.report import single
from mangrove.report.colours import BLUE, RED
from mangrove.report.drawing import Gaps, note, panel_grid
from mangrove.report.galaxy import heading, reason_figure
from mangrove.report.label_style import STYLE, radii, shown_limits
from mangrove.report.sky import label_grid
from mangrove.report.sky_marks import marks_in_words
from mangrove.report.trend import LEAST_POINTS, local_regression
from mangrove.spectra.labels.shown import is_shown

STELLAR = ("log_age_lw", "metallicity_lw", "log_ml_r", "log_mass_density", "ebv_star")
GASEOUS = ("ebv_gas", "log_sfr_density", "log_ssfr", "d_bpt")
#: Room for colour bars, and for a legend below the last map.
_MAP_GAPS = Gaps(left=0.8, right=1.1, bottom=1.0, top=0.75, columns=1.25, rows=0.45)
_PROFILE_GAPS = Gaps(left=1.1, right=0.15, bottom=0.6, top=0.75, columns=1.15, rows=0.4)


def label_maps_figure(extract: Artefact, fit: Artefact, labels: Mapping) -> Figure:
    """Maps of the labels within the published limits.

    Parameters
    ----------
    extract, fit : Artefact
        Of one galaxy. Without baxels the figure shows the signal and the reason; of a single spectrum, a table.
    labels : mapping of str to ndarray
        The galaxy's rows of the table 'labels'.
    """
    if not len(extract["snr"]):
        return reason_figure(extract)
    if single.is_single(extract):
        return single.table_figure(heading(extract), single.LABEL_COLUMNS, single.label_rows(labels))
    seen = panels.view(extract, fit, labels)
    figure, grid = panel_grid(2, 5, (3.4, 3.4), _MAP_GAPS)
    axes = grid.ravel()
    for ax, name in zip(axes, (*STELLAR, *GASEOUS), strict=False):
        panels.label_map(ax, seen, name)
    panels.class_map(axes[-1], seen.frame, extract, labels, 0.16)
    label_grid(grid, seen.frame)
    words = (heading(extract), "grey: no value, poor fit (χ² of 2 or more) or faint lines", marks_in_words(extract))
    figure.suptitle("    ".join(filter(None, words)), fontsize=13)
    return figure


def label_profiles_figure(extract: Artefact, labels: Mapping) -> Figure:
    """Labels of the baxels with their errors against the radius, and their robust local regression; parameters as for the maps."""
    if not len(extract["snr"]):
        return reason_figure(extract)
    if single.is_single(extract):
        return single.profile_figure(heading(extract))
    radius, axis = radii(labels)
    figure, axes = panel_grid(3, 3, (4.7, 3.0), _PROFILE_GAPS, sharex=True)
    for ax, name in zip(axes.ravel(), (*STELLAR, *GASEOUS), strict=True):
        _profile(ax, radius, labels, name)
    for ax in axes[-1]:
        ax.set_xlabel(axis)
    words = (heading(extract), "points: baxels with their errors", "line: robust local regression")
    figure.suptitle("    ".join(words), fontsize=13)
    return figure


def _profile(axes: Axes, radius, labels: Mapping, name: str) -> None:
    use = is_shown(labels, name) & np.isfinite(radius)
    x, y, error = radius[use], labels[name][use], labels[f"{name}_err"][use]
    axes.set_title(f"{STYLE[name].title}, {use.sum()} of {use.size} baxels", fontsize=11)
    axes.set_ylabel(STYLE[name].axis)
    if not x.size:
        note(axes, "no value")
        return
    known = np.nan_to_num(error)
    axes.errorbar(x, y, known, fmt="o", ms=3.5, lw=0.8, color=BLUE, ecolor="#a6cbe3", zorder=2)
    if x.size >= LEAST_POINTS:
        axes.plot(*local_regression(x, y), color=RED, lw=1.8, zorder=3)
    if name == "d_bpt":
        axes.axhline(0.0, color="0.3", lw=1, ls="--", zorder=1)
    # The well measured set the limits: faint bins and error bars may leave the panel.
    low, high = shown_limits(labels, name)
    margin = max(0.3 * (high - low), 0.05)
    axes.set_ylim(low - margin, high + margin)
