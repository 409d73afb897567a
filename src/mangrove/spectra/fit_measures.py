"""Numbers, errors and status of a solution."""

from typing import NamedTuple

import numpy as np

from mangrove.lines import EW_HALF_WIDTH, LineList
from mangrove.spectra.composition import (
    Composition,
    LinearProblem,
    attenuation_at_pivot,
    continuum_shape,
    legendre,
    on_data,
    polynomial_values,
)
from mangrove.spectra.dust_curves import polynomial_ebv
from mangrove.spectra.fit_results import (
    GAS_AT_BOUND,
    LINE_MASKED,
    LINE_OK,
    LINE_OUTSIDE,
    NO_CONTINUUM,
    OK,
    SIGMA_AT_BOUND,
    SIGMA_BELOW_LSF,
    V_AT_BOUND,
    FitResult,
)
from mangrove.spectra.fit_settings import FitSettings, Guide
from mangrove.spectra.line_errors import line_weight_errors
from mangrove.spectra.photometry import r_band_flux
from mangrove.spectra.templates import GasTemplates
from mangrove.wavelengths import C_KMS

#: Bounds of both dispersions, km/s.
SIGMA_STAR_BOUND = (1.0, 600.0)
SIGMA_GAS_BOUND = (1.0, 350.0)
START_SIGMA_STAR, START_SIGMA_GAS = 120.0, 60.0
_SIGMA2_STEP = 300.0
#: Stars within 5 % of the bound count as at it: a redshift wrong by just as much is measured to within the noise.
_NEAR_BOUND = 1.05
#: A line whose centre is nearer to an end of the range, pixels, lies outside.
_LINE_MARGIN = 4
#: Smallest part of a line's flux that must fall on good pixels.
_MIN_COVERED = 0.5
#: Signal to noise from which on a line says that the gas is at its bounds for a reason.
_DETECTED = 5.0
_TINY = 1e-300
#: Starlight below this part of the median flux is the rounding error of a difference.
_ROUNDING = 1e-9


class Solution(NamedTuple):
    """pPXF's last fit, the indices of its stellar templates, the shape frozen into them, chi2 of the data, and the
    problem of the composition at the final kinematics with its solution."""

    pp: object
    active: np.ndarray
    theta: np.ndarray
    chi2: float
    problem: LinearProblem
    composition: Composition


def star_bounds(settings: FitSettings, guide: Guide | None) -> list[tuple[float, float]]:
    """Limits of the stars' velocity and dispersion, km/s."""
    limits = [(-settings.velocity_bound, settings.velocity_bound), SIGMA_STAR_BOUND]
    if guide is None or guide.half_width == 0:
        return limits
    around = zip((guide.v, guide.sigma), limits, strict=True)
    return [(max(low, x - guide.half_width), min(high, x + guide.half_width)) for x, (low, high) in around]


def robust_rms(values) -> float:
    """Standard deviation about zero, from the median absolute value."""
    return 1.4826 * float(np.median(np.abs(values)))


def pixel_width(wave, z: float, velocity: float, log_step: float):
    """Width, Angstrom, of the observed pixel at a line: pPXF's flux is a sum over pixels."""
    return wave * (1.0 + z) * np.exp(velocity / C_KMS) * log_step


def line_status_of(spectrum, lines: LineList, velocity: float = 0.0, sigma: float = START_SIGMA_GAS) -> np.ndarray:
    """Whether each line lies in the range, with at least half of its flux on good pixels.

    Parameters
    ----------
    velocity, sigma : float
        Of the gas, km/s; the line spread is added to its dispersion.
    """
    centre = lines.wave * np.exp(velocity / C_KMS)
    width = np.hypot(sigma / C_KMS, np.interp(centre, spectrum.wave, spectrum.sigma) / centre)
    offset = np.log(spectrum.wave[:, None] / centre)
    profile = np.exp(-0.5 * (offset / np.maximum(width, spectrum.log_step)) ** 2)
    covered = (profile * spectrum.good[:, None]).sum(axis=0) / np.maximum(profile.sum(axis=0), _TINY)
    status = np.where(covered >= _MIN_COVERED, LINE_OK, LINE_MASKED).astype(np.int8)
    place = np.log(centre / spectrum.wave[0]) / spectrum.log_step
    status[(place < _LINE_MARGIN) | (place > spectrum.wave.size - 1 - _LINE_MARGIN)] = LINE_OUTSIDE
    # A tied line is measured through its partner; without the partner there is nothing to tie it to.
    partner_outside = status[lines.partner] == LINE_OUTSIDE
    status[partner_outside] = LINE_OUTSIDE
    return status


def collect(solution, spectrum, norm, z, stars, gas: GasTemplates, lines, line_status, settings, guide) -> FitResult:
    """The result of a solution; arguments as in :func:`mangrove.spectra.fitting.fit_spectrum`."""
    pp = solution.pp
    fixed = guide is not None and guide.half_width == 0
    ebv, of_polynomial = _dust(solution.theta, spectrum, settings)
    weights = np.zeros(stars.flux.shape[1])
    weights[solution.active] = pp.weights[: solution.active.size] * norm / attenuation_at_pivot(ebv)
    residual = (spectrum.flux / norm - pp.bestfit)[spectrum.good] / (spectrum.error / norm)[spectrum.good]
    rms = robust_rms(residual)
    noise_scale = max(rms, 1.0) if settings.rescale_noise else 1.0
    n_free = np.count_nonzero(pp.weights) + 4 - 2 * fixed + solution.theta.size - (settings.attenuation != "calzetti")
    chi2 = solution.chi2 / (residual.size - n_free) / noise_scale**2
    factor = np.sqrt(chi2) * noise_scale
    (v_star, sigma_fit), (v_gas, sigma_gas) = pp.sol[0][:2], pp.sol[1][:2]
    errors = np.array([e[:2] for e in pp.error]) * factor
    if fixed:
        errors[0] = guide.v_err, guide.sigma_err
    correction = _line_spread_correction(solution, spectrum, norm, stars)
    sigma = np.sqrt(max(sigma_fit**2 + correction, SIGMA_STAR_BOUND[0] ** 2))
    line_status = np.where(
        line_status == LINE_OUTSIDE, LINE_OUTSIDE, line_status_of(spectrum, lines, v_gas, sigma_gas)
    ).astype(np.int8)
    errors_of_weights = factor * line_weight_errors(
        solution.problem, solution.composition, spectrum, stars, gas, (v_gas, sigma_gas)
    )
    flux, flux_err = _line_fluxes(pp, norm, errors_of_weights, spectrum, z, v_gas, gas, lines, line_status)
    starlight = (pp.bestfit - pp.gas_bestfit) * norm
    starlight[np.abs(starlight) < _ROUNDING * norm] = 0.0
    windows = _ew_windows(spectrum.wave, lines.wave * np.exp(v_gas / C_KMS))
    continuum = np.where(line_status == LINE_OK, windows @ starlight, np.nan)
    # Both widths are in the observed frame until divided by 1 + z; a continuum of zero has no equivalent width.
    per_ew = np.where(continuum > 0, continuum * (1.0 + z), np.nan)
    ew = flux / per_ew
    draws = solution.problem.draws(solution.composition, factor, settings.n_draw, np.random.default_rng(spectrum.seed))
    relative_err = _continuum_scatter(solution.problem, draws, windows, spectrum)
    return FitResult(
        _status(pp, weights, errors[0, 0], sigma_fit, correction, np.any(flux > _DETECTED * flux_err), settings, guide),
        v_star,
        errors[0, 0],
        sigma,
        errors[0, 1] * sigma_fit / sigma,
        sigma_fit,
        correction,
        v_gas,
        errors[1, 0],
        sigma_gas,
        errors[1, 1],
        line_status,
        flux,
        flux_err,
        ew,
        np.hypot(flux_err / per_ew, ew * relative_err),
        continuum,
        chi2,
        noise_scale,
        rms / noise_scale,
        int(spectrum.good.sum()),
        0,
        *r_band_flux(
            spectrum.wave, spectrum.flux - pp.gas_bestfit * norm, spectrum.error * factor, spectrum.good, starlight
        ),
        weights,
        ebv,
        of_polynomial,
        solution.theta[1:],
        *_drawn_populations(draws, spectrum, settings),
    )


def _ew_windows(wave, centre) -> np.ndarray:
    """Rows that take the mean over the pixels within :data:`EW_HALF_WIDTH` of each line, shape (n_line, n_wave)."""
    near = np.abs(np.log(wave / np.asarray(centre)[:, None])) < EW_HALF_WIDTH / C_KMS
    return near / np.maximum(near.sum(axis=1, keepdims=True), 1)


def _continuum_scatter(problem: LinearProblem, draws, windows, spectrum) -> np.ndarray:
    """Relative scatter of the starlight at each line over noisy copies of the model, shape (n_line,); NaN if it has none.

    Over the good pixels of the lines' windows.
    """
    windows = windows[:, spectrum.good]
    mean = np.array([windows @ (problem.starlight(draw) * spectrum.error[spectrum.good]) for draw in draws])
    level = mean.mean(axis=0)
    return mean.std(axis=0, ddof=1) / np.where(level > 0, level, np.nan)


def _drawn_populations(draws, spectrum, settings) -> tuple[np.ndarray, np.ndarray]:
    """Weights, shape (n_draw, n_template), and E(B-V), shape (n_draw,), of noisy copies of the model."""
    ebv = np.array([_dust(d.theta, spectrum, settings)[0] for d in draws])
    weights = np.array([d.weights for d in draws])
    return weights / attenuation_at_pivot(ebv)[:, None], ebv


def _dust(theta, spectrum, settings) -> tuple[float, float]:
    """E(B-V) of the stars, and the part of it that is in the polynomial: all of it where there is no dust curve."""
    if settings.attenuation == "calzetti":
        return theta[0], 0.0
    ebv = float(polynomial_ebv(spectrum.wave, polynomial_values(theta[1:], spectrum.wave.size)))
    return ebv, ebv


def _line_fluxes(pp, norm, errors_of_weights, spectrum, z, v_gas, gas, lines, line_status):
    flux, error = (np.full(len(lines.name), np.nan) for _ in range(2))
    # pPXF's flux is the sum over pixels of the template, tied lines included; the free line itself sums to 1.
    width = pixel_width(lines.wave[gas.free], z, v_gas, spectrum.log_step)
    flux[gas.free] = pp.gas_flux * norm * width / gas.flux.sum(axis=0)
    error[gas.free] = errors_of_weights * width
    flux, error = flux[lines.partner] * lines.ratio, error[lines.partner] * lines.ratio
    measured = line_status == LINE_OK
    return np.where(measured, flux, np.nan), np.where(measured, error, np.nan)


def _line_spread_correction(solution, spectrum, norm, stars) -> float:
    """sigma_template^2 - sigma_instrument^2, km2/s2, as the fit sees it.

    The mean over good pixels, each weighted by what it tells about the dispersion: the square of the model's
    derivative by sigma^2, less what templates and polynomial can mimic, over the variance. Most of that is in the
    blue; a mean weighted by inverse variance alone is off by hundreds of km2/s2.
    """
    template = np.interp(spectrum.wave, stars.wave, stars.sigma)
    difference = (template**2 - spectrum.sigma**2) * (C_KMS / spectrum.wave) ** 2
    pp, n = solution.pp, solution.active.size
    velocity, sigma = pp.sol[0][:2]
    narrow = np.sqrt(max(sigma**2 - _SIGMA2_STEP, 0.0))
    wide = np.sqrt(sigma**2 + _SIGMA2_STEP)
    flux = stars.flux[:, solution.active]
    columns = on_data(flux, spectrum, stars, velocity, sigma)
    starlight = flux @ pp.weights[:n]
    ends = [on_data(starlight[:, None], spectrum, stars, velocity, s)[:, 0] for s in (narrow, wide)]
    shape = continuum_shape(solution.theta, spectrum.wave)
    terms = legendre(shape.size, solution.theta.size - 1)
    mimics = np.hstack([columns * shape[:, None], (columns @ pp.weights[:n] * shape)[:, None] * terms])
    good, error = spectrum.good, spectrum.error[spectrum.good] / norm
    derivative = ((ends[1] - ends[0]) * shape)[good] / error
    basis = np.linalg.qr(mimics[good] / error[:, None])[0]
    weight = derivative * (derivative - basis @ (basis.T @ derivative))
    return float(np.sum(weight * difference[good]) / np.sum(weight)) if np.any(weight) else 0.0


def _status(pp, weights, v_err, sigma_fit, correction, detected: bool, settings, guide) -> int:
    (v_star, sigma_star), (v_gas, sigma_gas) = pp.sol[0][:2], pp.sol[1][:2]
    # Starlight that does not tell its velocity within the bounds is none.
    if not np.any(weights > 0) or v_err > settings.velocity_bound:
        return NO_CONTINUUM
    gas_at_bound = abs(v_gas) > 0.999 * settings.velocity_bound
    if _NEAR_BOUND * abs(v_star) > 0.999 * settings.velocity_bound or (gas_at_bound and detected):
        return V_AT_BOUND
    if guide is not None and 0 < guide.half_width < 1.001 * abs(v_star - guide.v):
        return V_AT_BOUND
    if guide is not None and 0 < guide.half_width < 1.001 * abs(sigma_star - guide.sigma):
        return SIGMA_AT_BOUND
    if sigma_star > 0.999 * SIGMA_STAR_BOUND[1]:
        return SIGMA_AT_BOUND
    if not -(sigma_fit**2) < correction <= sigma_fit**2:
        return SIGMA_BELOW_LSF
    # Of a galaxy without lines the motions of the gas are noise: no fault of the stars.
    if sigma_gas > 0.999 * SIGMA_GAS_BOUND[1] or gas_at_bound:
        return GAS_AT_BOUND
    return OK
