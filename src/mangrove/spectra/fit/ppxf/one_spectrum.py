"""One spectrum: stars and gas together, by pPXF (Cappellari 2017, 2023)."""

import numpy as np

from mangrove.codes import FitStatus
from mangrove.physics.lines import LineList, distance_to_lines
from mangrove.spectra.fit.bounds import CLIP_FROM_LINE, START_SIGMA_GAS, START_SIGMA_STAR
from mangrove.spectra.fit.model import gas_in_range
from mangrove.spectra.fit.ppxf.alternation import Task, solve
from mangrove.spectra.fit.ppxf.gas_components import choose_components
from mangrove.spectra.fit.ppxf.measurements import collect
from mangrove.spectra.fit.ppxf.solution import FittedSpectrum, Solution
from mangrove.spectra.fit.preparation import status_without_fit
from mangrove.spectra.fit.residuals import robust_rms
from mangrove.spectra.fit.results import FitResult, no_fit
from mangrove.spectra.fit.settings import FitSettings, Guide
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.templates import StellarTemplates


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
    Gas may have further components (:func:`mangrove.spectra.fit.ppxf.gas_components.choose_components`).

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
    n_good, status = int(spectrum.good.sum()), status_without_fit(spectrum, settings)
    if status is not None:
        return no_fit(status, n_good, stars, lines, settings)
    task, v, sigma = Task(spectrum, stars, settings, guide), 0.0, START_SIGMA_STAR
    if guide is not None:
        v, sigma = guide.v, guide.sigma
    one = solve(task, gas_in_range(spectrum, stars, lines), [[v, sigma], [v, START_SIGMA_GAS]])
    solution, gain = choose_components(task, one, lines)
    clipped = _outliers(solution, spectrum, lines, settings.clip_sigma)
    if clipped.any():
        spectrum = spectrum._replace(good=spectrum.good & ~clipped)
        task = task._replace(spectrum=spectrum)
        solution = solve(task, solution.gas, solution.kinematics, solution.composition.theta)
    if not np.all(np.isfinite(solution.kinematics)):
        return no_fit(FitStatus.NOT_CONVERGED, n_good, stars, lines, settings)
    return collect(FittedSpectrum(solution, spectrum, z, stars, lines, settings, guide), int(clipped.sum()), gain)


def _outliers(solution: Solution, spectrum: Spectrum, lines: LineList, limit: float) -> np.ndarray:
    """Good pixels away from emission lines whose residual is beyond a limit in robust standard deviations."""
    residual = solution.residual_on(spectrum)
    beyond = np.abs(residual) > limit * max(robust_rms(residual[spectrum.good]), 1.0)
    return spectrum.good & beyond & (distance_to_lines(spectrum.wave, lines) > CLIP_FROM_LINE) & (limit > 0)
