"""Errors of emission lines with all else free: the stellar continuum, dust, polynomial, and the kinematics of the gas."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from mangrove.spectra.fit.component_names import MAIN
from mangrove.spectra.fit.ppxf.solution import FittedSpectrum

#: Steps of the derivatives: km/s, and km2/s2 in the square of the dispersion, or this part of it if that is more.
_V_STEP, _SIGMA2_STEP, _SIGMA2_PART = 5.0, 300.0, 0.05
#: Added to the squared lengths of the columns, all 1: what the data do not tell at all gets a large error.
_RIDGE = 1e-10


def line_weight_factor(fit: FittedSpectrum) -> np.ndarray:
    """A factor W of the covariance of the weights of the lines, W^T W, shape (n, n_gas), from the errors as they are.

    The errors of weights are the lengths of its columns, and that of a sum of weights the length of the columns' sum.
    It is the inverse of the triangular factor of the normal matrix about the solution. A fit of a line's amplitude alone
    (pPXF's errors) knows neither that its width is free, which makes the error of a single strong line larger by
    sqrt(1.5), nor the absorption beneath. Of a line with several components those without flux are held at none.
    """
    problem = fit.solution.problem
    by_continuum, hold = problem.stellar_continuum_columns(fit.solution.composition)
    gas = np.where(_is_free(fit), problem.gas, 0.0)
    columns = np.hstack([gas, _kinematics_columns(fit), by_continuum])
    squares = columns.T @ columns + np.diag(np.append(np.zeros(columns.shape[1] - hold.size), hold))
    length = np.sqrt(squares.diagonal())
    known = length > 0
    scaled = squares[np.ix_(known, known)] / np.outer(length[known], length[known])
    inverse = solve_triangular(
        cholesky(scaled + _RIDGE * np.eye(len(scaled)), lower=True), np.eye(len(scaled)), lower=True
    )
    factor = np.zeros((len(scaled), length.size))
    factor[:, known] = inverse / length[known]
    factor[0, ~known & np.append(_is_free(fit), np.ones(length.size - gas.shape[1], bool))] = np.inf
    return factor[:, : gas.shape[1]]


def _is_free(fit: FittedSpectrum) -> np.ndarray:
    """Whether a weight has flux, or is the first of a line that has none, shape (n_gas,)."""
    gas, lit = fit.solution.gas, fit.solution.composition.gas > 0
    return lit | ((gas.component == MAIN) & ~np.isin(gas.free, gas.free[lit]))


def _kinematics_columns(fit: FittedSpectrum) -> np.ndarray:
    """Derivatives of the emission by velocity and squared dispersion of each component over the errors."""
    kinematics = fit.solution.kinematics[1:]
    good, error = fit.spectrum.good, fit.spectrum.error[fit.spectrum.good]

    def at(i: int, velocity: float, sigma2: float) -> np.ndarray:
        moved = kinematics.copy()
        moved[i] = kinematics[i, 0] + velocity, np.sqrt(max(kinematics[i, 1] ** 2 + sigma2, 0.0))
        return fit.emission_of(moved)[good]

    columns = []
    for i, (_, sigma) in enumerate(kinematics):
        step = max(_SIGMA2_STEP, _SIGMA2_PART * sigma**2)
        columns += [at(i, _V_STEP, 0.0) - at(i, -_V_STEP, 0.0), at(i, 0.0, step) - at(i, 0.0, -step)]
    return np.column_stack(columns) / error[:, None]
