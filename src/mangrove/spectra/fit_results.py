"""Outcome of one fit: its numbers, and what the codes of its status mean."""

from typing import NamedTuple

import numpy as np

from mangrove.lines import LineList
from mangrove.spectra.fit_settings import FitSettings
from mangrove.spectra.templates import StellarTemplates

(
    OK,
    TOO_FEW_PIXELS,
    ALL_MASKED,
    NOT_CONVERGED,
    V_AT_BOUND,
    SIGMA_AT_BOUND,
    SIGMA_BELOW_LSF,
    NO_CONTINUUM,
    GAS_AT_BOUND,
) = range(9)
LINE_OK, LINE_OUTSIDE, LINE_MASKED, LINE_NO_FIT = range(4)


class FitResult(NamedTuple):
    """Outcome of one fit; units as in the artefact 'fit', of which these are the columns."""

    status: int
    v_star: float
    v_star_err: float
    sigma_star: float
    sigma_star_err: float
    sigma_star_fit: float
    sigma_star_correction: float
    v_gas: float
    v_gas_err: float
    sigma_gas: float
    sigma_gas_err: float
    line_status: np.ndarray
    line_flux: np.ndarray
    line_flux_err: np.ndarray
    line_ew: np.ndarray
    line_ew_err: np.ndarray
    line_continuum: np.ndarray
    chi2_reduced: float
    noise_scale: float
    residual_rms: float
    n_pixel: int
    n_clipped: int
    r_flux: float
    r_flux_err: float
    weights: np.ndarray
    ebv_star: float
    ebv_polynomial: float
    polynomial: np.ndarray
    weights_draw: np.ndarray
    ebv_draw: np.ndarray


def no_fit(status: int, n_pixel: int, stars: StellarTemplates, lines: LineList, settings: FitSettings) -> FitResult:
    """The result of a spectrum that was not fitted: numbers are NaN, ``status`` says why."""
    nan, row = np.nan, np.full(len(lines.name), np.nan)
    line_status = np.full(len(lines.name), LINE_NO_FIT, np.int8)
    n = stars.flux.shape[1]
    made_of = np.zeros(n), nan, 0.0, np.zeros(settings.polynomial_degree)
    draws = np.zeros((settings.n_draw, n)), np.full(settings.n_draw, nan)
    lines_and_counts = line_status, row, row, row, row, row, nan, 1.0, nan, n_pixel, 0
    return FitResult(status, *[nan] * 10, *lines_and_counts, nan, nan, *made_of, *draws)
