"""Figures of how well the fits of a survey went: chi2, signal to noise, errors, failures and flags."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus, LabelFlag
from mangrove.report.colours import BLUE, GREEN, ORANGE
from mangrove.report.drawing import (
    BARS,
    DENSITY_FROM,
    beyond,
    count_bars,
    legend_above,
    new_figure,
    note,
    whole_numbers,
)
from mangrove.report.label_style import STYLE, has_gas
from mangrove.report.limits import fenced_limits
from mangrove.report.wording import KMS, counted
from mangrove.spectra.fit.bounds import GAS_DETECTED
from mangrove.spectra.labels.galaxy_labels import MAX_CHI2

#: Largest number of bars of the baxels per galaxy.
_MAX_BARS = 30
#: Percentage from which on the text of a cell is white.
_WHITE_FROM = 60.0


def quality_figure(table: Artefact, target_snr: float) -> Figure:
    """Reduced chi2, S/N reached against the target, errors of the dispersions against S/N, baxels per galaxy.

    Parameters
    ----------
    table : Artefact
        Kind 'labels'.
    target_snr : float
        S/N per pixel that the bins were to reach.
    """
    figure = new_figure(14, 10)
    axes = figure.subplots(2, 2)
    _chi2_panel(axes[0, 0], table)
    _snr_panel(axes[0, 1], table, target_snr)
    _error_panel(axes[1, 0], table)
    _count_panel(axes[1, 1], table["n_baxel_of_galaxy"])
    whole_numbers(axes[0, 0], axes[0, 1], axes[1, 1])
    return figure


def failures_figure(table: Artefact, flags: Sequence[Mapping]) -> Figure:
    """Baxels by status of their fit, and the part of them with each flag of each label.

    Parameters
    ----------
    table : Artefact
        Kind 'labels'.
    flags : sequence of mapping
        Of :func:`mangrove.report.survey.flag_table`.
    """
    figure = new_figure(21, 7)
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.4])
    count_bars(left, FitStatus, table["status"], "baxels by fit status", "baxels")
    columns = ["shown", "without_value", *(flag.word for flag in LabelFlag)]
    percent = np.array([[100.0 * row[name] / max(row["n_baxel"], 1) for name in columns] for row in flags])
    right.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(percent):
        if value:
            colour = "w" if value > _WHITE_FROM else "k"
            right.text(j, i, _short(value), ha="center", va="center", fontsize=9, color=colour)
    right.axvline(1.5, color="k", lw=1)
    right.set_xticks(range(len(columns)), [name.replace("_", " ") for name in columns], rotation=40, ha="right")
    right.set_yticks(range(len(flags)), [STYLE[row["label"]].title for row in flags])
    right.set_title(f"labels: % of {counted(table['status'].size, 'baxel')}")
    return figure


def _short(percent: float) -> str:
    """A percentage in few digits."""
    return f"{percent:.0f}" if percent >= 0.95 else f"{percent:.1f}" if percent >= 0.05 else "<0.1"


def _chi2_panel(axes: Axes, table: Artefact) -> None:
    chi2 = table["chi2_reduced"][np.isfinite(table["chi2_reduced"])]
    # No wider than the values, and never wider than what is fair: an outlier ends in the last bar.
    top = min(3.0, max(1.5, 1.1 * np.max(chi2, initial=0.0)))
    bottom = 0.5 if np.all(chi2 > 0.5) else 0.0
    axes.hist(np.clip(chi2, bottom, top), bins=np.linspace(bottom, top, 51), **BARS)
    axes.axvline(1.0, color="k", lw=1)
    last = " (last bar: 3 or more)" if np.any(chi2 >= top) else ""
    axes.set(xlabel=f"reduced χ²{last}", ylabel="number of baxels", xlim=(bottom, top))
    if chi2.size:
        axes.set_title(
            f"reduced χ²: median {np.median(chi2):.2f}, {100 * np.mean(chi2 < MAX_CHI2):.1f} % below {MAX_CHI2:g}"
        )


def _snr_panel(axes: Axes, table: Artefact, target: float) -> None:
    snr, many = table["snr"], table["n_spaxel"] > 1
    bottom = max(0.0, 0.9 * min(target, np.min(snr, initial=target)))
    top = min(2.0 * target, 1.05 * max(target, np.max(snr, initial=target)))
    bins = np.linspace(bottom, top, 41)
    kinds = [("several spaxels", BARS["color"], many), ("one spaxel", ORANGE, ~many)]
    names, colours, inside = zip(*[kind for kind in kinds if kind[2].any()] or kinds, strict=True)
    parts = [np.clip(snr[use], bottom, top) for use in inside]
    style = {"color": list(colours), "edgecolor": "white", "linewidth": 0.6}
    axes.hist(parts, bins=bins, stacked=True, label=list(names), **style)
    axes.axvline(target, color="k", lw=1, label=f"target {target:g}")
    last = f" (last bar: {top:g} or more)" if np.any(snr >= top) else ""
    axes.set(xlabel=f"S/N per pixel reached{last}", ylabel="number of baxels", xlim=(bottom, top))
    if many.any():
        axes.set_title(f"S/N of baxels of several spaxels: median {np.median(snr[many]):.1f}")
    legend_above(axes)


def _count_panel(axes: Axes, counts) -> None:
    """Galaxies by their number of baxels, in bins of whole numbers from 0."""
    width = max(1, -(-int(counts.max(initial=0) + 1) // _MAX_BARS))
    edges = np.arange(0, counts.max(initial=0) + width + 1, width)
    axes.hist(counts, bins=edges - 0.5, rwidth=0.85, color=BARS["color"])
    axes.set(xlabel="baxels per galaxy", ylabel="number of galaxies", xlim=(edges[0] - 0.5, edges[-1] - 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    galaxies, baxels = counted(counts.size, "galaxy", "galaxies"), counted(counts.sum(), "baxel")
    axes.set_title(f"{galaxies}, {np.sum(counts == 0)} without baxels, {baxels}")


def _error_panel(axes: Axes, table: Artefact) -> None:
    axes.set_title("error of the velocity dispersions")
    axes.set(xscale="log", yscale="log", xlabel="S/N per pixel", ylabel=f"error of σ ({KMS})")
    kinds = [
        (f"sigma_{what}_err", label, colour, meant & (table["snr"] > 0))
        for what, label, colour, meant in (
            ("star", "stars", BLUE, np.ones(table["snr"].size, bool)),
            ("gas", f"gas with a line of S/N > {GAS_DETECTED:g}", GREEN, has_gas(table.data)),
        )
    ]
    shown = [(*kind[:3], kind[3] & (np.nan_to_num(table[kind[0]]) > 0)) for kind in kinds]
    if not any(use.any() for *_, use in shown):
        note(axes, "no value")
        return
    for of, values in (("x", [table["snr"][use] for *_, use in shown]), ("y", [table[n][u] for n, _, _, u in shown])):
        low, high = fenced_limits(np.log10(np.concatenate(values)))
        axes.set(**{f"{of}lim": (10.0**low, 10.0**high)})
    for name, label, colour, use in shown:
        snr, error = table["snr"][use], table[name][use]
        if use.sum() > DENSITY_FROM:
            _median_band(axes, snr, error, label, colour)
        else:
            axes.plot(snr, error, ".", ms=4, alpha=0.6, color=colour, label=label)
            beyond(axes, snr, error, colour)
    for one in (axes.xaxis, axes.yaxis):
        one.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        one.set_minor_formatter(NullFormatter())
    legend_above(axes)


def _median_band(axes: Axes, snr, error, label: str, colour: str) -> None:
    """Median and 16-84 % of the errors in bins of S/N that hold at least 20 baxels."""
    edges = np.geomspace(snr.min(), snr.max() * 1.001, 25)
    which = np.digitize(snr, edges) - 1
    full = np.flatnonzero(np.bincount(which) >= 20)
    low, middle, high = np.array([np.percentile(error[which == k], [16, 50, 84]) for k in full]).T
    centre = np.sqrt(edges[full] * edges[full + 1])
    axes.fill_between(centre, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(centre, middle, color=colour, label=label)
