"""Numbers, errors and status of a solution."""

from collections.abc import Sequence

import numpy as np

from mangrove.codes import FitStatus
from mangrove.physics.dust import polynomial_ebv
from mangrove.physics.photometry import r_band_flux
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.bounds import GAS_DETECTED, NEAR_BOUND, NEARLY, SIGMA_GAS_BOUND, SIGMA_STAR_BOUND
from mangrove.spectra.fit.ppxf.composition import Composition
from mangrove.spectra.fit.ppxf.line_measurements import measured_lines
from mangrove.spectra.fit.ppxf.solution import FittedSpectrum
from mangrove.spectra.fit.residuals import robust_rms
from mangrove.spectra.fit.results import GAS_MODEL, FitResult
from mangrove.spectra.fit.shape import attenuation_at_pivot, polynomial_values
from mangrove.spectra.fit.spectrum import shaped_stellar_continuum

#: Step of a derivative in the square of the dispersion, km2/s2.
_SIGMA2_STEP = 300.0


def collect(fit: FittedSpectrum, n_clipped: int, bic_gain: float) -> FitResult:
    """The result of a solution.

    Parameters
    ----------
    n_clipped : int
        Pixels that were left out as outliers.
    bic_gain : float
        Of the components of the gas over a single one.
    """
    quality, factor = _quality(fit)
    rng = np.random.default_rng(fit.spectrum.seed)
    draws = fit.solution.problem.draws(fit.solution.composition, factor, fit.settings.n_draw, rng)
    kinematics, lines = _kinematics(fit, factor), measured_lines(fit, factor, draws)
    populations = _populations(fit, draws)
    light = fit.spectrum.flux - fit.emission
    r_flux, r_flux_err = r_band_flux(
        fit.spectrum.wave, light, fit.spectrum.error * factor, fit.spectrum.good, fit.stellar_continuum
    )
    detected = bool(np.any(lines["line_flux"] > GAS_DETECTED * lines["line_flux_err"]))
    has_continuum = np.any(populations["weights"] > 0)
    status = _status(fit, kinematics, detected) if has_continuum else FitStatus.NO_STELLAR_CONTINUUM
    return FitResult(
        status=status,
        n_clipped=n_clipped,
        gas_bic_gain=bic_gain,
        r_flux=r_flux,
        r_flux_err=r_flux_err,
        **quality,
        **kinematics,
        **lines,
        **populations,
    )


def _quality(fit: FittedSpectrum) -> tuple[dict[str, float], float]:
    """How well the model fits, and the factor on the errors that follows from it."""
    residual = fit.solution.residual
    rms = robust_rms(residual)
    noise_scale = max(rms, 1.0) if fit.settings.rescale_noise else 1.0
    n_free = fit.solution.n_free + (0 if _is_fixed(fit) else 2) + (fit.settings.attenuation == "calzetti")
    chi2 = float(np.sum(residual**2)) / (residual.size - n_free) / noise_scale**2
    quality = {
        "chi2_reduced": chi2,
        "noise_scale": noise_scale,
        "residual_rms": rms / noise_scale,
        "n_pixel": residual.size,
        "n_free": n_free,
    }
    return quality, np.sqrt(chi2) * noise_scale


def _is_fixed(fit: FittedSpectrum) -> bool:
    return fit.guide is not None and fit.guide.half_width == 0


def _kinematics(fit: FittedSpectrum, factor: float) -> dict[str, float]:
    (v_star, sigma_fit), (v_gas, sigma_gas) = fit.star_kinematics, fit.gas_kinematics
    star_errors, gas_errors = fit.solution.errors[0] * factor, fit.solution.errors[1:] * factor
    if _is_fixed(fit):
        star_errors = fit.guide.v_err, fit.guide.sigma_err
    correction = _lsf_correction(fit)
    sigma = np.sqrt(max(sigma_fit**2 + correction, SIGMA_STAR_BOUND[0] ** 2))
    return {
        "v_star": v_star,
        "v_star_err": star_errors[0],
        "sigma_star": sigma,
        "sigma_star_err": star_errors[1] * sigma_fit / sigma,
        "sigma_star_fit": sigma_fit,
        "sigma_star_correction": correction,
        "v_gas": v_gas,
        "v_gas_err": gas_errors[0, 0],
        # One start, one minimum.
        "v_gas_other": np.nan,
        "sigma_gas": sigma_gas,
        "sigma_gas_err": gas_errors[0, 1],
        **_components(fit, gas_errors),
    }


def _components(fit: FittedSpectrum, errors) -> dict:
    """Kinematics of the components of the gas, NaN of those that it does not have."""
    components = fit.solution.gas.components
    columns = np.full((4, fit.settings.n_component), np.nan)
    columns[:, components] = np.hstack([fit.solution.kinematics[1:], errors])[:, [0, 2, 1, 3]].T
    names = ("component_v", "component_v_err", "component_sigma", "component_sigma_err")
    return {"gas_model": GAS_MODEL[components], **dict(zip(names, columns, strict=True))}


def _populations(fit: FittedSpectrum, draws: Sequence[Composition]) -> dict[str, np.ndarray]:
    """Weights and dust, and those of noisy copies of the model."""
    best = fit.solution.composition
    ebv, of_polynomial = _dust(best.theta, fit.spectrum, fit.settings)
    drawn_ebv = np.array([_dust(d.theta, fit.spectrum, fit.settings)[0] for d in draws])
    drawn = np.array([d.weights for d in draws]) / attenuation_at_pivot(drawn_ebv)[:, None]
    return {
        "weights": best.weights / attenuation_at_pivot(ebv),
        "ebv_star": ebv,
        "ebv_polynomial": of_polynomial,
        "polynomial": best.theta[1:],
        "weights_draw": drawn,
        "ebv_draw": drawn_ebv,
    }


def _dust(theta, spectrum, settings) -> tuple[float, float]:
    """E(B-V) of the stars, and the part of it that is in the polynomial: all of it where there is no dust curve."""
    if settings.attenuation == "calzetti":
        return theta[0], 0.0
    ebv = float(polynomial_ebv(spectrum.wave, polynomial_values(theta[1:], spectrum.wave.size)))
    return ebv, ebv


def _lsf_correction(fit: FittedSpectrum) -> float:
    """sigma_template^2 - sigma_instrument^2, km2/s2, as the fit sees it.

    The mean over good pixels, each weighted by what it tells about the dispersion: the square of the model's
    derivative by sigma^2, less what templates, dust and polynomial can mimic, over the variance. Most of that is in the
    blue; a mean weighted by inverse variance alone is off by hundreds of km2/s2.
    """
    best, spectrum, stars = fit.solution.composition, fit.spectrum, fit.stars
    template = np.interp(spectrum.wave, stars.wave, stars.lsf_sigma)
    difference = (template**2 - spectrum.lsf_sigma**2) * (C_KMS / spectrum.wave) ** 2
    velocity, sigma = fit.star_kinematics
    narrow = np.sqrt(max(sigma**2 - _SIGMA2_STEP, 0.0))
    wide = np.sqrt(sigma**2 + _SIGMA2_STEP)
    mixture = stars.flux @ best.weights
    ends = [shaped_stellar_continuum(mixture, best.theta, spectrum, stars, velocity, s) for s in (narrow, wide)]
    good, error = spectrum.good, spectrum.error[spectrum.good]
    derivative = (ends[1] - ends[0])[good] / error
    basis = np.linalg.qr(fit.solution.problem.stellar_continuum_columns(best)[0])[0]
    weight = derivative * (derivative - basis @ (basis.T @ derivative))
    return float(np.sum(weight * difference[good]) / np.sum(weight)) if np.any(weight) else 0.0


def _status(fit: FittedSpectrum, kinematics: dict[str, float], detected: bool) -> FitStatus:
    """Status of a fit that has a stellar continuum."""
    (v_star, sigma_fit), (v_gas, sigma_gas) = fit.star_kinematics, fit.gas_kinematics
    bound, guide = fit.settings.velocity_bound, fit.guide
    # A stellar continuum that does not tell its velocity within the bounds is none.
    if kinematics["v_star_err"] > bound:
        return FitStatus.NO_STELLAR_CONTINUUM
    gas_at_bound = abs(v_gas) > NEAR_BOUND * bound
    if NEARLY * abs(v_star) > NEAR_BOUND * bound or (gas_at_bound and detected):
        return FitStatus.VELOCITY_AT_BOUND
    if guide is not None and 0 < NEAR_BOUND * guide.half_width < abs(v_star - guide.v):
        return FitStatus.VELOCITY_AT_BOUND
    if guide is not None and 0 < NEAR_BOUND * guide.half_width < abs(sigma_fit - guide.sigma):
        return FitStatus.SIGMA_STAR_AT_BOUND
    if sigma_fit > NEAR_BOUND * SIGMA_STAR_BOUND[1]:
        return FitStatus.SIGMA_STAR_AT_BOUND
    if abs(kinematics["sigma_star_correction"]) > sigma_fit**2:
        return FitStatus.SIGMA_BELOW_LSF
    # Without lines the kinematics of the gas are noise, which says nothing about the stars.
    if sigma_gas > NEAR_BOUND * SIGMA_GAS_BOUND[1] or gas_at_bound:
        return FitStatus.GAS_AT_BOUND
    return FitStatus.OK
