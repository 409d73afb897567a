"""One spectrum: stars and gas together, by pPXF (Cappellari 2017, 2023)."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import FitStatus, LineStatus
from mangrove.errors import SpectrumError
from mangrove.physics.lines import LineList, distance_to_lines
from mangrove.spectra.fit.alternation import Task, solve
from mangrove.spectra.fit.gas_components import choose_components
from mangrove.spectra.fit.line_measurements import line_status_of, pixel_width
from mangrove.spectra.fit.measurements import collect
from mangrove.spectra.fit.residuals import robust_rms
from mangrove.spectra.fit.results import FitResult, no_fit
from mangrove.spectra.fit.settings import FitSettings, Guide
from mangrove.spectra.fit.shape import attenuation_at_pivot
from mangrove.spectra.fit.solution import START_SIGMA_GAS, START_SIGMA_STAR, FittedSpectrum, Solution, total_emission
from mangrove.spectra.fit.spectrum import Spectrum, shaped_stellar_continuum
from mangrove.spectra.fit.templates import GasTemplates, StellarTemplates, gas_templates, with_components

_MIN_PIXELS = 100
#: Pixels nearer to a line, km/s, are never clipped: outflows and narrow cores are real.
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
    Gas may have further components (:func:`mangrove.spectra.fit.gas_components.choose_components`).

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
        With a status other than OK where the numbers cannot be trusted or do not exist; never an exception for bad
        pixels.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range.
    """
    n_good = int(spectrum.good.sum())
    if n_good < max(_MIN_PIXELS, settings.min_good_fraction * spectrum.good.size):
        return no_fit(FitStatus.ALL_MASKED if n_good == 0 else FitStatus.TOO_FEW_PIXELS, n_good, stars, lines, settings)
    if np.median(np.abs(spectrum.flux[spectrum.good])) == 0.0:
        return no_fit(FitStatus.NO_STELLAR_CONTINUUM, n_good, stars, lines, settings)
    task, v, sigma = Task(spectrum, stars, settings, guide), 0.0, START_SIGMA_STAR
    if guide is not None:
        v, sigma = guide.v, guide.sigma
    one = solve(task, _gas(spectrum, stars, lines), [[v, sigma], [v, START_SIGMA_GAS]])
    solution, gain = choose_components(task, one, lines)
    clipped = _outliers(solution, spectrum, lines, settings.clip_sigma)
    if clipped.any():
        spectrum = spectrum._replace(good=spectrum.good & ~clipped)
        task = task._replace(spectrum=spectrum)
        solution = solve(task, solution.gas, solution.kinematics, solution.composition.theta)
    if not np.all(np.isfinite(solution.kinematics)):
        return no_fit(FitStatus.NOT_CONVERGED, n_good, stars, lines, settings)
    return collect(FittedSpectrum(solution, spectrum, z, stars, lines, settings, guide), int(clipped.sum()), gain)


def model_spectrum(spectrum: Spectrum, z: float, fit, stars: StellarTemplates, lines: LineList) -> Model:
    """The model of a fit from its stored parameters: what its chi2 is of.

    Parameters
    ----------
    fit : FitResult
        Or any object with these attributes for one baxel.
    """
    mixture = stars.flux @ fit.weights * attenuation_at_pivot(fit.ebv_star)
    theta = np.append(fit.ebv_star - fit.ebv_polynomial, fit.polynomial)
    stellar_continuum = shaped_stellar_continuum(mixture, theta, spectrum, stars, fit.v_star, fit.sigma_star_fit)
    kinematics = np.column_stack([fit.component_v, fit.component_sigma])
    used = np.flatnonzero(np.isfinite(kinematics[:, 0]))
    flux = np.asarray(fit.component_flux)
    gas = with_components(_gas(spectrum, stars, lines), lines, used[1:])
    width = pixel_width(lines.wave[gas.free], z, kinematics[gas.component, 0], spectrum.log_step)
    weights = flux[gas.component, gas.free] / width
    return Model(stellar_continuum, total_emission(gas, weights, spectrum, stars, kinematics[used]))


def _gas(spectrum: Spectrum, stars: StellarTemplates, lines: LineList) -> GasTemplates:
    """Templates of the lines in the range at the line spread of the data, of one component."""
    inside = line_status_of(spectrum, lines) != LineStatus.OUTSIDE_RANGE
    if not inside.any():
        raise SpectrumError(
            f"no emission line lies in the rest frame range {spectrum.wave[0]:.0f}-{spectrum.wave[-1]:.0f} Angstrom "
            "of the fit, and stars and gas are fitted together. Widen fit.rest_range, or give a longer spectrum."
        )
    return gas_templates(lines, inside, stars.wave, np.interp(lines.wave, spectrum.wave, spectrum.lsf_sigma))


def _outliers(solution: Solution, spectrum: Spectrum, lines: LineList, limit: float) -> np.ndarray:
    """Good pixels away from emission lines whose residual is beyond a limit in robust standard deviations."""
    residual = solution.residual_on(spectrum)
    beyond = np.abs(residual) > limit * max(robust_rms(residual[spectrum.good]), 1.0)
    return spectrum.good & beyond & (distance_to_lines(spectrum.wave, lines) > _CLIP_FROM_LINE) & (limit > 0)
