"""Spectra and templates of a batch as arrays: what the functions of a batched fit share.

Everything here is float64 (:func:`double_precision`; what is solved in single precision becomes so where it is solved), and padded (:mod:`mangrove.spectra.fit.batched.arrays`).
"""

from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import numpy as np

from mangrove.spectra.fit.batched.precision import DOUBLE

#: Half width, pixels, of what holds a line at rest, for all usual instruments.
LEAST_LINE_WINDOW = 32


def double_precision() -> AbstractContextManager:
    """Context in which JAX computes in float64, whatever it does outside."""
    return jax.enable_x64(True)


class BatchLayout(NamedTuple):
    """What is compiled in: sizes and the form of the model. Hashable.

    Settings that are numbers are arrays (:class:`Galaxies`): a change of them compiles nothing anew.

    Attributes
    ----------
    n_wave : int
        Pixels of the data, padding included.
    n_fft : int
        Length of the transforms of the templates.
    gas_line, gas_component : tuple of int, length n_gas
        Index in the line list, and in :data:`mangrove.spectra.fit.component_names.COMPONENTS`, of each template of the gas: all
        lines that are free in every component that they may have.
    attenuation : bool
        Whether E(B-V) is fitted.
    degree : int
        Of the multiplicative polynomial.
    precision : str
        Of :mod:`mangrove.spectra.fit.batched.precision`.
    line_window : int
        Half width, pixels, of what holds a line at rest.
    """

    n_wave: int
    n_fft: int
    gas_line: tuple[int, ...]
    gas_component: tuple[int, ...]
    attenuation: bool
    degree: int
    precision: str = DOUBLE
    line_window: int = LEAST_LINE_WINDOW

    @property
    def components(self) -> tuple[int, ...]:
        """Of the gas, in order."""
        return tuple(sorted(set(self.gas_component)))

    @property
    def n_component(self) -> int:
        """Components of the gas for which a result has room, as :data:`mangrove.spectra.fit.component_names.COMPONENTS` orders them."""
        return self.components[-1] + 1

    @property
    def gas_place(self) -> np.ndarray:
        """Place of each template of the gas among :attr:`components`, shape (n_gas,)."""
        return np.searchsorted(self.components, self.gas_component)


class Galaxies(NamedTuple):
    """What the spectra of a galaxy share, arrays over the galaxies of a batch.

    Attributes
    ----------
    transform : ndarray of complex, shape (n_galaxy, n_star, n_fft // 2 + 1)
        Fourier transforms of the stellar templates over ``scale``; zero where a galaxy has fewer templates.
    scale : ndarray, shape (n_galaxy,)
        Median of the templates' flux.
    roughness : ndarray, shape (n_galaxy, n_star, n_star)
        S^T S of the second differences of the templates' light over ``scale`` (regularisation); to be divided by the
        square of a spectrum's median flux.
    wave, curve : ndarray, shape (n_galaxy, n_wave)
        Rest wavelengths of the data, Angstrom, and :func:`mangrove.spectra.fit.shape.relative_curve` there.
    legendre : ndarray, shape (n_galaxy, degree, n_wave)
        Zero in the padding.
    template_lsf : ndarray, shape (n_galaxy, n_wave)
        Line spread (sigma) of the templates at the pixels of the data, Angstrom.
    pixel : ndarray, shape (n_galaxy,)
        Width of a pixel, km/s.
    offset : ndarray, shape (n_galaxy,)
        Pixels from the first of the templates to the first of the data; not whole.
    line_place : ndarray, shape (n_galaxy, n_line)
        Pixels from the first of the templates to each line at rest; not whole.
    z : ndarray, shape (n_galaxy,)
    polynomial_hold : ndarray, shape (n_galaxy,)
        Inverse variance of the prior of a coefficient of the polynomial about zero; 0 without a prior.
    velocity_bound : ndarray, shape (n_galaxy,)
        Of the gas, km/s.
    clip_sigma : ndarray, shape (n_galaxy,)
        Outliers are farther from the model than so many standard deviations; 0: there are none.
    rescale_noise : ndarray of bool, shape (n_galaxy,)
        Whether errors of the data grow to the scatter about the model.
    """

    transform: np.ndarray
    scale: np.ndarray
    roughness: np.ndarray
    wave: np.ndarray
    curve: np.ndarray
    legendre: np.ndarray
    template_lsf: np.ndarray
    pixel: np.ndarray
    offset: np.ndarray
    line_place: np.ndarray
    z: np.ndarray
    polynomial_hold: np.ndarray
    velocity_bound: np.ndarray
    clip_sigma: np.ndarray
    rescale_noise: np.ndarray


class Lines(NamedTuple):
    """The line list as arrays.

    Attributes
    ----------
    wave, ratio : ndarray, shape (n_line,)
    partner : ndarray of int, shape (n_line,)
    broad : ndarray of bool, shape (n_line,)
        Whether a line may have a broad component.
    tie : ndarray, shape (n_line, n_gas)
        Pixel sum of each line in each template of the gas.
    """

    wave: np.ndarray
    ratio: np.ndarray
    partner: np.ndarray
    broad: np.ndarray
    tie: np.ndarray


class Spectra(NamedTuple):
    """Spectra of a batch.

    Attributes
    ----------
    galaxy : ndarray of int32, shape (n,)
        Index in :class:`Galaxies`.
    flux, error, lsf : ndarray, shape (n, n_wave)
        As in :class:`mangrove.spectra.fit.spectrum.Spectrum`; the error is positive everywhere.
    good : ndarray of bool, shape (n, n_wave)
    n_wave : ndarray of int32, shape (n,)
        Pixels without the padding.
    use : ndarray of bool, shape (n, n_line)
        Lines with a template.
    norm : ndarray, shape (n,)
        Median of the absolute flux of the good pixels.
    seed : ndarray of uint32, shape (n, 2)
        Of the draws.
    start : ndarray, shape (n, 2)
        Velocity and dispersion of the stars at first, km/s.
    low, high : ndarray, shape (n, 2)
        Their limits; equal where a guide fixes them.
    guide : ndarray, shape (n, 5)
        v, v_err, sigma, sigma_err, half_width of :class:`mangrove.spectra.fit.settings.Guide`; NaN without one.
    """

    galaxy: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    lsf: np.ndarray
    good: np.ndarray
    n_wave: np.ndarray
    use: np.ndarray
    norm: np.ndarray
    seed: np.ndarray
    start: np.ndarray
    low: np.ndarray
    high: np.ndarray
    guide: np.ndarray


class Solutions(NamedTuple):
    """Solutions of the spectra of a batch.

    Attributes
    ----------
    kinematics : ndarray, shape (n, 1 + n_component, 2)
        Velocity and dispersion of the stars and of each component of the gas, km/s.
    theta : ndarray, shape (n, 1 + degree)
        E(B-V), mag, and the coefficients of the polynomial.
    weights : ndarray, shape (n, n_star)
        Of the templates over their scale, attenuated as at the pivot; zero where a template has no light in it.
    gas : ndarray, shape (n, n_gas)
    chi2 : ndarray, shape (n,)
        Of data and priors.
    v_gas_other : ndarray, shape (n,)
        Velocity, km/s, of another minimum that is as good; NaN where there is none.
    converged : ndarray of bool, shape (n,)
    """

    kinematics: np.ndarray
    theta: np.ndarray
    weights: np.ndarray
    gas: np.ndarray
    chi2: np.ndarray
    v_gas_other: np.ndarray
    converged: np.ndarray


class Batch(NamedTuple):
    """Spectra with all that their fits need; ``layout`` is static, the rest are arrays."""

    layout: BatchLayout
    galaxies: Galaxies
    lines: Lines
    spectra: Spectra
