"""Errors of emission lines with all else free: starlight, dust, polynomial, and the motions of the gas."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from mangrove.spectra.fit_solution import Fit
from mangrove.spectra.spectrum import on_data

#: Steps of the derivatives: km/s, and km2/s2 in the square of the dispersion.
_V_STEP, _SIGMA2_STEP = 5.0, 300.0
#: Added to the squared lengths of the columns, all 1: what the data do not tell at all gets a large error.
_RIDGE = 1e-10


def line_weight_errors(fit: Fit) -> np.ndarray:
    """Standard errors of the weights of the lines, shape (n_gas,), from the errors of the data as they are.

    The inverse of the normal matrix about the solution. A fit of a line's amplitude alone (pPXF's errors) knows neither
    that its width is free, which makes the error of a single strong line larger by sqrt(1.5), nor the absorption beneath.
    """
    problem = fit.solution.problem
    by_starlight, hold = problem.starlight_columns(fit.solution.composition)
    by_motion = _motion_columns(fit)
    columns = np.hstack([problem.gas, by_motion, by_starlight])
    squares = columns.T @ columns + np.diag(np.append(np.zeros(columns.shape[1] - hold.size), hold))
    length = np.sqrt(squares.diagonal())
    known = length > 0
    scaled = squares[np.ix_(known, known)] / np.outer(length[known], length[known])
    inverse = solve_triangular(
        cholesky(scaled + _RIDGE * np.eye(len(scaled)), lower=True), np.eye(len(scaled)), lower=True
    )
    errors = np.full(length.size, np.inf)
    errors[known] = np.linalg.norm(inverse, axis=0) / length[known]
    return errors[: problem.gas.shape[1]]


def _motion_columns(fit: Fit) -> np.ndarray:
    """Derivatives of the emission by velocity and squared dispersion over the errors, shape (n_good, 2)."""
    emission, (velocity, sigma) = (fit.gas.flux @ fit.solution.composition.gas)[:, None], fit.gas_motion
    good, error = fit.spectrum.good, fit.spectrum.error[fit.spectrum.good]

    def at(v: float, sigma2: float) -> np.ndarray:
        return on_data(emission, fit.spectrum, fit.stars, v, np.sqrt(max(sigma2, 0.0)))[good, 0]

    by_velocity = at(velocity + _V_STEP, sigma**2) - at(velocity - _V_STEP, sigma**2)
    by_sigma = at(velocity, sigma**2 + _SIGMA2_STEP) - at(velocity, sigma**2 - _SIGMA2_STEP)
    return np.column_stack([by_velocity, by_sigma]) / error[:, None]
