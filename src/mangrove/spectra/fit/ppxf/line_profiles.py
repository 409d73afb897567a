"""Whether the lines have the profile that was fitted: local residuals, direct sums, and the ratios of tied doublets."""

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from mangrove.codes import LineShape
from mangrove.physics.lines import BROAD_LINES, distance_to_lines
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.component_names import BROAD
from mangrove.spectra.fit.line_judgement import (
    DETECTED,
    FLUX_FLOOR,
    LEAST_HALF_WIDTH,
    LEAST_SUM_HALF_WIDTH,
    MAX_RATIO_RESIDUAL,
    MAX_RESIDUAL,
    MIN_PROBABILITY,
    PROFILE_FLOOR,
    WIDE_HALF_WIDTHS,
    WINDOW_SIGMA,
)
from mangrove.spectra.fit.ppxf.solution import FittedSpectrum
from mangrove.spectra.fit.residuals import robust_rms, scatter_of_sums


def line_profiles(fit: FittedSpectrum, seen, parts, flux) -> dict[str, np.ndarray]:
    """What the residuals about each line say, shape (n_line,) each; NaN, and no bit, where a line is not seen.

    Parameters
    ----------
    seen : ndarray of bool, shape (n_line,)
        Lines with a flux.
    parts : ndarray, shape (n_component, n_line)
        Fluxes of their components, NaN for none.
    flux : ndarray, shape (n_line,)
        Their sums.

    Returns
    -------
    line_flux_sum, line_flux_sum_err
        The flux without its profile: data minus the stellar continuum and the other lines, summed over the good pixels of the
        window; the fitted profile stands in for the others.
    line_residual
        ``line_flux_sum`` minus the flux, over the error.
    line_chi2
        Mean square of the residual over the error in the window.
    line_shape
        Bits of :class:`mangrove.codes.LineShape`.
    """
    data = _Residuals(fit)
    core, whole, *wide = _windows(fit)
    excess, error = data.sums(whole)
    error_of_flux = np.hypot(error, FLUX_FLOOR * flux)
    is_line = seen & (flux + excess > DETECTED * error)
    chi2, n_pixel = data.chi2(core)
    odd = (np.abs(excess) > MAX_RESIDUAL * error_of_flux) | (chi2_distribution.sf(chi2, n_pixel) < MIN_PROBABILITY)
    for windows in wide:
        wings, wings_error = data.sums(windows)
        odd |= np.abs(wings) > MAX_RESIDUAL * np.hypot(wings_error, FLUX_FLOOR * flux)
    rejected = _rejected_ratios(fit, data, parts, flux)
    rejected &= is_line[fit.lines.partner]
    bits = LineShape.NOT_ONE_GAUSSIAN * (odd & is_line) + LineShape.DOUBLET_RATIO_REJECTED * rejected
    columns = {
        "line_flux_sum": flux + excess,
        "line_flux_sum_err": error,
        "line_residual": excess / error_of_flux,
        "line_chi2": chi2 / np.maximum(n_pixel, 1),
    }
    columns = {name: np.where(seen, values, np.nan) for name, values in columns.items()}
    return columns | {"line_shape": bits.astype(np.uint8)}


class _Residuals:
    """Data minus model of a fit, and what sums of it over windows tell."""

    def __init__(self, fit: FittedSpectrum):
        spectrum = fit.spectrum
        self.good, self.emission = spectrum.good, fit.emission
        self.value = np.where(self.good, spectrum.flux - fit.stellar_continuum - self.emission, 0.0)
        # Formal errors that are too small for the continuum are so for the lines.
        self.error = spectrum.error * max(robust_rms(fit.solution.residual), 1.0)
        #: Width of the pixels in the frame of the fluxes, Angstrom.
        self.width = spectrum.wave * (1.0 + fit.z) * spectrum.log_step
        away = distance_to_lines(spectrum.wave, fit.lines, fit.gas_kinematics[0])
        self.free = self.good & (away > LEAST_SUM_HALF_WIDTH)

    def sums(self, windows) -> tuple[np.ndarray, np.ndarray]:
        """Flux of the residual in each window, and its error, shape (n_window,)."""
        use = windows & self.good
        total, variance = use @ (self.value * self.width), use @ (self.error * self.width) ** 2
        sizes = use.sum(axis=1)
        size = int(np.median(sizes[sizes > 0])) if sizes.any() else 1
        return total, np.sqrt(variance) * self.scatter(size)

    def scatter(self, size: int) -> float:
        """Scatter of sums over so many pixels without lines over what their errors say."""
        return scatter_of_sums(self.value / self.error, self.free, size)

    def chi2(self, windows) -> tuple[np.ndarray, np.ndarray]:
        """chi2 of each window, with :data:`PROFILE_FLOOR` of the lines in the error, and its pixels, shape (n_window,)."""
        use = windows & self.good
        return use @ (self.value**2 / (self.error**2 + (PROFILE_FLOOR * self.emission) ** 2)), use.sum(axis=1)


def _windows(fit: FittedSpectrum) -> list[np.ndarray]:
    """Pixels about each line for chi2 and for the sum, and far about those that may be broad, shape (n_line, n_wave)."""
    wave, lines, (velocity, _) = fit.spectrum.wave, fit.lines, fit.gas_kinematics
    spread = C_KMS * np.interp(lines.wave, wave, fit.spectrum.lsf_sigma) / lines.wave
    half = np.zeros(len(lines.name))
    for component, (v, sigma) in zip(fit.solution.gas.components, fit.solution.kinematics[1:], strict=True):
        if component != BROAD:
            half = np.maximum(half, abs(v - velocity) + WINDOW_SIGMA * np.hypot(sigma, spread))
    away = np.abs(C_KMS * np.log(wave / lines.wave[:, None]) - velocity)
    broad = np.isin(lines.name, BROAD_LINES)[:, None]
    near = [away < np.maximum(half, least)[:, None] for least in (LEAST_HALF_WIDTH, LEAST_SUM_HALF_WIDTH)]
    return near + [broad & (away < width) for width in WIDE_HALF_WIDTHS]


def _rejected_ratios(fit: FittedSpectrum, data: _Residuals, parts, flux) -> np.ndarray:
    """Whether the lines of a doublet ask for another ratio than the one that ties them, shape (n_line,)."""
    lines, kinematics = fit.lines, dict(zip(fit.solution.gas.components, fit.solution.kinematics[1:], strict=True))
    rejected = np.zeros(len(lines.name), bool)
    tied = np.flatnonzero((lines.partner != np.arange(rejected.size)) & np.isfinite(flux) & (flux > 0))
    for weak in tied:
        strong = lines.partner[weak]
        (low, low_err), (high, high_err) = (_missing(fit, data, parts[:, i], kinematics, i) for i in (weak, strong))
        error = np.sqrt(low_err**2 + (lines.ratio[weak] * high_err) ** 2 + (FLUX_FLOOR * flux[weak]) ** 2)
        rejected[[weak, strong]] |= abs(low - lines.ratio[weak] * high) > MAX_RATIO_RESIDUAL * error
    return rejected


def _missing(fit: FittedSpectrum, data: _Residuals, parts, kinematics, line: int) -> tuple[float, float]:
    """Flux of a line's own profile in the residual, and its error."""
    wave, centre = fit.spectrum.wave, fit.lines.wave[line]
    spread = np.interp(centre, wave, fit.spectrum.lsf_sigma) / centre * C_KMS
    velocity = C_KMS * np.log(wave / centre)
    profile = np.zeros(wave.size)
    for component, (v, sigma) in kinematics.items():
        width = np.hypot(sigma, spread)
        profile += np.nan_to_num(parts[component]) / width * np.exp(-0.5 * ((velocity - v) / width) ** 2)
    profile /= np.sum(profile * data.width)
    weight = np.where(data.good, profile / data.error**2, 0.0)
    information = weight @ profile
    if information == 0.0:
        return 0.0, np.inf
    size = max(int(np.sum(profile) ** 2 / np.sum(profile**2)), 1)
    return float(weight @ data.value / information), float(information**-0.5) * data.scatter(size)
