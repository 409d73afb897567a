"""Native wavelength pixels around the emission lines, and the emission-line cube cut from them."""

from typing import NamedTuple

import numpy as np

from mangrove.lines import LineList
from mangrove.survey.cube import Cube


class Windows(NamedTuple):
    """Pixels around lines.

    Attributes
    ----------
    wave : ndarray, shape (n_line, n_pixel)
        Observed wavelength, vacuum, Angstrom; windows overlap where lines are close.
    flux, ivar : ndarray of float32, shape (n_line, n_pixel, ny, nx)
        As in the cube, not normalised; both 0 where the cube has no data.
    """

    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray


def line_windows(cube: Cube, z: float, lines: LineList, n_pixel: int) -> Windows:
    """The ``n_pixel`` native pixels around each line at redshift z, the nearest pixel at index ``n_pixel // 2``.

    Lines outside the cube's range give windows without data.
    """
    ln = np.log(cube.wave)
    step = (ln[-1] - ln[0]) / (ln.size - 1)
    nearest = np.rint((np.log(lines.wave * (1.0 + z)) - ln[0]) / step).astype(int)
    index = nearest[:, None] - n_pixel // 2 + np.arange(n_pixel)
    inside = (index >= 0) & (index < ln.size)
    pixel = np.clip(index, 0, ln.size - 1)
    good = cube.good[pixel] & inside[..., None, None]
    flux = np.where(good, cube.flux[pixel], 0.0).astype(np.float32)
    ivar = np.where(good, cube.ivar[pixel], 0.0).astype(np.float32)
    return Windows(np.exp(ln[0] + step * index), flux, ivar)


def crop(values: np.ndarray, x: float, y: float, size: int) -> np.ndarray:
    """A square of ``size`` spaxels around column x and row y; zero outside the field.

    Parameters
    ----------
    values : ndarray, shape (..., ny, nx)

    Returns
    -------
    ndarray, shape (..., size, size)
        The spaxel nearest to (x, y) has index ``size // 2`` on both axes.
    """
    out = np.zeros((*values.shape[:-2], size, size), values.dtype)
    left, bottom = int(np.rint(x)) - size // 2, int(np.rint(y)) - size // 2
    ny, nx = values.shape[-2:]
    x0, x1 = max(left, 0), min(left + size, nx)
    y0, y1 = max(bottom, 0), min(bottom + size, ny)
    if x0 < x1 and y0 < y1:
        out[..., y0 - bottom : y1 - bottom, x0 - left : x1 - left] = values[..., y0:y1, x0:x1]
    return out
