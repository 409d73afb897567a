"""Templates of stars and gas at the line spread of the data."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from mangrove.errors import TemplateError
from mangrove.lines import LineList
from mangrove.ssp import SspLibrary, load_mastar
from mangrove.wavelengths import C_KMS, SIGMA_TO_FWHM, log_edges, overlap_matrix

_LOADERS = {"mastar": load_mastar}
_STEP_TOLERANCE = 1e-6
#: Kernels narrower than this part of the library's own line spread are left out.
_FINER = 0.1
_OVERSAMPLE = 5


class StellarTemplates(NamedTuple):
    """Stellar templates on the data's logarithmic step.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Vacuum, rest frame, Angstrom, log-linear.
    flux : ndarray, shape (n_wave, n_template)
        Flux density in the units of the library; template = metallicity-major, age-minor.
    sigma : ndarray, shape (n_wave,)
        Line spread of the templates as they are here, Gaussian sigma, Angstrom.
    age, metallicity : ndarray, shape (n_template,)
        Gyr; dex.
    """

    wave: np.ndarray
    flux: np.ndarray
    sigma: np.ndarray
    age: np.ndarray
    metallicity: np.ndarray


class GasTemplates(NamedTuple):
    """Templates of free emission lines, those tied to them included at their fixed ratios.

    Attributes
    ----------
    flux : ndarray, shape (n_wave, n_free)
        Each free line sums to 1 over pixels.
    free : ndarray of int, shape (n_free,)
        Index of each free line in the line list.
    """

    flux: np.ndarray
    free: np.ndarray


def load_library(name: str) -> SspLibrary:
    """A library of stellar populations by its name in the configuration.

    Raises
    ------
    TemplateError
        If there is no such library.
    """
    if name not in _LOADERS:
        raise TemplateError(f"unknown template library '{name}' (fit.templates); known: {', '.join(_LOADERS)}.")
    return _LOADERS[name]()


def match_line_spread(library: SspLibrary, log_step: float, wave, sigma_data) -> StellarTemplates:
    """Templates on the data's step, convolved to the data's line spread where they are finer.

    Where the library is coarser than the data it stays as it is (deconvolution amplifies noise): the fit corrects
    the dispersion instead, from ``sigma`` of the result.

    Parameters
    ----------
    log_step : float
        Step of the data in ln(wavelength).
    wave, sigma_data : ndarray, shape (n,)
        Rest wavelength and rest-frame line spread of the data, Gaussian sigma, both Angstrom, vacuum.
    """
    from ppxf.ppxf_util import varsmooth

    n_template = library.metallicity.size * library.age.size
    flux = library.flux.reshape(n_template, -1).T
    grid, flux = _on_step(library.wave, flux, log_step)
    sigma = np.interp(grid, library.wave, library.fwhm) / SIGMA_TO_FWHM
    wanted = np.interp(grid, wave, sigma_data)
    kernel = np.sqrt(np.maximum(wanted**2 - sigma**2, 0.0))
    finer = kernel > _FINER * sigma
    if finer.any():
        # varsmooth resamples, which broadens by a fraction of a pixel: pixels that need no kernel keep their flux.
        flux = np.where(finer[:, None], varsmooth(grid, flux, kernel, oversample=_OVERSAMPLE), flux)
    metallicity, age = (a.ravel() for a in np.meshgrid(library.metallicity, library.age, indexing="ij"))
    return StellarTemplates(grid, flux, np.maximum(sigma, wanted), age, metallicity)


def gas_templates(lines: LineList, use, wave, sigma) -> GasTemplates:
    """Gaussian emission lines at the line spread of the data.

    Parameters
    ----------
    use : ndarray of bool, shape (n_line,)
        Lines to include; a line tied to another needs that one.
    wave : ndarray, shape (n_wave,)
        Vacuum, rest frame, Angstrom, log-linear.
    sigma : ndarray, shape (n_line,)
        Rest-frame line spread at each line, pixel included, Angstrom.
    """
    ln = np.log(np.asarray(wave))
    step = (ln[-1] - ln[0]) / (ln.size - 1)
    # The line spread includes the pixel: a Gaussian without it, integrated over pixels, has the right shape.
    narrow = np.sqrt(np.maximum((sigma / lines.wave) ** 2 - step**2 / 12.0, (0.1 * step) ** 2))
    edges = np.append(ln - 0.5 * step, ln[-1] + 0.5 * step)
    profile = np.diff(ndtr((edges[:, None] - np.log(lines.wave)) / narrow), axis=0)
    profile /= np.maximum(profile.sum(axis=0), 1e-300)
    # A flux ratio is a ratio of pixel sums times wavelength, as pixels widen with wavelength.
    scale = lines.ratio * lines.wave[lines.partner] / lines.wave
    free = np.nonzero((lines.partner == np.arange(len(lines.name))) & use)[0]
    flux = np.zeros((ln.size, free.size))
    for column, line in enumerate(free):
        together = np.nonzero((lines.partner == line) & use)[0]
        flux[:, column] = profile[:, together] @ scale[together]
    return GasTemplates(flux, free)


def broaden(templates, log_step: float, velocity: float, sigma: float) -> np.ndarray:
    """Templates shifted by a velocity and convolved with a Gaussian, both km/s, in ln(wavelength).

    The Fourier transform of the Gaussian is analytic, so widths below a pixel are exact (Cappellari 2017, section
    2.2).

    Parameters
    ----------
    templates : ndarray, shape (n_wave, n)
    """
    n = len(templates)
    padded = 1 << int(np.ceil(np.log2(n + 1)))
    frequency = 2.0 * np.pi * np.fft.rfftfreq(padded)
    pixel = C_KMS * log_step
    kernel = np.exp(-1j * frequency * velocity / pixel - 0.5 * (frequency * sigma / pixel) ** 2)
    return np.fft.irfft(np.fft.rfft(templates, padded, axis=0) * kernel[:, None], padded, axis=0)[:n]


def _on_step(wave, flux, log_step: float):
    own_step = np.log(wave[-1] / wave[0]) / (wave.size - 1)
    if abs(own_step / log_step - 1.0) < _STEP_TOLERANCE:
        return wave, flux
    edges = log_edges(wave)
    n = int(np.log(edges[-1] / edges[0]) / log_step)
    grid = edges[0] * np.exp(log_step * (np.arange(n) + 0.5))
    return grid, overlap_matrix(edges, log_edges(grid)) @ flux
