"""Native wavelength pixels around the emission lines."""

from typing import NamedTuple

import numpy as np

from mangrove.physics.lines import LineList
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
