"""Spectra of the simulated stars: populations between the points of the grid, dust, kinematics, line spread."""

from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM
from mangrove.ssp.library import SspLibrary
from mangrove.survey.simulation.instrument import LOG_STEP, PIXEL_KMS, WAVE, lsf_sigma

#: Rest-frame band, Angstrom, in which light weights are flux.
LIGHT_BAND = (5000.0, 6000.0)
#: Where the dust of the stars is counted from when a galaxy's brightness is set.
DUST_PIVOT = 5500.0
_BLUE_FIT = 3700.0
_MAX_VELOCITY = 700.0
_CHUNK = 128


class Populations(NamedTuple):
    """Templates ready to be mixed, on a log-linear rest-frame grid with the step of the cube.

    Attributes
    ----------
    wave : ndarray, shape (n_rest,)
        Vacuum, Angstrom.
    log_flux : ndarray, shape (n_metallicity, n_age, n_rest)
        Natural logarithm of the flux per Angstrom.
    log_age : ndarray, shape (n_age,)
        log10(age/yr).
    metallicity : ndarray, shape (n_metallicity,)
        [M/H], dex.
    log_ml_r, log_mass_fraction : ndarray, shape (n_metallicity, n_age)
        Natural logarithms.
    lsf_sigma : ndarray, shape (n_rest,)
        Gaussian sigma of the line spread function (LSF) of the templates, km/s.
    """

    wave: np.ndarray
    log_flux: np.ndarray
    log_age: np.ndarray
    metallicity: np.ndarray
    log_ml_r: np.ndarray
    log_mass_fraction: np.ndarray
    lsf_sigma: np.ndarray


class StellarSpectra(NamedTuple):
    """Spectra of n spaxels and what they are made of.

    Attributes
    ----------
    flux : ndarray, shape (n, 4563)
        Flux density with the galaxy's dust, on the cube's wavelengths.
    light : ndarray, shape (n, n_population)
        Mean flux over :data:`LIGHT_BAND` with dust.
    r_flux : ndarray, shape (n, n_population)
        Mean rest-frame flux density per Angstrom in the r band before dust, photon-weighted.
    ml_r, mass_fraction : ndarray, shape (n, n_population)
        Mass-to-light ratio (solar units) and surviving mass fraction.
    """

    flux: np.ndarray
    light: np.ndarray
    r_flux: np.ndarray
    ml_r: np.ndarray
    mass_fraction: np.ndarray


def calzetti(wave):
    """A(lambda)/E(B-V) of the stellar continuum by Calzetti et al. (2000), equation 4, R_V = 4.05; wave in Angstrom."""
    x = 1e4 / np.asarray(wave, float)
    blue = 2.659 * (-2.156 + 1.509 * x - 0.198 * x**2 + 0.011 * x**3)
    return np.where(x > 1 / 0.63, blue, 2.659 * (-1.857 + 1.040 * x)) + 4.05


def r_band(wave):
    """Approximate SDSS r response, shape of ``wave`` (Angstrom): a trapezium of its width and pivot."""
    return np.interp(wave, [5400.0, 5650.0, 6700.0, 6950.0], [0.0, 1.0, 1.0, 0.0], left=0.0, right=0.0)


def populations(library: SspLibrary, redshift: float) -> Populations:
    """Prepare a library for a redshift.

    A cube reaches bluer than the templates at rest: below their first pixel they are continued by a power
    law, without lines, fitted to their bluest part.
    """
    start = np.log(WAVE[0] / (1 + redshift)) - _MAX_VELOCITY / C_KMS
    blue = max(0, int(np.ceil((np.log(library.wave[0]) - start) / LOG_STEP)) + 8)
    end = np.log(WAVE[-1] / (1 + redshift)) + _MAX_VELOCITY / C_KMS
    red = max(0, int(np.ceil((end - np.log(library.wave[-1])) / LOG_STEP)) + 8)
    ln = np.log(library.wave[0]) + LOG_STEP * np.arange(-blue, library.wave.size + red)
    log_flux = np.log(library.flux)
    near = library.wave < _BLUE_FIT
    x = np.log(library.wave[near] / library.wave[0])
    flat = log_flux[..., near].reshape(-1, near.sum())
    slope, level = np.polyfit(x, flat.T, 1).reshape(2, *log_flux.shape[:2], 1)
    extension = level + np.clip(slope, -4, 4) * (ln[:blue] - np.log(library.wave[0]))
    extended = np.concatenate([extension, log_flux, np.repeat(log_flux[..., -1:], red, axis=-1)], axis=-1)
    sigma = C_KMS * library.fwhm / SIGMA_TO_FWHM / library.wave
    return Populations(
        wave=np.exp(ln),
        log_flux=extended,
        log_age=np.log10(library.age) + 9,
        metallicity=library.metallicity,
        log_ml_r=np.log(library.ml_r),
        log_mass_fraction=np.log(library.mass_fraction),
        lsf_sigma=np.pad(sigma, (blue, red), mode="edge"),
    )


def interpolate(grid: np.ndarray, templates: Populations, log_age, metallicity) -> np.ndarray:
    """Bilinear interpolation over (log age, [M/H]), which are held within the grid.

    Parameters
    ----------
    grid : ndarray, shape (n_metallicity, n_age, ...)
        Logarithms, so that what is between the points is no linear combination of the spectra at them.
    log_age, metallicity : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, ...)
    """
    i, u = _locate(templates.metallicity, metallicity)
    j, v = _locate(templates.log_age, log_age)
    u, v = (w.reshape(-1, *[1] * (grid.ndim - 2)) for w in (u, v))
    low = (1 - v) * grid[i, j] + v * grid[i, j + 1]
    high = (1 - v) * grid[i + 1, j] + v * grid[i + 1, j + 1]
    return (1 - u) * low + u * high


def stellar_spectra(templates, light, log_age, metallicity, ebv, velocity, sigma, lsf_factor, redshift, curve=calzetti):
    """Spectra of spaxels: populations behind one screen of dust with one Gaussian of velocities.

    Parameters
    ----------
    templates : Populations
    light, log_age, metallicity : ndarray, shape (n, n_population)
        Mean flux over :data:`LIGHT_BAND` before dust; log10(age/yr); [M/H].
    ebv, velocity, sigma : ndarray, shape (n,)
        Mag (Calzetti 2000), km/s (c ln), km/s.
    lsf_factor : ndarray, shape (n,)
        Factor on the instrument's line spread.
    redshift : float
        Redshift of velocity 0.
    curve : callable
        A(lambda)/E(B-V) of wavelengths in Angstrom.

    Returns
    -------
    StellarSpectra
    """
    parts = []
    for start in range(0, len(ebv), _CHUNK):
        s = slice(start, start + _CHUNK)
        rest, *made_of = _mixtures(templates, light[s], log_age[s], metallicity[s], ebv[s], curve)
        observed = _observe(templates, rest, velocity[s], sigma[s], lsf_factor[s], redshift)
        parts.append((observed.astype(np.float32), *made_of))
    return StellarSpectra(*(np.concatenate(p) for p in zip(*parts, strict=True)))


def _locate(axis, value):
    """Index of the grid point below, and the fraction of the way to the next."""
    value = np.clip(value, axis[0], axis[-1])
    index = np.clip(np.searchsorted(axis, value, side="right") - 1, 0, axis.size - 2)
    return index, (value - axis[index]) / (axis[index + 1] - axis[index])


def _mixtures(templates: Populations, light, log_age, metallicity, ebv, curve):
    """Rest-frame spectra with dust, shape (n, n_rest), and the other fields of StellarSpectra."""
    wave = templates.wave
    band = (wave > LIGHT_BAND[0]) & (wave < LIGHT_BAND[1])
    photons = r_band(wave) * wave
    width = np.gradient(wave)
    screen = 10.0 ** (-0.4 * ebv[:, None] * curve(wave))
    total, dusty, r_flux, ml_r, fraction = np.zeros_like(screen), *np.zeros((4, *light.shape))
    for k in range(light.shape[1]):
        spectrum = np.exp(interpolate(templates.log_flux, templates, log_age[:, k], metallicity[:, k]))
        mean = np.average(spectrum[:, band], axis=1, weights=width[band])
        spectrum *= (light[:, k] / mean)[:, None]
        r_flux[:, k] = spectrum @ (photons * width) / (photons @ width)
        spectrum *= screen
        dusty[:, k] = np.average(spectrum[:, band], axis=1, weights=width[band])
        total += spectrum
        ml_r[:, k] = np.exp(interpolate(templates.log_ml_r, templates, log_age[:, k], metallicity[:, k]))
        fraction[:, k] = np.exp(interpolate(templates.log_mass_fraction, templates, log_age[:, k], metallicity[:, k]))
    return total, dusty, r_flux, ml_r, fraction


def _observe(templates: Populations, rest, velocity, sigma, lsf_factor, redshift: float):
    """Shift and broaden to the cube's wavelengths, shape (n, 4563).

    The templates have a line spread of their own, so they are broadened by the rest of the way to
    sqrt(sigma^2 + sigma_instrument^2). That width changes slowly with wavelength: a mean width is applied
    by Fourier transform, and the change about it by the heat equation that Gaussians obey, to fourth
    derivatives.
    """
    offset = (np.log(WAVE[0] / (1 + redshift)) - np.log(templates.wave[0])) / LOG_STEP
    shift = offset - velocity / PIXEL_KMS
    variance = _missing_variance(templates, shift, sigma, lsf_factor)
    if np.any(variance <= 0):
        raise ValueError("the templates are coarser than the instrument and the stars' dispersion together")
    mean = np.median(variance, axis=1, keepdims=True)
    padded = _closed(rest)
    k = 2 * np.pi * rfftfreq(padded.shape[1])
    transform = rfft(padded, axis=1) * np.exp(1j * k * shift[:, None] - 0.5 * k**2 * mean)
    smooth, second, fourth = (
        irfft(transform * power, padded.shape[1], axis=1)[:, : WAVE.size] for power in (1.0, -(k**2), k**4)
    )
    change = variance - mean
    return smooth + 0.5 * change * second + 0.125 * change**2 * fourth


def _missing_variance(templates: Populations, shift, sigma, lsf_factor):
    """Variance (pixels squared), shape (n, 4563), that the templates lack."""
    instrument = lsf_factor[:, None] * (C_KMS * lsf_sigma() / WAVE)
    position = shift[:, None] + np.arange(WAVE.size)
    template = np.interp(position, np.arange(templates.wave.size), templates.lsf_sigma)
    return (sigma[:, None] ** 2 + instrument**2 - template**2) / PIXEL_KMS**2


def _closed(spectra):
    """Spectra followed by a ramp from their last to their first value, so that they are periodic."""
    n = spectra.shape[1]
    ramp = np.linspace(0, 1, next_fast_len(n + 200, real=True) - n + 2)[1:-1]
    return np.concatenate([spectra, spectra[:, -1:] + ramp * (spectra[:, :1] - spectra[:, -1:])], axis=1)
