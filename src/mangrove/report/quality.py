"""Figures of how well the fits of a survey went: chi2, signal to noise, errors, failures and flags."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from mangrove.artefacts import Artefact
from mangrove.data_model import FIT_STATUS, LABEL_FLAG
from mangrove.report.drawing import DENSITY_FROM, count_bars, counted, new_figure
from mangrove.report.label_style import GAS_SNR, STYLE, has_gas

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
    for panel in (axes[0, 0], axes[0, 1], axes[1, 1]):
        panel.yaxis.set_major_locator(MaxNLocator(integer=True))
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
    count_bars(left, FIT_STATUS, table["status"], "baxels by status of the fit")
    columns = ["shown", "without_value", *LABEL_FLAG.values()]
    percent = np.array([[100.0 * row[name] / max(row["n_baxel"], 1) for name in columns] for row in flags])
    right.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (i, j), value in np.ndenumerate(percent):
        if value:
            colour = "w" if value > _WHITE_FROM else "k"
            right.text(j, i, _short(value), ha="center", va="center", fontsize=9, color=colour)
    right.axvline(1.5, color="k", lw=1)
    right.set_xticks(range(len(columns)), [name.replace("_", " ") for name in columns], rotation=40, ha="right")
    right.set_yticks(range(len(flags)), [STYLE[row["label"]].title for row in flags])
    right.set_title(f"labels: % of {table['status'].size} baxels")
    return figure


def _short(percent: float) -> str:
    """A percentage in few digits."""
    return f"{percent:.0f}" if percent >= 0.95 else f"{percent:.1f}" if percent >= 0.05 else "<0.1"


def _chi2_panel(axes: Axes, table: Artefact) -> None:
    chi2 = table["chi2_reduced"][np.isfinite(table["chi2_reduced"])]
    axes.hist(np.clip(chi2, 0.0, 3.0), bins=np.linspace(0.0, 3.0, 76), color="#4c78a8")
    axes.axvline(1.0, color="k", lw=1)
    axes.set(xlabel="reduced χ² (last bar: 3 and above)", ylabel="baxels", xlim=(0, 3))
    if chi2.size:
        axes.set_title(f"reduced χ²: median {np.median(chi2):.2f}, {100 * np.mean(chi2 < 2):.1f} % below 2")


def _snr_panel(axes: Axes, table: Artefact, target: float) -> None:
    snr, many = table["snr"], table["n_spaxel"] > 1
    top = 2.0 * target
    bins = np.linspace(0.0, top, 61)
    parts = [np.clip(snr[many], 0, top), np.clip(snr[~many], 0, top)]
    axes.hist(parts, bins=bins, stacked=True, color=["#4c78a8", "#f2a65a"], label=["several spaxels", "one spaxel"])
    axes.axvline(target, color="k", lw=1, label=f"target {target:g}")
    axes.set(xlabel=f"S/N reached per pixel (last bar: {top:g} and above)", ylabel="baxels", xlim=(0, top))
    if many.any():
        axes.set_title(f"S/N of baxels of several spaxels: median {np.median(snr[many]):.1f}")
    axes.legend(fontsize=10)


def _count_panel(axes: Axes, counts) -> None:
    """Galaxies by their number of baxels, in bins of whole numbers from 0."""
    width = max(1, -(-int(counts.max(initial=0) + 1) // _MAX_BARS))
    edges = np.arange(0, counts.max(initial=0) + width + 1, width)
    axes.hist(counts, bins=edges - 0.5, color="#4c78a8")
    axes.set(xlabel="baxels per galaxy", ylabel="galaxies", xlim=(edges[0] - 0.5, edges[-1] - 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    galaxies, baxels = counted(counts.size, "galaxy", "galaxies"), counted(counts.sum(), "baxel")
    axes.set_title(f"{galaxies}, {np.sum(counts == 0)} without baxels, {baxels}")


def _error_panel(axes: Axes, table: Artefact) -> None:
    all_baxels = np.ones(table["snr"].size, bool)
    for what, label, colour, meant in (
        ("star", "stars", "#2c7fb8", all_baxels),
        ("gas", f"gas, a line with S/N > {GAS_SNR:g}", "#41ab5d", has_gas(table.data)),
    ):
        values = table[f"sigma_{what}_err"]
        use = meant & np.isfinite(values) & (values > 0) & (table["snr"] > 0)
        snr, error = table["snr"][use], values[use]
        if use.sum() > DENSITY_FROM:
            _median_band(axes, snr, error, label, colour)
        else:
            axes.plot(snr, error, ".", ms=4, alpha=0.6, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="S/N per pixel", ylabel="error of σ (km/s)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title("error of the velocity dispersions")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=10)


def _median_band(axes: Axes, snr, error, label: str, colour: str) -> None:
    """Median and 16-84 % of the errors in bins of S/N that hold at least 20 baxels."""
    edges = np.geomspace(snr.min(), snr.max() * 1.001, 25)
    which = np.digitize(snr, edges) - 1
    full = np.flatnonzero(np.bincount(which) >= 20)
    low, middle, high = np.array([np.percentile(error[which == k], [16, 50, 84]) for k in full]).T
    centre = np.sqrt(edges[full] * edges[full + 1])
    axes.fill_between(centre, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(centre, middle, color=colour, label=label)
