"""The simulated MaNGA spectrograph and IFUs: wavelengths, line spread, field, sensitivity, noise."""

import numpy as np
from scipy.ndimage import gaussian_filter

from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM

#: Vacuum wavelength of the LOGCUBE pixels, Angstrom, shape (4563,).
WAVE = np.logspace(np.log10(3621.59598486), np.log10(10353.80544415), 4563)
SPAXEL = 0.5
#: Width of a pixel in ln wavelength.
LOG_STEP = float(np.log(WAVE[-1] / WAVE[0]) / (WAVE.size - 1))
PIXEL_KMS = C_KMS * LOG_STEP

# Observed FWHM, Angstrom: what MaNGA's spectra have (2.38, 2.73, 3.30 at rest 3700, 5000, 7000 at z = 0.05).
_LSF_POINTS = ((3885.0, 2.50), (5250.0, 2.87), (7350.0, 3.47))
# Sky per spaxel, 1e-17 erg/s/cm2/Angstrom (20.8 mag/arcsec2 in r): sets the photon noise of the sources.
_SKY_FLUX = 0.4
_SKY_SIGMA_R = 0.025
_SKY_LINES = (
    (4359.6, 2.0),
    (5462.3, 2.0),
    (5578.9, 8.0),
    (5891.6, 3.0),
    (5897.6, 3.0),
    (6302.0, 6.0),
    (6365.5, 3.0),
)
_OH_FROM, _N_OH, _OH_SEED = 7300.0, 90, 20150713
#: Standard deviation s, in spaxels, of the kernel of the noise: correlation exp(-d^2 / (4 s^2)).
#: 1.3 follows 1 + 1.62 log10 n (Law et al. 2016) within 9 per cent up to n = 100.
NOISE_KERNEL = 1.3


def lsf_sigma(wave=WAVE):
    """Line spread (sigma, Angstrom) at an observed wavelength, integration over pixels included."""
    points = np.array(_LSF_POINTS)
    return np.polyval(np.polyfit(points[:, 0], points[:, 1], 2), wave) / SIGMA_TO_FWHM


def lsf_sigma_before_pixels(sigma, wave=WAVE):
    """Line spread (Angstrom) without the integration over pixels, from that with it."""
    return np.sqrt(sigma**2 - (wave * LOG_STEP) ** 2 / 12.0)


def lsf_factor(rng, side: int):
    """Factors, shape (side, side), of about 1 +- 0.015 that vary smoothly: the line spread of each spaxel."""
    smooth = gaussian_filter(rng.standard_normal((side, side)), 4.0, mode="wrap")
    return 1.0 + 0.012 * np.clip(smooth / smooth.std(), -1.6, 1.6)


def spaxel_offsets(side: int, oversampling: int = 1, margin: int = 0):
    """East and north offsets (arcsec) from the centre of the IFU, two arrays of shape (n, n).

    Here n = (side + 2 margin) oversampling. The centre lies on spaxel side/2 (counted from 0), the
    reference pixel of the cube's WCS; east is to the left.
    """
    n = (side + 2 * margin) * oversampling
    axis = ((np.arange(n) + 0.5) / oversampling - 0.5 - margin - side // 2) * SPAXEL
    north, west = np.meshgrid(axis, axis, indexing="ij")
    return -west, north


def hexagon_depth(side: int, diameter: float):
    """Distance (arcsec), shape (side, side), inwards from the rim of the hexagonal field."""
    east, north = spaxel_offsets(side)
    apothem = 0.5 * np.sqrt(3.0) * (0.5 * diameter + 0.7)  # dithers widen the field
    angles = np.deg2rad([0.0, 60.0, 120.0])
    return apothem - np.max([np.abs(east * np.sin(a) + north * np.cos(a)) for a in angles], axis=0)


def sky_sigma(wave=WAVE):
    """Noise of an empty spaxel (standard deviation, 1e-17 erg/s/cm2/Angstrom), shape of ``wave``."""
    x = wave / 6200.0
    level = _SKY_SIGMA_R * (0.85 + 0.15 * x + 2.2 * np.exp(-(wave - 3600.0) / 350.0) + 0.6 * np.clip(x - 1.5, 0, None))
    rng = np.random.default_rng(_OH_SEED)  # stands for the OH lines: the same in every exposure
    forest = zip(rng.uniform(_OH_FROM, 10300.0, _N_OH), rng.uniform(1.0, 4.0, _N_OH), strict=True)
    boost = np.ones_like(wave)
    for centre, strength in (*_SKY_LINES, *forest):
        boost += strength * np.exp(-0.5 * ((wave - centre) / lsf_sigma(centre)) ** 2)
    return level * boost


def noise_sigma(flux, wave=WAVE):
    """Standard deviation of the noise, shape (..., n_wave): sky, and the photons of the source itself.

    Parameters
    ----------
    flux : ndarray, shape (..., n_wave)
        Noise-free flux, 1e-17 erg/s/cm2/Angstrom/spaxel.
    wave : ndarray, shape (n_wave,)
        Observed wavelength, Angstrom; those of the cube by default.
    """
    return sky_sigma(wave).astype(flux.dtype) * np.sqrt(1.0 + np.clip(flux, 0, None) / np.float32(_SKY_FLUX))


def correlated_noise(rng, n_wave: int, side: int):
    """Noise of unit variance, shape (n_wave, side, side), float32, correlated between neighbouring spaxels.

    White noise is convolved with a Gaussian of :data:`NOISE_KERNEL` spaxels and divided by the root of
    the sum of the squared kernel, so that every spaxel keeps unit variance and spaxels at distance d
    correlate as exp(-d^2 / (4 s^2)). Wavelength pixels are independent.
    """
    radius = 5
    x = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (x / NOISE_KERNEL) ** 2)
    kernel = (kernel / np.sqrt((kernel**2).sum())).astype(np.float32)
    # A band matrix per axis: matrix products are faster than a filter over so many small images.
    band = np.zeros((side, side + 2 * radius), np.float32)
    for i in range(side):
        band[i, i : i + x.size] = kernel
    noise = np.empty((n_wave, side, side), np.float32)
    for start in range(0, n_wave, 256):
        block = noise[start : start + 256]
        white = rng.standard_normal((len(block), side + 2 * radius, side + 2 * radius), dtype=np.float32)
        block[...] = band @ white @ band.T
    return noise


def noise_correlation(distance):
    """Correlation of the noise of two spaxels at a distance (spaxels)."""
    return np.exp(-((np.asarray(distance) / (2.0 * NOISE_KERNEL)) ** 2))
