"""One spectrum: stars and gas together, by pPXF (Cappellari 2017, 2023)."""

from typing import NamedTuple

import numpy as np

from mangrove.lines import LineList
from mangrove.spectra.composition import (
    CHI2_TOLERANCE,
    Composition,
    Continuum,
    LinearProblem,
    Spectrum,
    attenuation_at_pivot,
    continuum_shape,
    legendre,
    on_data,
    polynomial_values,
)
from mangrove.spectra.dust_curves import polynomial_ebv
from mangrove.spectra.night_sky import night_sky
from mangrove.spectra.photometry import r_band_flux
from mangrove.spectra.templates import GasTemplates, StellarTemplates, gas_templates
from mangrove.wavelengths import C_KMS

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

#: Bounds of both dispersions, km/s.
SIGMA_STAR_BOUND = (1.0, 600.0)
SIGMA_GAS_BOUND = (1.0, 350.0)
START_SIGMA_STAR, START_SIGMA_GAS = 120.0, 60.0
_ROUNDS = 10
_FTOL = 1e-4
_SIGMA2_STEP = 300.0
#: Stars within 5 % of the bound count as at it: a redshift wrong by just as much is measured to within the noise.
_NEAR_BOUND = 1.05
_LINE_WIDTH_PIXELS = 4
_MIN_PIXELS = 100
#: Signal to noise from which on a line says that the gas is at its bounds for a reason.
_DETECTED = 5.0
#: Starlight below this part of the median flux is the rounding error of a difference.
_ROUNDING = 1e-9
#: Pixels nearer to a line, km/s, are never clipped: outflows and narrow cores are no faults.
_CLIP_FROM_LINE = 1500.0


class FitSettings(NamedTuple):
    """What the user chooses about a fit (see the section ``fit`` of the configuration)."""

    rest_range: tuple[float, float] = (3650.0, 7400.0)
    polynomial_degree: int = 8
    sky_half_width: float = 8.0
    velocity_bound: float = 1000.0
    min_good_fraction: float = 0.5
    rescale_noise: bool = False
    attenuation: str = "calzetti"
    calibration_error: float = 0.01
    regularisation: float = 0.0
    clip_sigma: float = 5.0
    n_draw: int = 16
    age_limit: bool = True

    @property
    def continuum(self) -> Continuum:
        """What shapes the starlight."""
        dust = self.attenuation == "calzetti"
        return Continuum(dust, self.polynomial_degree, self.calibration_error if dust else 0.0, self.regularisation)


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


class Model(NamedTuple):
    """A fit as spectra on the wavelengths of the data: stars and gas, shape (n_wave,) each."""

    stars: np.ndarray
    gas: np.ndarray


def prepare(wave, flux, ivar, mask, lsf, z: float, transmission, settings: FitSettings, seed: int = 0) -> Spectrum:
    """Cut a baxel's spectrum to the fitted range and mask the night sky.

    Parameters
    ----------
    wave, flux, ivar, mask, lsf : ndarray, shape (n_wave,)
        Observed frame, as in the artefact 'extract'.
    z : float
        Catalogue redshift.
    transmission : ndarray, shape (n_wave,)
        Of the Milky Way's dust; flux and error are divided by it.
    seed : int
        Of the draws.
    """
    rest = wave / (1.0 + z)
    use = (rest >= settings.rest_range[0]) & (rest <= settings.rest_range[1])
    sky = night_sky(wave[use], settings.sky_half_width)
    good = (np.asarray(mask)[use] == 0) & (ivar[use] > 0) & np.isfinite(flux[use]) & ~sky
    error = np.where(good, 1.0 / np.sqrt(np.where(good, ivar[use], 1.0)), 0.0) / transmission[use]
    # pPXF wants a finite, positive error everywhere; masked pixels do not count.
    error[~good] = error[good].max() if good.any() else 1.0
    values = np.where(good, flux[use], 0.0).astype(float) / transmission[use]
    return Spectrum(rest[use], values, error, good, fill_line_spread(wave, lsf)[use] / (1.0 + z), seed)


def fill_line_spread(wave, lsf) -> np.ndarray:
    """Line spread, shape (n_wave,), interpolated over pixels without one (0); unchanged if no pixel has one."""
    known = lsf > 0
    return np.interp(wave, wave[known], lsf[known]) if known.any() else np.asarray(lsf, float)


def fit_spectrum(
    spectrum: Spectrum, z: float, stars: StellarTemplates, lines: LineList, settings: FitSettings
) -> FitResult:
    """Fit stars (one Gaussian losvd, multiplicative polynomial) and gas (one velocity and width for all lines).

    Two fits alternate until chi2 falls by less than 0.1: all templates and the polynomial at fixed kinematics, and,
    by pPXF, the kinematics with the templates that have weight and the polynomial frozen into them. Neither gains
    at the end, so the result is that of pPXF with the whole library and a free multiplicative polynomial, in
    about half of the time, and the coefficients of the polynomial have no limits (as in Woo & Ellison 2019).

    Parameters
    ----------
    z : float
        Catalogue redshift, for fluxes and widths in the right frame.
    stars : StellarTemplates
        At the data's step and line spread.

    Returns
    -------
    FitResult
        With a status other than OK where the numbers cannot be trusted or do not exist; never an exception for a
        bad spectrum.
    """
    n_good = int(spectrum.good.sum())
    if n_good < max(_MIN_PIXELS, settings.min_good_fraction * spectrum.good.size):
        return no_fit(ALL_MASKED if n_good == 0 else TOO_FEW_PIXELS, n_good, stars, lines, settings)
    norm = float(np.median(np.abs(spectrum.flux[spectrum.good])))
    if norm == 0.0:
        return no_fit(NO_CONTINUUM, n_good, stars, lines, settings)
    line_status = line_status_of(spectrum, lines)
    gas = gas_templates(
        lines, line_status != LINE_OUTSIDE, stars.wave, np.interp(lines.wave, spectrum.wave, spectrum.sigma)
    )
    solution = _solve(spectrum, norm, stars, gas, settings)
    clipped = _outliers(solution, spectrum, norm, lines, settings.clip_sigma)
    if clipped.any():
        spectrum = spectrum._replace(good=spectrum.good & ~clipped)
        solution = _solve(spectrum, norm, stars, gas, settings, solution)
    if not np.all(np.isfinite(np.concatenate(solution.pp.sol))):
        return no_fit(NOT_CONVERGED, n_good, stars, lines, settings)
    result = _collect(solution, spectrum, norm, z, stars, gas, lines, line_status, settings)
    return result._replace(n_clipped=int(clipped.sum()))


def no_fit(status: int, n_pixel: int, stars: StellarTemplates, lines: LineList, settings: FitSettings) -> FitResult:
    """The result of a spectrum that was not fitted: numbers are NaN, ``status`` says why."""
    nan, row = np.nan, np.full(len(lines.name), np.nan)
    line_status = np.full(len(lines.name), LINE_NO_FIT, np.int8)
    n = stars.flux.shape[1]
    made_of = np.zeros(n), nan, 0.0, np.zeros(settings.polynomial_degree)
    draws = np.zeros((settings.n_draw, n)), np.full(settings.n_draw, nan)
    lines_and_counts = line_status, row, row, row, row, row, nan, 1.0, nan, n_pixel, 0
    return FitResult(status, *[nan] * 10, *lines_and_counts, nan, nan, *made_of, *draws)


def model_spectrum(spectrum: Spectrum, z: float, fit, stars: StellarTemplates, lines: LineList) -> Model:
    """The model of a fit from its stored parameters.

    Parameters
    ----------
    fit : FitResult
        Or any object with these attributes for one baxel.
    """
    mixture = (stars.flux @ fit.weights)[:, None] * attenuation_at_pivot(fit.ebv_star)
    starlight = on_data(mixture, spectrum, stars, fit.v_star, fit.sigma_star_fit)[:, 0]
    theta = np.append(fit.ebv_star - fit.ebv_polynomial, fit.polynomial)
    starlight *= continuum_shape(theta, spectrum.wave)
    usable = np.asarray(fit.line_status) != LINE_OUTSIDE
    gas = gas_templates(lines, usable, stars.wave, np.interp(lines.wave, spectrum.wave, spectrum.sigma))
    flux = np.asarray(fit.line_flux)[gas.free]
    width = _pixel_width(lines.wave[gas.free], z, fit.v_gas, spectrum.log_step)
    emission = (gas.flux @ (np.where(np.isfinite(flux), flux, 0.0) / width))[:, None]
    emission = on_data(emission, spectrum, stars, fit.v_gas, fit.sigma_gas)[:, 0]
    return Model(starlight, emission)


class _Solution(NamedTuple):
    """pPXF's last fit, the indices of its stellar templates, the shape frozen into them, chi2 of the data, and the
    problem of the composition at the final kinematics with its solution."""

    pp: object
    active: np.ndarray
    theta: np.ndarray
    chi2: float
    problem: LinearProblem
    composition: Composition


def _solve(spectrum, norm, stars, gas, settings, start: _Solution | None = None) -> _Solution:
    """Alternate the two fits (see :func:`fit_spectrum`)."""
    kinematics, theta = np.array([[0.0, START_SIGMA_STAR], [0.0, START_SIGMA_GAS]]), None
    if start is not None:
        kinematics, theta = _moments(start.pp), start.theta
    reached = np.inf
    for _ in range(_ROUNDS):
        problem = LinearProblem(spectrum, stars, gas, settings.continuum, kinematics)
        composition = problem.solve(theta)
        if composition.chi2 > reached - CHI2_TOLERANCE:
            break
        theta = composition.theta
        active = np.flatnonzero(composition.weights > 0)
        if not active.size:
            active = np.arange(stars.flux.shape[1])
        shape = np.interp(stars.wave, spectrum.wave, continuum_shape(theta, spectrum.wave))
        pp = _ppxf(spectrum, norm, stars.wave, stars.flux[:, active] * shape[:, None], gas, kinematics, settings)
        kinematics = _moments(pp)
        chi2 = float(np.sum(((spectrum.flux / norm - pp.bestfit) * norm / spectrum.error)[spectrum.good] ** 2))
        reached = chi2 + problem.penalty(theta)
        solution = _Solution(pp, active, theta, chi2, problem, composition)
    return solution._replace(problem=problem, composition=composition)


def _moments(pp) -> np.ndarray:
    """Velocity and dispersion of stars and gas, km/s, shape (2, 2)."""
    return np.array([s[:2] for s in pp.sol])


def _outliers(solution, spectrum, norm, lines, limit: float) -> np.ndarray:
    """Good pixels away from emission lines whose residual is beyond a limit in robust standard deviations."""
    residual = (spectrum.flux / norm - solution.pp.bestfit) * norm / spectrum.error
    rms = _robust_rms(residual[spectrum.good])
    velocity = C_KMS * np.abs(np.log(spectrum.wave[:, None] / lines.wave)).min(axis=1)
    beyond = np.abs(residual) > limit * max(rms, 1.0)
    return spectrum.good & beyond & (velocity > _CLIP_FROM_LINE) & (limit > 0)


def _robust_rms(values) -> float:
    return 1.4826 * float(np.median(np.abs(values)))


def _ppxf(spectrum, norm, wave, stars, gas, kinematics, settings):
    from ppxf.ppxf import ppxf

    component = np.repeat([0, 1], [stars.shape[1], gas.free.size])
    v = (-settings.velocity_bound, settings.velocity_bound)
    return ppxf(
        np.hstack([stars, gas.flux]),
        spectrum.flux / norm,
        spectrum.error / norm,
        C_KMS * spectrum.log_step,
        kinematics.tolist(),
        bounds=[[v, SIGMA_STAR_BOUND], [v, SIGMA_GAS_BOUND]],
        moments=[2, 2],
        component=component,
        gas_component=component == 1,
        gas_names=np.array([str(i) for i in gas.free]),
        degree=-1,
        goodpixels=np.flatnonzero(spectrum.good),
        lam=spectrum.wave,
        lam_temp=wave,
        ftol=_FTOL,
        quiet=True,
    )


def _pixel_width(wave, z: float, velocity: float, log_step: float):
    """Width, Angstrom, of the observed pixel at a line: pPXF's flux is a sum over pixels."""
    return wave * (1.0 + z) * np.exp(velocity / C_KMS) * log_step


def line_status_of(spectrum, lines: LineList) -> np.ndarray:
    """Whether each line lies in the range, with at least half of its pixels good."""
    position = np.log(lines.wave / spectrum.wave[0]) / spectrum.log_step
    status = np.full(len(lines.name), LINE_OUTSIDE, np.int8)
    for i, centre in enumerate(np.rint(position).astype(int)):
        if _LINE_WIDTH_PIXELS <= centre < spectrum.wave.size - _LINE_WIDTH_PIXELS:
            near = spectrum.good[centre - _LINE_WIDTH_PIXELS : centre + _LINE_WIDTH_PIXELS + 1]
            status[i] = LINE_OK if near.mean() >= 0.5 else LINE_MASKED
    # A tied line is measured through its partner; without the partner there is nothing to tie it to.
    partner_outside = status[lines.partner] == LINE_OUTSIDE
    status[partner_outside] = LINE_OUTSIDE
    return status


def _collect(solution, spectrum, norm, z, stars, gas: GasTemplates, lines, line_status, settings) -> FitResult:
    pp = solution.pp
    ebv, of_polynomial = _dust(solution.theta, spectrum, settings)
    weights = np.zeros(stars.flux.shape[1])
    weights[solution.active] = pp.weights[: solution.active.size] * norm / attenuation_at_pivot(ebv)
    residual = (spectrum.flux / norm - pp.bestfit)[spectrum.good] / (spectrum.error / norm)[spectrum.good]
    rms = _robust_rms(residual)
    noise_scale = max(rms, 1.0) if settings.rescale_noise else 1.0
    n_free = np.count_nonzero(pp.weights) + 4 + solution.theta.size - (settings.attenuation != "calzetti")
    chi2 = solution.chi2 / (residual.size - n_free) / noise_scale**2
    factor = np.sqrt(chi2) * noise_scale
    (v_star, sigma_fit), (v_gas, sigma_gas) = pp.sol[0][:2], pp.sol[1][:2]
    errors = np.array([e[:2] for e in pp.error]) * factor
    correction = _line_spread_correction(solution, spectrum, norm, stars)
    sigma = np.sqrt(sigma_fit**2 + correction)
    flux, flux_err = _line_fluxes(pp, norm, factor, spectrum, z, v_gas, gas, lines, line_status)
    starlight = (pp.bestfit - pp.gas_bestfit) * norm
    starlight[np.abs(starlight) < _ROUNDING * norm] = 0.0
    at_line = np.interp(lines.wave * np.exp(v_gas / C_KMS), spectrum.wave, starlight)
    continuum = np.where(line_status == LINE_OK, at_line, np.nan)
    # Both widths are in the observed frame until divided by 1 + z; a continuum of zero has no equivalent width.
    per_ew = np.where(continuum > 0, continuum * (1.0 + z), np.nan)
    return FitResult(
        _status(pp, weights, errors[0, 0], sigma_fit, correction, settings),
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
        flux / per_ew,
        flux_err / per_ew,
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
        *_draws(solution, factor, spectrum, settings),
    )


def _draws(solution, factor: float, spectrum, settings) -> tuple[np.ndarray, np.ndarray]:
    """Weights, shape (n_draw, n_template), and E(B-V), shape (n_draw,), of noisy copies of the model."""
    rng = np.random.default_rng(spectrum.seed)
    draws = solution.problem.draws(solution.composition, factor, settings.n_draw, rng)
    ebv = np.array([_dust(d.theta, spectrum, settings)[0] for d in draws])
    weights = np.array([d.weights for d in draws]).reshape(len(draws), solution.composition.weights.size)
    return weights / attenuation_at_pivot(ebv)[:, None], ebv


def _dust(theta, spectrum, settings) -> tuple[float, float]:
    """E(B-V) of the stars, and the part of it that is in the polynomial: all of it where there is no dust curve."""
    if settings.attenuation == "calzetti":
        return theta[0], 0.0
    ebv = float(polynomial_ebv(spectrum.wave, polynomial_values(theta[1:], spectrum.wave.size)))
    return ebv, ebv


def _line_fluxes(pp, norm, factor, spectrum, z, v_gas, gas, lines, line_status):
    flux, error = (np.full(len(lines.name), np.nan) for _ in range(2))
    # pPXF's flux is the sum over pixels of the template, tied lines included; the free line itself sums to 1.
    scale = norm * _pixel_width(lines.wave[gas.free], z, v_gas, spectrum.log_step) / gas.flux.sum(axis=0)
    flux[gas.free], error[gas.free] = pp.gas_flux * scale, pp.gas_flux_error * scale * factor
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
    return max(float(np.sum(weight * difference[good]) / np.sum(weight)), 0.0) if np.any(weight) else 0.0


def _status(pp, weights, v_err, sigma_fit, correction, settings) -> int:
    (v_star, sigma_star), (v_gas, sigma_gas) = pp.sol[0][:2], pp.sol[1][:2]
    # Starlight that does not tell its velocity within the bounds is none.
    if not np.any(weights > 0) or v_err > settings.velocity_bound:
        return NO_CONTINUUM
    gas_at_bound = abs(v_gas) > 0.999 * settings.velocity_bound
    detected = np.any(pp.gas_flux > _DETECTED * pp.gas_flux_error)
    if _NEAR_BOUND * abs(v_star) > 0.999 * settings.velocity_bound or (gas_at_bound and detected):
        return V_AT_BOUND
    if sigma_star > 0.999 * SIGMA_STAR_BOUND[1]:
        return SIGMA_AT_BOUND
    if correction > sigma_fit**2:
        return SIGMA_BELOW_LSF
    # Of a galaxy without lines the motions of the gas are noise: no fault of the stars.
    if sigma_gas > 0.999 * SIGMA_GAS_BOUND[1] or gas_at_bound:
        return GAS_AT_BOUND
    return OK
