"""Templates of stars and gas with the line spread function (LSF) of the data."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.interpolate import CubicSpline
from scipy.special import ndtr

from mangrove.errors import TemplateError
from mangrove.physics.lines import BROAD_LINES, LineList
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM
from mangrove.spectra.fit.component_names import MAIN, SECOND
from mangrove.spectra.fit.settings import FitSettings
from mangrove.ssp.library import SspLibrary

_STEP_TOLERANCE = 1e-6
#: Templates reach beyond the fitted range by this factor where the library does, or by what they must: broadening needs
#: neighbours.
_MARGIN = 1.02
_MAX_NODES = 100


class StellarTemplates(NamedTuple):
    """Stellar templates on the data's logarithmic step.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Vacuum, rest frame, Angstrom, log-linear.
    flux : ndarray, shape (n_wave, n_template)
        Flux density in the units of the library; template = metallicity-major, age-minor.
    lsf_sigma : ndarray, shape (n_wave,)
        Gaussian sigma of the line spread function (LSF) of the templates as they are here, Angstrom.
    age, metallicity : ndarray, shape (n_template,)
        Gyr; dex.
    """

    wave: np.ndarray
    flux: np.ndarray
    lsf_sigma: np.ndarray
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
    component : ndarray of int, shape (n_free,)
        Index in :data:`~mangrove.spectra.fit.component_names.COMPONENTS` of what it moves with; a line of several components has a template in each.
    """

    flux: np.ndarray
    free: np.ndarray
    component: np.ndarray

    @property
    def components(self) -> tuple[int, ...]:
        """The components, in order; the first is always there."""
        return tuple(sorted({MAIN, *self.component.tolist()}))


def match_lsf(
    library: SspLibrary, log_step: float, wave, sigma_data, rest_range=None, reach: float = FitSettings().reach
) -> StellarTemplates:
    """Templates on the data's step, convolved to the data's LSF where they are finer.

    Where the library is coarser than the data it stays as it is (deconvolution amplifies noise): the fit corrects
    the dispersion instead, from ``lsf_sigma`` of the result.

    Parameters
    ----------
    log_step : float
        Step of the data in ln(wavelength).
    wave, sigma_data : ndarray, shape (n,)
        Rest wavelength and rest-frame LSF of the data, Gaussian sigma, both Angstrom, vacuum.
    rest_range : tuple of float, optional
        Fitted range, Angstrom; the templates are cut to it with a margin of 2 % or ``reach``, whichever is larger. The whole
        library if not given.
    reach : float
        km/s by which templates must reach beyond ``rest_range`` (:attr:`mangrove.spectra.fit.settings.FitSettings.reach`).

    Raises
    ------
    TemplateError
        If the library does not cover ``rest_range`` with ``reach`` to spare.
    """
    own_wave, flux, own_sigma = _cut(library, rest_range, reach)
    grid = _grid(own_wave, log_step)
    sigma = np.interp(grid, own_wave, own_sigma)
    wanted = np.interp(grid, wave, sigma_data)
    kernel = np.sqrt(np.maximum(wanted**2 - sigma**2, 0.0))
    metallicity, age = (a.ravel() for a in np.meshgrid(library.metallicity, library.age, indexing="ij"))
    convolved = np.asfortranarray(_convolve(own_wave, flux, grid, kernel, sigma))
    return StellarTemplates(grid, convolved, np.maximum(sigma, wanted), age, metallicity)


def gas_templates(lines: LineList, use, wave, sigma) -> GasTemplates:
    """Gaussian emission lines with the LSF of the data.

    Parameters
    ----------
    use : ndarray of bool, shape (n_line,)
        Lines to include; a line tied to another needs that one.
    wave : ndarray, shape (n_wave,)
        Vacuum, rest frame, Angstrom, log-linear.
    sigma : ndarray, shape (n_line,)
        Rest-frame LSF at each line, pixel included, Angstrom.
    """
    ln = np.log(np.asarray(wave))
    step = (ln[-1] - ln[0]) / (ln.size - 1)
    # The LSF includes the pixel: a Gaussian without it, integrated over pixels, has the right shape.
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
    return GasTemplates(flux, free, np.full(free.size, MAIN))


def with_components(gas: GasTemplates, lines: LineList, components: Sequence[int]) -> GasTemplates:
    """Templates of gas that has further components: a second one of all lines, a broad one of the Balmer lines.

    Parameters
    ----------
    gas : GasTemplates
        Of the first component.
    components : sequence of int
        :data:`~mangrove.spectra.fit.component_names.SECOND`, ``BROAD``, both or none.
    """
    broad = np.isin(gas.free, [lines.index(name) for name in BROAD_LINES])
    parts = [np.arange(gas.free.size), *(np.flatnonzero(broad | (c == SECOND)) for c in components)]
    kind = np.repeat([MAIN, *components], [part.size for part in parts])
    column = np.concatenate(parts)
    return GasTemplates(gas.flux[:, column], gas.free[column], kind)


def broaden(templates, log_step: float, velocity: float, sigma: float) -> np.ndarray:
    """Templates shifted by a velocity and convolved with a Gaussian, both km/s, in ln(wavelength).

    The Fourier transform of the Gaussian is analytic, so widths below a pixel are exact (Cappellari 2017, section
    2.2).

    Parameters
    ----------
    templates : ndarray, shape (n_wave, n)
    """
    n = len(templates)
    padded = fft.next_fast_len(n + 1, real=True)
    frequency = 2.0 * np.pi * fft.rfftfreq(padded)
    pixel = C_KMS * log_step
    kernel = np.exp(-1j * frequency * velocity / pixel - 0.5 * (frequency * sigma / pixel) ** 2)
    # Transforms along contiguous memory are three times as fast, and templates in Fortran order are so already.
    transform = fft.rfft(np.ascontiguousarray(templates.T), padded)
    transform *= kernel
    return fft.irfft(transform, padded, overwrite_x=True)[:, :n].T


def _cut(library: SspLibrary, rest_range, reach: float):
    """Wavelength, flux of shape (n_wave, n_template) and line spread of a library over the fitted range."""
    wave = library.wave
    keep = np.ones(wave.size, bool)
    if rest_range is not None:
        low, high = rest_range
        shift = np.exp(reach / C_KMS)
        if low < wave[0] * shift or high > wave[-1] / shift:
            raise TemplateError(
                f"template library '{library.name}' covers {wave[0]:.0f}-{wave[-1]:.0f} Angstrom, which is too little for "
                f"fit.rest_range {low:g}-{high:g} shifted by {reach:g} km/s (fit.velocity_bound, and room for "
                f"broadening). Set it within {np.ceil(wave[0] * shift):.0f}-{np.floor(wave[-1] / shift):.0f}, lower "
                "fit.velocity_bound, or set fit.templates to a library with a wider range."
            )
        margin = max(shift, _MARGIN)
        keep = (wave >= low / margin) & (wave <= high * margin)
    flux = library.flux[..., keep].reshape(-1, np.count_nonzero(keep)).T
    return wave[keep], flux, library.fwhm[keep] / SIGMA_TO_FWHM


def _grid(wave, log_step: float) -> np.ndarray:
    """Log-linear wavelengths of a step over the range of others; those themselves if they have that step."""
    steps = np.diff(np.log(wave))
    if np.all(np.abs(steps / log_step - 1.0) < _STEP_TOLERANCE):
        return wave
    return wave[0] * np.exp(log_step * np.arange(int(np.log(wave[-1] / wave[0]) / log_step) + 1))


def _convolve(wave, flux, grid, kernel, sigma) -> np.ndarray:
    """Flux, shape (n_wave, n), at other wavelengths, convolved with Gaussians of a width given at each of these.

    The convolution integral is taken by Gauss-Hermite quadrature on a cubic spline: with no kernel the spectrum is
    only interpolated, and no resampling broadens it. (Linear interpolation, as in pPXF's varsmooth, makes the lines of
    E-MILES, 0.9 Angstrom per pixel, wider by 3-9 %.)

    Parameters
    ----------
    sigma : ndarray, shape (n_grid,)
        Line spread of the spectrum itself: no structure is finer, which sets how many nodes are enough.
    """
    spline = CubicSpline(wave, flux)
    result = flux.copy() if grid is wave else spline(grid)
    smooth = kernel > 0
    if not smooth.any():
        return result
    ratio = np.max(kernel[smooth] / sigma[smooth])
    nodes, weights = np.polynomial.hermite_e.hermegauss(int(min(8 + 8 * max(ratio, 1.0) ** 2, _MAX_NODES)))
    # Wavelengths beyond the library's end take its last pixel.
    at = (np.clip(grid[smooth] + kernel[smooth] * node, wave[0], wave[-1]) for node in nodes)
    result[smooth] = sum(w * spline(x) for w, x in zip(weights / weights.sum(), at, strict=True))
    return result
