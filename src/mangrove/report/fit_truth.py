"""Figure of a simulated survey's truth beside its fits."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.report.drawing import legend_above, new_figure
from mangrove.report.truth_panel import MIN_SNR, value_panel
from mangrove.report.wording import FLUX_UNIT, KINEMATICS_TITLE, KMS, signed
from mangrove.validation.comparison import TruthComparison, robust_width
from mangrove.validation.recovery import ALL_LINES

#: Titles and units of what the figure shows.
_FITS = {name: (title, KMS) for name, title in KINEMATICS_TITLE.items()}
_FITS[ALL_LINES] = ("flux, all free lines", f"{FLUX_UNIT} spaxel$^{{-1}}$")
_PULL_LIMIT = 5.0


def recovery_figure(pooled: Mapping[str, TruthComparison]) -> Figure:
    """Pulls of the baxels with S/N above 10 against a unit Gaussian, and measured against true values.

    Parameters
    ----------
    pooled : mapping
        From :func:`mangrove.validation.recovery.pool`.
    """
    figure = new_figure(4.2 * len(_FITS), 8.4)
    for (upper, lower), (name, (title, unit)) in zip(figure.subplots(2, len(_FITS)).T, _FITS.items(), strict=True):
        found = pooled[name].between(MIN_SNR, np.inf)
        _pull_panel(upper, title, found.pull)
        lower.set(xlabel=f"true ({unit})", ylabel=f"measured ({unit})")
        if name == ALL_LINES:
            lower.set(xscale="log", yscale="log")
            found = TruthComparison(*(values[(found.measured > 0) & (found.truth > 0)] for values in found))
        value_panel(lower, found)
    figure.suptitle(f"baxels with S/N above {MIN_SNR:g}", fontsize=13)
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
