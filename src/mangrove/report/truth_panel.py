"""The panel of measured against true values that the figures of fits and of labels share."""

import numpy as np
from matplotlib.axes import Axes

from mangrove.report.colours import BLUE
from mangrove.report.drawing import beyond, note
from mangrove.report.limits import fenced_limits
from mangrove.validation.comparison import TruthComparison

#: The figures show baxels with at least this S/N.
MIN_SNR = 10.0


def value_panel(axes: Axes, found: TruthComparison) -> None:
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
