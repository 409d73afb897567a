"""The nodes of a simulated survey's map of spectra: which baxels they hold, and spectra that look like these.

Columns of the map go with age, rows with metallicity, both by their place in the distribution over the survey's baxels
(normal, about 9.51 and -0.3 with a scatter of 0.27 and 0.19 dex): columns and rows are evenly filled, and as old baxels
are rich in metals, nodes along the diagonal hold most.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from support.spectra import populations, wavelengths

from mangrove.models.desom.grid import SomGrid
from mangrove.models.emulator.continuum_features import Bins, bin_matrix

#: Bins of the emulator that MaNGA covers.
BINS = Bins.equal().within(3660.0, 7400.0)
_AGE, _METALLICITY = (9.51, 0.27), (-0.30, 0.19)
#: By how much populations differ from a node's age and metallicity, dex: weights fall with the square.
_WIDTH = 0.15
#: Emission lines of prototypes: rest wavelength in vacuum, Angstrom, and EW over that of Halpha.
_EMISSION = {3728.5: 0.5, 4341.7: 0.12, 4862.7: 0.25, 5008.2: 0.25, 6549.9: 0.12, 6564.6: 1.0, 6585.3: 0.35}
_EMISSION |= {6718.3: 0.18, 6732.7: 0.13}
_LINE_SIGMA = 2.5


class Nodes(NamedTuple):
    """The nodes of the map.

    Attributes
    ----------
    grid : SomGrid
    wave : ndarray, shape (n_wave,)
        Rest wavelength, vacuum, Angstrom.
    flux : ndarray of float32, shape (n_node, n_wave)
        Prototypes, normalised as the training spectra.
    continuum : ndarray, shape (n_node, n_bin)
        The same without lines, mean over the emulator's bins, over their mean.
    """

    grid: SomGrid
    wave: np.ndarray
    flux: np.ndarray
    continuum: np.ndarray


def make_nodes(grid: SomGrid, n_wave: int) -> Nodes:
    """The nodes of a map of spectra of so many wavelengths."""
    row, column = grid.positions().T
    age = _AGE[0] + _AGE[1] * ndtri((column + 0.5) / grid.columns)
    metallicity = _METALLICITY[0] + _METALLICITY[1] * ndtri((row + 0.5) / grid.rows)
    library, wave = populations(n_wave), wavelengths(n_wave)
    square = (age[:, None] - library.log_age) ** 2 + (metallicity[:, None] - library.metallicity) ** 2
    # The nearest population counts in full, so that none of the nodes is empty.
    weight = np.exp(-0.5 * (square - square.min(axis=1, keepdims=True)) / _WIDTH**2)
    stars = weight @ library.flux / weight.sum(axis=1, keepdims=True)
    bins = stars @ bin_matrix(wave, BINS).T
    emission = sum(ratio * _profile(wave, line) for line, ratio in _EMISSION.items())
    halpha = 3.0 * 10 ** (2.0 * (_AGE[0] - age))
    flux = stars * (1.0 + halpha[:, None] * emission)
    return Nodes(grid, wave, flux.astype(np.float32), bins / bins.mean(axis=1, keepdims=True))


def node_of(age: np.ndarray, metallicity: np.ndarray, grid: SomGrid) -> np.ndarray:
    """Node of baxels by light-weighted log age (yr) and metallicity (dex), int, shape (n,); -1 where one is NaN."""
    known = np.isfinite(age) & np.isfinite(metallicity)
    column = _cell(np.where(known, age, 0.0), _AGE, grid.columns)
    row = _cell(np.where(known, metallicity, 0.0), _METALLICITY, grid.rows)
    return np.where(known, row * grid.columns + column, -1)


def _cell(values: np.ndarray, law: tuple[float, float], n: int) -> np.ndarray:
    return np.minimum((ndtr((values - law[0]) / law[1]) * n).astype(int), n - 1)


def _profile(wave: np.ndarray, line: float) -> np.ndarray:
    """A Gaussian of unit area, per Angstrom."""
    return np.exp(-0.5 * ((wave - line) / _LINE_SIGMA) ** 2) / (_LINE_SIGMA * np.sqrt(2 * np.pi))
