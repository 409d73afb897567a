"""Where the spaxels of a galaxy lie on the sky, and the catalogue's ellipse among them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from mangrove.artefacts import Artefact
from mangrove.codes import SpaxelStatus

#: Largest sine of the angle between columns and east-west that still counts as aligned.
_ALIGNED = 0.05


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


def effective_ellipse(extract: Artefact) -> np.ndarray | None:
    """The catalogue's ellipse at the effective radius on the axes of the maps, arcsec, shape (n, 2).

    Its major axis lies at the position angle, from north to east; a circle where that or the axis ratio is unknown.
    None without an effective radius or a celestial frame.
    """
    r_e = known(extract.attrs, "r_e")
    if not r_e or not extract.attrs["wcs"]:
        return None
    ratio, angle = known(extract.attrs, "ba"), extract.attrs["pa"]
    if not ratio or not -360.0 <= angle <= 360.0:
        ratio, angle = 1.0, 0.0
    turn, pa = np.linspace(0.0, 2.0 * np.pi, 73)[:-1], np.radians(angle)
    major, minor = r_e * np.cos(turn), r_e * ratio * np.sin(turn)
    east, north = major * np.sin(pa) + minor * np.cos(pa), major * np.cos(pa) - minor * np.sin(pa)
    return np.stack(sky_offsets(extract, east, north), axis=1)


def known(attrs: Mapping, name: str) -> float:
    """A positive quantity of a galaxy; 0 where it is not known."""
    value = attrs[name]
    return value if 0 < value < np.inf else 0.0
