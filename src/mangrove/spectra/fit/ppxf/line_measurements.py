"""Emission lines of a fit: status, flux, equivalent width, and their errors."""

from collections.abc import Sequence

import numpy as np

from mangrove.codes import LineStatus
from mangrove.physics.lines import EW_HALF_WIDTH
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.line_coverage import line_status_of, pixel_width
from mangrove.spectra.fit.ppxf.composition import Composition
from mangrove.spectra.fit.ppxf.line_errors import line_weight_factor
from mangrove.spectra.fit.ppxf.line_profiles import line_profiles
from mangrove.spectra.fit.ppxf.solution import FittedSpectrum


def measured_lines(fit: FittedSpectrum, factor: float, draws: Sequence[Composition]) -> dict[str, np.ndarray]:
    """The columns of the lines, shape (n_line,) each, NaN where the status is not ok, and those of their components.

    Parameters
    ----------
    factor : float
        On the errors of the data.
    draws : sequence of Composition
        Noisy copies of the model.
    """
    v_gas, sigma_gas = fit.gas_kinematics
    status = line_status_of(fit.spectrum, fit.lines, v_gas, sigma_gas)
    # What had no template has no flux: it was masked, or its partner seemed to lie outside.
    has_none = ~np.isin(fit.lines.partner, fit.solution.gas.free)
    status[has_none & (status == LineStatus.OK)] = LineStatus.OUTSIDE_RANGE
    seen = status == LineStatus.OK
    parts, part_errors, flux, flux_err = _fluxes(fit, factor)
    flux, flux_err = (np.where(seen, values, np.nan) for values in (flux, flux_err))
    windows = _ew_windows(fit.spectrum.wave, fit.lines.wave * np.exp(v_gas / C_KMS))
    continuum = np.where(seen, windows @ fit.stellar_continuum, np.nan)
    # Both widths are in the observed frame until divided by 1 + z; a continuum of zero has no equivalent width.
    per_ew = np.where(continuum > 0, continuum * (1.0 + fit.z), np.nan)
    ew = flux / per_ew
    return {
        "component_flux": parts,
        "component_flux_err": part_errors,
        "line_status": status,
        "line_flux": flux,
        "line_flux_err": flux_err,
        "line_ew": ew,
        "line_ew_err": np.hypot(flux_err / per_ew, ew * _continuum_scatter(fit, draws, windows)),
        "line_continuum": continuum,
        **line_profiles(fit, seen, parts, flux),
    }


def _fluxes(fit: FittedSpectrum, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flux and error of each component of each line, shape (n_component, n_line), and of each line, shape (n_line,).

    NaN where the fit has no template for it.
    """
    gas, lines, kinematics = fit.solution.gas, fit.lines, fit.solution.kinematics[1:]
    shape = fit.settings.n_component, len(lines.name)
    at = gas.component, gas.free
    velocity = kinematics[np.searchsorted(gas.components, gas.component), 0]
    # Templates sum to 1 over pixels, and the flux of a line is over wavelength.
    width = pixel_width(lines.wave[gas.free], fit.z, velocity, fit.spectrum.log_step)
    flux, error = np.full(shape, np.nan), np.full(shape, np.nan)
    covariance_factor = factor * line_weight_factor(fit) * width
    flux[at] = fit.solution.composition.gas * width
    error[at] = np.linalg.norm(covariance_factor, axis=0)
    of_line = gas.free[:, None] == np.arange(shape[1])
    # What the data do not tell at all has an infinite error, and so has a sum with it.
    untold = np.isinf(covariance_factor)
    together = np.linalg.norm(np.where(untold, 0.0, covariance_factor) @ of_line, axis=0)
    together[(untold.any(axis=0)[:, None] & of_line).any(axis=0)] = np.inf
    total_error = np.where(of_line.any(axis=0), together, np.nan)
    total = np.where(of_line.any(axis=0), np.nansum(flux, axis=0), np.nan)
    tied = [values[..., lines.partner] * lines.ratio for values in (flux, error, total, total_error)]
    return tuple(tied)


def _ew_windows(wave, centre) -> np.ndarray:
    """Rows that take the mean over the pixels within :data:`EW_HALF_WIDTH` of each line, shape (n_line, n_wave)."""
    near = np.abs(np.log(wave / np.asarray(centre)[:, None])) < EW_HALF_WIDTH / C_KMS
    return near / np.maximum(near.sum(axis=1, keepdims=True), 1)


def _continuum_scatter(fit: FittedSpectrum, draws, windows) -> np.ndarray:
    """Relative scatter of the stellar continuum at each line over noisy copies of the model, shape (n_line,); NaN without it.

    Over the good pixels of the lines' windows.
    """
    good, error = fit.spectrum.good, fit.spectrum.error[fit.spectrum.good]
    mean = np.array([windows[:, good] @ (fit.solution.problem.stellar_continuum(draw) * error) for draw in draws])
    level = mean.mean(axis=0)
    return mean.std(axis=0, ddof=1) / np.where(level > 0, level, np.nan)
