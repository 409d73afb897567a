"""Maps of a galaxy on the sky, with axes in arcsec."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from mangrove.report.colours import BAD_COLOUR
from mangrove.report.drawing import bar_beside, note
from mangrove.report.limits import extend_of, robust_limits
from mangrove.report.sky_frame import SkyFrame

#: Largest number of intervals between the ticks of a map, of its colour bar.
_MAP_TICKS, _BAR_TICKS = 5, 5


def draw_map(axes: Axes, frame: SkyFrame, values, title: str, unit: str, cmap: str = "viridis", limits=None) -> None:
    """Draw a map, shape (ny, nx), with its colour bar; NaN is light grey, and a map of nothing else has no bar.

    Parameters
    ----------
    limits : tuple of float, optional
        Of the colours; the 2nd and 98th percentile by default.
    """
    low, high = limits or robust_limits(values)
    image = draw_image(axes, frame, values, title, cmap=cmap, vmin=low, vmax=high)
    if not np.isfinite(values).any():
        note(axes, "no value")
        return
    bar = bar_beside(axes, image, unit, extend=extend_of(values, low, high))
    bar.locator = MaxNLocator(_BAR_TICKS, steps=[1, 2, 2.5, 5, 10])


def draw_image(axes: Axes, frame: SkyFrame, values, title: str, **colours) -> AxesImage:
    """Draw a map without a colour bar; :func:`label_grid` gives it its axis labels."""
    axes.set_facecolor(BAD_COLOUR)
    image = axes.imshow(values, origin="lower", extent=frame.extent, interpolation="nearest", **colours)
    left, right, bottom, top = frame.shown
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_title(title, fontsize=11)
    axes.locator_params(nbins=_MAP_TICKS)
    return image


def label_grid(panels, frame: SkyFrame) -> None:
    """Label the axes of maps that share them, at the edges of their grid alone.

    Parameters
    ----------
    panels : array of Axes, shape (rows, columns)
        None where there is no map.
    """
    for (row, column), axes in np.ndenumerate(panels):
        if axes is None:
            continue
        lowest = row + 1 == len(panels) or panels[row + 1, column] is None
        axes.tick_params(labelsize=9, labelbottom=lowest, labelleft=column == 0)
        if lowest:
            axes.set_xlabel(frame.xlabel, fontsize=9)
        if column == 0:
            axes.set_ylabel(frame.ylabel, fontsize=9)


def draw_borders(axes: Axes, frame: SkyFrame, bin_id) -> None:
    """Thin lines between the bins of a map, shape (ny, nx)."""
    left, right, bottom, top = frame.extent
    ny, nx = bin_id.shape
    x, y = np.linspace(left, right, nx + 1), np.linspace(bottom, top, ny + 1)
    row, column = np.nonzero(bin_id[:, 1:] != bin_id[:, :-1])
    axes.vlines(x[column + 1], y[row], y[row + 1], color="k", lw=0.3)
    row, column = np.nonzero(bin_id[1:] != bin_id[:-1])
    axes.hlines(y[row + 1], x[column], x[column + 1], color="k", lw=0.3)
