"""Figures of a simulated survey's truth beside what was measured: fits, labels."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.analysis.label_recovery import BPT, BPT_FAR, Checked
from mangrove.analysis.recovery import ALL_LINES, SNR_RANGES, Comparison, robust_width
from mangrove.report.drawing import new_figure
from mangrove.report.galaxy import FLUX_UNIT
from mangrove.report.label_style import STYLE

#: Titles and axes of what the figure of the fits shows.
_FITS = {
    "v_star": ("V star", "km/s"),
    "sigma_star": ("σ star", "km/s"),
    "v_gas": ("V gas", "km/s"),
    "sigma_gas": ("σ gas", "km/s"),
    ALL_LINES: ("flux, all free lines", f"{FLUX_UNIT} spaxel$^{{-1}}$"),
}
_MIN_SNR = min(low for low, _ in SNR_RANGES.values())
_PULL_LIMIT = 5.0
#: Panels beside each other in the figure of the labels.
_COLUMNS = 4


def recovery_figure(pooled: Mapping[str, Comparison]) -> Figure:
    """Pulls of the baxels with S/N above 10 against a unit Gaussian, and measured against true values.

    Parameters
    ----------
    pooled : mapping
        From :func:`mangrove.analysis.recovery.pool`.
    """
    figure = new_figure(4.2 * len(_FITS), 8.4)
    for (upper, lower), (name, (title, unit)) in zip(figure.subplots(2, len(_FITS)).T, _FITS.items(), strict=True):
        found = pooled[name].between(_MIN_SNR, np.inf)
        _pull_panel(upper, title, found.pull)
        lower.set(xlabel=f"true ({unit})", ylabel=f"measured ({unit})")
        if name == ALL_LINES:
            lower.set(xscale="log", yscale="log")
            found = Comparison(*(values[found.measured > 0] for values in found))
        _value_panel(lower, found)
    return figure


def label_figure(pooled: Mapping[str, Checked]) -> Figure:
    """Measured against true labels of the baxels with S/N above 10 that count, and how many do not.

    Parameters
    ----------
    pooled : mapping
        From :func:`mangrove.analysis.label_recovery.pool_labels`.
    """
    names = [name for name in pooled if name not in (BPT, BPT_FAR)]
    n_row = -(-len(names) // _COLUMNS)
    figure = new_figure(4 * _COLUMNS, 4 * n_row)
    panels = figure.subplots(n_row, _COLUMNS, squeeze=False).flat
    for axes, name in zip(panels, names, strict=False):
        found, style = pooled[name].found.between(_MIN_SNR, np.inf), STYLE[name]
        n_baxel = int(np.sum(pooled[name].snr >= _MIN_SNR))
        offset = found.measured - found.truth
        result = f"bias {offset.mean():+.3f}, rms {np.sqrt(np.mean(offset**2)):.3f}" if offset.size else "no values"
        axes.set_title(f"{style.title}, {found.snr.size} of {n_baxel} baxels\n{result}", fontsize=11)
        axes.set(xlabel=f"true {style.axis}", ylabel=f"measured {style.axis}")
        axes.locator_params(nbins=5)
        _value_panel(axes, found)
    for spare in panels[len(names) :]:
        spare.set_axis_off()
    return figure


def _pull_panel(axes: Axes, title: str, pull) -> None:
    result = f"mean {pull.mean():+.2f}, robust width {robust_width(pull):.2f}" if pull.size else "no values"
    axes.set_title(f"{title}\n{result}", fontsize=11)
    if pull.size:
        bins, shown = np.linspace(-_PULL_LIMIT, _PULL_LIMIT, 41), np.clip(pull, -_PULL_LIMIT, _PULL_LIMIT)
        axes.hist(shown, bins=bins, density=True, color="#9ecae1", label=f"{pull.size} values")
    x = np.linspace(-_PULL_LIMIT, _PULL_LIMIT, 200)
    axes.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi), "k-", lw=1.2, label="unit Gaussian")
    axes.set(xlabel="(measured - true) / error", ylabel="density", ylim=(0, 0.65))
    axes.legend(fontsize=9, loc="upper right")


def _value_panel(axes: Axes, found: Comparison) -> None:
    """Measured against true values with their errors, and the 1:1 line."""
    if not found.snr.size:
        return
    style = {"fmt": ".", "ms": 4, "lw": 0.5, "color": "#2c7fb8", "ecolor": "#9ecae1", "rasterized": True}
    axes.errorbar(found.truth, found.measured, found.error, **style)
    ends = [min(found.truth.min(), found.measured.min()), max(found.truth.max(), found.measured.max())]
    axes.plot(ends, ends, "k-", lw=1)
