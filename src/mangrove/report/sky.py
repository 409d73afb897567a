"""Maps of a galaxy on the sky: axes in arcsec, values of bins on their spaxels."""

from typing import NamedTuple

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from mangrove.artefacts import Artefact
from mangrove.codes import SpaxelStatus
from mangrove.report.drawing import BAD_COLOUR, bar_beside, extend_of, note, robust_limits

#: Largest sine of the angle between columns and east-west that still counts as aligned.
_ALIGNED = 0.05
#: Largest number of intervals between the ticks of a map, of its colour bar.
_MAP_TICKS, _BAR_TICKS = 5, 5


class SkyFrame(NamedTuple):
    """Where the spaxels of a galaxy lie relative to its centre.

    Attributes
    ----------
    extent : tuple of float
        Left, right, bottom and top edge of all spaxels for ``imshow`` with the origin below.
    shown : tuple of float
        The same of those inside the field of view.
    xlabel, ylabel : str
    """

    extent: tuple[float, float, float, float]
    shown: tuple[float, float, float, float]
    xlabel: str
    ylabel: str


def sky_frame(extract: Artefact) -> SkyFrame:
    """Offsets from the centre in arcsec; towards east and north where columns and rows run along them."""
    attrs, inside = extract.attrs, extract["spaxel_status"] != SpaxelStatus.OUTSIDE_FIELD
    scale = attrs["pixel_scale"]
    east, north = _directions(attrs["wcs"])
    x, y = (
        scale * (edges - attrs[f"{axis}_centre"]) * (direction or 1)
        for axis, edges, direction in (
            ("x", np.arange(inside.shape[1] + 1) - 0.5, east),
            ("y", np.arange(inside.shape[0] + 1) - 0.5, north),
        )
    )
    (left, right), (bottom, top) = (_span(inside.any(axis=axis)) for axis in (0, 1))
    labels = ("east offset (arcsec)", "north offset (arcsec)") if east else ("x offset (arcsec)", "y offset (arcsec)")
    return SkyFrame((x[0], x[-1], y[0], y[-1]), (x[left], x[right], y[bottom], y[top]), *labels)


def sky_offsets(extract: Artefact, east, north) -> tuple[np.ndarray, np.ndarray]:
    """Offsets on the sky, arcsec, along the axes of the maps, arcsec; the galaxy must have a celestial frame.

    Parameters
    ----------
    east, north : array_like, shape (n,)
    """
    header = extract.attrs["wcs"]
    matrix = WCS(Header.fromstring(header)).pixel_scale_matrix * 3600.0
    columns, rows = np.linalg.solve(matrix, np.stack([east, north]))
    scale, signs = extract.attrs["pixel_scale"], _directions(header)
    return columns * scale * (signs[0] or 1), rows * scale * (signs[1] or 1)


def on_spaxels(extract: Artefact, values) -> np.ndarray:
    """Values of baxels, shape (n_baxel,), as a map, shape (ny, nx); NaN outside the bins."""
    bin_id = extract["bin_id"]
    padded = np.append(np.asarray(values, float), np.nan)
    return padded[np.where(bin_id >= 0, bin_id, len(padded) - 1)]


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


def _directions(header: str) -> tuple[int, int]:
    """Sign of east along columns and of north along rows; (0, 0) where the axes do not run along them."""
    if not header:
        return 0, 0
    matrix = WCS(Header.fromstring(header)).pixel_scale_matrix
    matrix = matrix / np.sqrt(abs(np.linalg.det(matrix)))
    if max(abs(matrix[0, 1]), abs(matrix[1, 0])) > _ALIGNED:
        return 0, 0
    return int(np.sign(matrix[0, 0])), int(np.sign(matrix[1, 1]))


def _span(used) -> tuple[int, int]:
    """First and last edge of what is used, shape (n,), one more on either side; everything if nothing is used."""
    index = np.flatnonzero(used)
    return (max(index[0] - 1, 0), min(index[-1] + 2, used.size)) if index.size else (0, used.size)
