"""One spectrum: stars and gas together, by pPXF (Cappellari 2017, 2023)."""

from typing import NamedTuple

import numpy as np

from mangrove.lines import LineList
from mangrove.spectra.composition import CHI2_TOLERANCE, LinearProblem
from mangrove.spectra.fit_measures import collect, robust_rms
from mangrove.spectra.fit_results import (
    ALL_MASKED,
    LINE_OUTSIDE,
    NO_CONTINUUM,
    NOT_CONVERGED,
    TOO_FEW_PIXELS,
    FitResult,
    no_fit,
)
from mangrove.spectra.fit_settings import FitSettings, Guide
from mangrove.spectra.fit_solution import (
    SIGMA_GAS_BOUND,
    START_SIGMA_GAS,
    START_SIGMA_STAR,
    Fit,
    Solution,
    star_bounds,
)
from mangrove.spectra.line_measures import line_status_of, pixel_width
from mangrove.spectra.shape import attenuation_at_pivot, continuum_shape
from mangrove.spectra.spectrum import Spectrum, on_data
from mangrove.spectra.templates import StellarTemplates, gas_templates
from mangrove.wavelengths import C_KMS

_ROUNDS = 10
_FTOL = 1e-4
_MIN_PIXELS = 100
#: Pixels nearer to a line, km/s, are never clipped: outflows and narrow cores are no faults.
_CLIP_FROM_LINE = 1500.0


class Model(NamedTuple):
    """A fit as spectra on the wavelengths of the data: stars and gas, shape (n_wave,) each."""

    stars: np.ndarray
    gas: np.ndarray


def fit_spectrum(
    spectrum: Spectrum,
    z: float,
    stars: StellarTemplates,
    lines: LineList,
    settings: FitSettings,
    guide: Guide | None = None,
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
    guide : Guide, optional
        Stellar kinematics to take or to stay near to.

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
    inside = line_status_of(spectrum, lines) != LINE_OUTSIDE
    gas = gas_templates(lines, inside, stars.wave, np.interp(lines.wave, spectrum.wave, spectrum.sigma))
    solution = _solve(spectrum, norm, stars, gas, settings, guide)
    clipped = _outliers(solution, spectrum, norm, lines, settings.clip_sigma)
    if clipped.any():
        spectrum = spectrum._replace(good=spectrum.good & ~clipped)
        solution = _solve(spectrum, norm, stars, gas, settings, guide, solution)
    if not np.all(np.isfinite(np.concatenate(solution.pp.sol))):
        return no_fit(NOT_CONVERGED, n_good, stars, lines, settings)
    fit = Fit(solution, spectrum, norm, z, stars, gas, lines, settings, guide)
    return collect(fit, int(clipped.sum()))


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
    width = pixel_width(lines.wave[gas.free], z, fit.v_gas, spectrum.log_step)
    emission = (gas.flux @ (np.where(np.isfinite(flux), flux, 0.0) / width))[:, None]
    emission = on_data(emission, spectrum, stars, fit.v_gas, fit.sigma_gas)[:, 0]
    return Model(starlight, emission)


def _solve(spectrum, norm, stars, gas, settings, guide, start: Solution | None = None) -> Solution:
    """Alternate the two fits (see :func:`fit_spectrum`)."""
    v, sigma = (0.0, START_SIGMA_STAR) if guide is None else (guide.v, guide.sigma)
    kinematics, theta = np.array([[v, sigma], [v, START_SIGMA_GAS]]), None
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
        shaped = stars.flux[:, active] * shape[:, None]
        pp = _ppxf(spectrum, norm, stars.wave, shaped, gas, kinematics, settings, guide)
        kinematics = _moments(pp)
        chi2 = float(np.sum(((spectrum.flux / norm - pp.bestfit) * norm / spectrum.error)[spectrum.good] ** 2))
        reached = chi2 + problem.penalty(theta)
        solution = Solution(pp, active, theta, chi2, problem, composition)
    return solution._replace(problem=problem, composition=composition)


def _moments(pp) -> np.ndarray:
    """Velocity and dispersion of stars and gas, km/s, shape (2, 2)."""
    return np.array([s[:2] for s in pp.sol])


def _outliers(solution, spectrum, norm, lines, limit: float) -> np.ndarray:
    """Good pixels away from emission lines whose residual is beyond a limit in robust standard deviations."""
    residual = (spectrum.flux / norm - solution.pp.bestfit) * norm / spectrum.error
    rms = robust_rms(residual[spectrum.good])
    velocity = C_KMS * np.abs(np.log(spectrum.wave[:, None] / lines.wave)).min(axis=1)
    beyond = np.abs(residual) > limit * max(rms, 1.0)
    return spectrum.good & beyond & (velocity > _CLIP_FROM_LINE) & (limit > 0)


def _ppxf(spectrum, norm, wave, stars, gas, kinematics, settings, guide):
    from ppxf.ppxf import ppxf

    component = np.repeat([0, 1], [stars.shape[1], gas.free.size])
    v = (-settings.velocity_bound, settings.velocity_bound)
    fixed = guide is not None and guide.half_width == 0
    # At a perfect minimum capfit divides a reduction of zero by zero.
    with np.errstate(divide="ignore", invalid="ignore"):
        return ppxf(
            np.hstack([stars, gas.flux]),
            spectrum.flux / norm,
            spectrum.error / norm,
            C_KMS * spectrum.log_step,
            kinematics.tolist(),
            bounds=[star_bounds(settings, guide), [v, SIGMA_GAS_BOUND]],
            fixed=[[fixed, fixed], [False, False]],
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
