"""The panel of one quantity against another that should equal it."""

import numpy as np
from matplotlib.axes import Axes

from mangrove.report.colours import BLUE, RED
from mangrove.report.drawing import DENSITY_FROM, beyond
from mangrove.report.limits import fenced_limits


def draw_one_to_one(axes: Axes, x, y, error=None) -> None:
    """Points, or their density if there are many, in square axes of one scale with the 1:1 line.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Finite, at least one.
    error : ndarray, shape (n,), optional
        Of y, drawn with points.
    """
    low, high = fenced_limits(np.concatenate([x, y]))
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.locator_params(nbins=5)
    if x.size > DENSITY_FROM:
        axes.hexbin(x, y, gridsize=55, extent=(low, high, low, high), bins="log", cmap="viridis", mincnt=1)
    else:
        if error is not None:
            axes.errorbar(x, y, error, fmt="none", ecolor="#9ecae1", elinewidth=0.7, zorder=1)
        axes.plot(x, y, "o", ms=4, alpha=0.5, mew=0, color=BLUE)
        beyond(axes, x, y, BLUE)
    axes.plot([low, high], [low, high], "-", color=RED, lw=1.5)
