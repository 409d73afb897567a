"""Planes of two labels over all baxels of a survey: populations, the BPT diagram."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.codes import BptClass
from mangrove.physics.bpt import MIN_LINE_SNR, bpt_ratios
from mangrove.report.bpt_panel import bpt_axes
from mangrove.report.colours import BLUE
from mangrove.report.drawing import DENSITY_FROM, beyond, count_bar, new_figure, note
from mangrove.report.label_style import BPT_COLOURS, BPT_NAMES, STYLE
from mangrove.report.limits import fenced_limits
from mangrove.report.wording import counted
from mangrove.spectra.labels.shown import is_shown

#: Labels of the axes of the planes.
PLANES = (("log_age_lw", "metallicity_lw"), ("log_age_lw", "log_ml_r"), ("metallicity_lw", "log_ml_r"))

#: No more baxels than this have error bars of their own.
_BARS_UP_TO = 50


def planes_figure(table: Artefact) -> Figure:
    """Age against metallicity and both against M/L of all baxels within the published limits, with the median errors.

    Parameters
    ----------
    table : Artefact
        Kind 'labels'.
    """
    figure = new_figure(18, 6)
    for axes, (x, y) in zip(figure.subplots(1, 3), PLANES, strict=True):
        _plane(axes, table, x, y)
    n = int(np.sum(is_shown(table.data, "log_age_lw")))
    errors = "bars: errors" if n <= _BARS_UP_TO else "cross: median errors"
    words = f"{n:,} of {counted(table['status'].size, 'baxel')}; {errors}"
    figure.suptitle(words, fontsize=13)
    return figure


def bpt_figure(table: Artefact) -> Figure:
    """All baxels whose four lines are detected, by class, with the fraction in each class.

    Parameters
    ----------
    table : Artefact
        Kind 'labels'.
    """
    figure = new_figure(8.5, 8)
    axes = figure.subplots()
    kind = table["bpt_class"]
    x, y = bpt_ratios(table["line_flux"], table["line_flux_err"], table["line"], MIN_LINE_SNR)
    use = np.isfinite(x) & (kind != BptClass.NONE)
    bpt_axes(axes, x[use], y[use])
    dense = use.sum() > DENSITY_FROM
    if dense:
        _density(axes, x[use], y[use], (*axes.get_xlim(), *axes.get_ylim()))
    outside = 0
    for code in BPT_COLOURS:
        name, inside = BPT_NAMES[code], use & (kind == code)
        # Where a density is drawn the classes have their entry in the legend only.
        drawn = inside & (not dense)
        share = f"{name}: {100 * inside.sum() / use.sum():.1f} %" if use.any() else f"{name}: none"
        axes.plot(x[drawn], y[drawn], "o", ms=4, alpha=0.6, mew=0, color=BPT_COLOURS[code], label=share)
        outside += beyond(axes, x[drawn], y[drawn], BPT_COLOURS[code])
    if not use.any():
        note(axes, f"no baxel with S/N > {MIN_LINE_SNR:g} in all four lines")
    words = f"{use.sum():,} of {counted(use.size, 'baxel')} with S/N > {MIN_LINE_SNR:g} in all four lines"
    axes.set_title(words + (f"; {outside} outside the axes" if outside else ""))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10, frameon=False)
    return figure


def _plane(axes: Axes, table: Artefact, first: str, second: str) -> None:
    use = is_shown(table.data, first) & is_shown(table.data, second)
    x, y = table[first][use], table[second][use]
    axes.set(xlabel=STYLE[first].axis, ylabel=STYLE[second].axis)
    if not x.size:
        note(axes, "no value")
        return
    limits = [fenced_limits(values) for values in (x, y)]
    axes.set(xlim=limits[0], ylim=limits[1])
    if x.size > DENSITY_FROM:
        _density(axes, x, y, (*limits[0], *limits[1]))
        outside = int(np.sum((x < limits[0][0]) | (x > limits[0][1]) | (y < limits[1][0]) | (y > limits[1][1])))
    else:
        axes.plot(x, y, "o", ms=4, alpha=0.5, mew=0, color=BLUE)
        outside = beyond(axes, x, y, BLUE)
    if outside:
        axes.set_title(f"{counted(outside, 'baxel')} outside the axes", fontsize=10, loc="right")
    errors = [table[f"{name}_err"][use] for name in (first, second)]
    if x.size <= _BARS_UP_TO:
        half = dict(zip(("xerr", "yerr"), map(np.nan_to_num, errors), strict=True))
        axes.errorbar(x, y, **half, fmt="none", ecolor="#a6cbe3", lw=0.8, zorder=1)
    else:
        _median_errors(axes, *errors)


def _density(axes: Axes, x, y, extent) -> None:
    shown = axes.hexbin(x, y, gridsize=80, extent=extent, bins="log", cmap="viridis", mincnt=1)
    count_bar(axes, shown, "baxels per cell")


def _median_errors(axes: Axes, x_error, y_error) -> None:
    """A cross of the median errors near the upper left corner."""
    known = np.isfinite(x_error) & np.isfinite(y_error)
    if not known.any():
        return
    half = np.median(x_error[known]), np.median(y_error[known])
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    place = left + 0.05 * (right - left) + half[0], top - 0.05 * (top - bottom) - half[1]
    axes.errorbar(*place, xerr=half[0], yerr=half[1], color="k", capsize=3, lw=1.2)
