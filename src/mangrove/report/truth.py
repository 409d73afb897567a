"""Figures of a simulated survey's truth beside what was measured: fits, labels."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.report.drawing import BLUE, FLUX_UNIT, KMS, beyond, fenced_limits, legend_above, new_figure, note, signed
from mangrove.report.galaxy_panels import KINEMATICS_TITLE
from mangrove.report.label_style import STYLE
from mangrove.validation.comparison import TruthComparison, robust_width
from mangrove.validation.label_recovery import CLASSES, Checked
from mangrove.validation.recovery import ALL_LINES, SNR_RANGES

#: Titles and units of what the figure of the fits shows.
_FITS = {name: (title, KMS) for name, title in KINEMATICS_TITLE.items()}
_FITS[ALL_LINES] = ("flux, all free lines", f"{FLUX_UNIT} spaxel$^{{-1}}$")
_MIN_SNR = min(low for low, _ in SNR_RANGES.values())
_PULL_LIMIT = 5.0
#: Panels beside each other in the figure of the labels.
_COLUMNS = 4


def recovery_figure(pooled: Mapping[str, TruthComparison]) -> Figure:
    """Pulls of the baxels with S/N above 10 against a unit Gaussian, and measured against true values.

    Parameters
    ----------
    pooled : mapping
        From :func:`mangrove.validation.recovery.pool`.
    """
    figure = new_figure(4.2 * len(_FITS), 8.4)
    for (upper, lower), (name, (title, unit)) in zip(figure.subplots(2, len(_FITS)).T, _FITS.items(), strict=True):
        found = pooled[name].between(_MIN_SNR, np.inf)
        _pull_panel(upper, title, found.pull)
        lower.set(xlabel=f"true ({unit})", ylabel=f"measured ({unit})")
        if name == ALL_LINES:
            lower.set(xscale="log", yscale="log")
            found = TruthComparison(*(values[(found.measured > 0) & (found.truth > 0)] for values in found))
        _value_panel(lower, found)
    figure.suptitle(f"baxels with S/N above {_MIN_SNR:g}", fontsize=13)
    return figure


def label_figure(pooled: Mapping[str, Checked]) -> Figure:
    """Measured against true labels of the baxels with S/N above 10 that count, and how many do not.

    Parameters
    ----------
    pooled : mapping
        From :func:`mangrove.validation.label_recovery.pool_labels`.
    """
    names = [name for name in pooled if name not in CLASSES]
    rows = -(-len(names) // _COLUMNS)
    figure = new_figure(16, 4 * rows + 0.4)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        found, style = pooled[name].found.between(_MIN_SNR, np.inf), STYLE[name]
        n_baxel = int(np.sum(pooled[name].snr >= _MIN_SNR))
        offset = found.measured - found.truth
        result = f"bias {signed(offset.mean(), 3)}, rms {np.sqrt(np.mean(offset**2)):.3f}" if offset.size else ""
        axes.set_title(f"{style.title}, {found.snr.size} of {n_baxel}\n{result or 'no values'}", fontsize=11)
        axes.set(xlabel=f"true {style.axis}", ylabel=f"measured {style.axis}")
        axes.locator_params(nbins=5)
        _value_panel(axes, found)
    for spare in panels[len(names) :]:
        spare.set_axis_off()
    figure.suptitle(f"baxels with S/N above {_MIN_SNR:g}", fontsize=13)
    return figure


def _pull_panel(axes: Axes, title: str, pull) -> None:
    result = f"mean {signed(pull.mean(), 2)}, robust width {robust_width(pull):.2f}" if pull.size else "no values"
    axes.set_title(f"{title}\n{result}", fontsize=11)
    heights = np.zeros(1)
    if pull.size:
        bins, shown = np.linspace(-_PULL_LIMIT, _PULL_LIMIT, 41), np.clip(pull, -_PULL_LIMIT, _PULL_LIMIT)
        style = {"color": "#9ecae1", "edgecolor": "white", "linewidth": 0.6}
        heights, *_ = axes.hist(shown, bins=bins, density=True, label=f"{pull.size:,} values", **style)
    x = np.linspace(-_PULL_LIMIT, _PULL_LIMIT, 200)
    axes.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi), "k-", lw=1.2, label="unit Gaussian")
    axes.set(xlabel="(measured $-$ true) / error", ylabel="density", ylim=(0, max(0.45, 1.05 * heights.max())))
    legend_above(axes)


def _value_panel(axes: Axes, found: TruthComparison) -> None:
    """Measured against true values with their errors, and the 1:1 line; a small group far away sets no scale."""
    if not found.snr.size:
        note(axes, "no values")
        return
    style = {"fmt": ".", "ms": 4, "lw": 0.5, "color": BLUE, "ecolor": "#9ecae1", "rasterized": True}
    axes.errorbar(found.truth, found.measured, found.error, **style)
    both = np.concatenate([found.truth, found.measured])
    if axes.get_xscale() == "log":
        low, high = 10.0 ** np.array(fenced_limits(np.log10(both)))
    else:
        low, high = fenced_limits(both)
    axes.plot([low, high], [low, high], "k-", lw=1)
    axes.set(xlim=(low, high), ylim=(low, high))
    outside = beyond(axes, found.truth, found.measured, BLUE)
    if outside:
        place = {"ha": "left", "va": "top", "fontsize": 9}
        axes.text(0.03, 0.97, f"{outside:,} outside the axes", transform=axes.transAxes, **place)
