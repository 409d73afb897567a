"""Outcome of one fit: its numbers."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import FitStatus, GasModel, LineStatus
from mangrove.physics.lines import LineList
from mangrove.spectra.fit.component_names import BROAD, MAIN, SECOND
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import StellarTemplates

#: What the gas is made of, by its components.
GAS_MODEL = {
    (MAIN,): GasModel.ONE_GAUSSIAN,
    (MAIN, SECOND): GasModel.TWO_GAUSSIANS,
    (MAIN, BROAD): GasModel.ONE_AND_BROAD,
    (MAIN, SECOND, BROAD): GasModel.TWO_AND_BROAD,
}


class FitResult(NamedTuple):
    """Outcome of one fit; units as in the artefact 'fit', of which these are the columns."""

    status: FitStatus
    v_star: float
    v_star_err: float
    sigma_star: float
    sigma_star_err: float
    sigma_star_fit: float
    sigma_star_correction: float
    v_gas: float
    v_gas_err: float
    v_gas_other: float
    sigma_gas: float
    sigma_gas_err: float
    gas_model: GasModel
    gas_bic_gain: float
    component_v: np.ndarray
    component_v_err: np.ndarray
    component_sigma: np.ndarray
    component_sigma_err: np.ndarray
    component_flux: np.ndarray
    component_flux_err: np.ndarray
    line_status: np.ndarray
    line_flux: np.ndarray
    line_flux_err: np.ndarray
    line_flux_sum: np.ndarray
    line_flux_sum_err: np.ndarray
    line_residual: np.ndarray
    line_chi2: np.ndarray
    line_shape: np.ndarray
    line_ew: np.ndarray
    line_ew_err: np.ndarray
    line_continuum: np.ndarray
    chi2_reduced: float
    noise_scale: float
    residual_rms: float
    n_pixel: int
    n_free: int
    n_clipped: int
    r_flux: float
    r_flux_err: float
    weights: np.ndarray
    ebv_star: float
    ebv_polynomial: float
    polynomial: np.ndarray
    weights_draw: np.ndarray
    ebv_draw: np.ndarray


def no_fit(
    status: FitStatus, n_pixel: int, stars: StellarTemplates, lines: LineList, settings: FitSettings
) -> FitResult:
    """The result of a spectrum that was not fitted: numbers are NaN, ``status`` says why."""
    n_line, n_template, n_component = len(lines.name), stars.flux.shape[1], settings.n_component
    shapes = {
        **dict.fromkeys(("line_flux", "line_flux_err", "line_flux_sum", "line_flux_sum_err"), n_line),
        **dict.fromkeys(("line_residual", "line_chi2", "line_ew", "line_ew_err", "line_continuum"), n_line),
        **dict.fromkeys([f"component_{name}" for name in ("v", "v_err", "sigma", "sigma_err")], n_component),
        **dict.fromkeys(("component_flux", "component_flux_err"), (n_component, n_line)),
        "ebv_draw": settings.n_draw,
    }
    known = {
        "status": status,
        "gas_model": GasModel.NONE,
        "gas_bic_gain": 0.0,
        "line_status": np.full(n_line, LineStatus.NO_FIT, np.int8),
        "line_shape": np.zeros(n_line, np.uint8),
        "noise_scale": 1.0,
        "n_pixel": n_pixel,
        "n_free": 0,
        "n_clipped": 0,
        "weights": np.zeros(n_template),
        "ebv_polynomial": 0.0,
        "polynomial": np.zeros(settings.polynomial_degree),
        "weights_draw": np.zeros((settings.n_draw, n_template)),
    }
    unknown = {name: np.full(shapes[name], np.nan) if name in shapes else np.nan for name in FitResult._fields}
    return FitResult(**unknown | known)
