"""Line cubes as pictures: flux of a line per spaxel, residuals over their errors, mean spectrum of a window."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mangrove.models.convlstm.cubes import LineCubes

#: Lines that figures show where they cannot show all, in this order.
PREFERRED = ("Halpha_6565", "OIII_5008", "NII_6585", "OII_3727", "Hbeta_4863", "SII_6718", "OI_6302", "OII_3730")


class GalaxyCube(NamedTuple):
    """Line cube of a galaxy.

    Attributes
    ----------
    line : tuple of str
    flux, ivar : ndarray, shape (n_line, n_pixel, ny, nx)
        In 1e-17 erg/s/cm2/Angstrom/spaxel and its inverse square.
    valid : ndarray of bool
    wave : ndarray, shape (n_line, n_pixel)
        Observed wavelength, vacuum, Angstrom.
    """

    line: tuple[str, ...]
    flux: np.ndarray
    ivar: np.ndarray
    valid: np.ndarray
    wave: np.ndarray

    @property
    def step(self) -> np.ndarray:
        """Width of the pixels, Angstrom, shape (n_line, n_pixel, 1, 1)."""
        return np.gradient(self.wave, axis=1)[..., None, None]


def read_cubes(path, galaxies: Iterable[int], lines: Sequence[str]) -> dict[int, GalaxyCube]:
    """Line cubes of some galaxies by their index.

    Parameters
    ----------
    path : path
        Artefact 'line_cube_set', which may be far larger than the memory.
    galaxies : iterable of int
    lines : sequence of str
        Names of lines that it has.
    """
    rows = sorted(set(galaxies))
    cubes = LineCubes.open(path, lines)
    read, wave = cubes.read(rows), cubes.extra("window_wave")
    return {k: GalaxyCube(cubes.line, *(of[i] for of in read), wave[k]) for i, k in enumerate(rows)}


def chosen_lines(names: Sequence[str], n: int) -> list[str]:
    """Up to ``n`` of some lines: the preferred ones, then others, in the order of their wavelengths."""
    ordered = [*(name for name in PREFERRED if name in names), *(name for name in names if name not in PREFERRED)]
    return sorted(ordered[:n], key=list(names).index)


def line_flux(cube: GalaxyCube, flux: np.ndarray) -> np.ndarray:
    """Flux over the windows where there are data, continuum included, 1e-17 erg/s/cm2/spaxel, shape (n_line, ny, nx).

    NaN in spaxels without any.

    Parameters
    ----------
    flux : ndarray
        The cube's or that of its reconstruction.
    """
    summed = np.sum(np.where(cube.valid, flux * cube.step, 0.0), axis=1)
    return np.where(cube.valid.any(axis=1), summed, np.nan)


def residual_significance(cube: GalaxyCube, reconstruction: np.ndarray) -> np.ndarray:
    """Residual of :func:`line_flux` over its error by the cube's inverse variances, shape (n_line, ny, nx)."""
    use = cube.valid & (cube.ivar > 0)
    variance = np.sum(np.divide(cube.step**2, cube.ivar, out=np.zeros(cube.flux.shape), where=use), axis=1)
    residual = np.sum(np.where(use, (cube.flux - reconstruction) * cube.step, 0.0), axis=1)
    return np.divide(residual, np.sqrt(variance), out=np.full(variance.shape, np.nan), where=variance > 0)


def mean_spectrum(cube: GalaxyCube, flux: np.ndarray) -> np.ndarray:
    """Mean over the spaxels with data at each pixel, shape (n_line, n_pixel); NaN without any."""
    count = cube.valid.sum(axis=(2, 3))
    total = np.sum(np.where(cube.valid, flux, 0.0), axis=(2, 3))
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
