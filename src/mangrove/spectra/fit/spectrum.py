"""A spectrum ready to fit, and templates on its pixels."""

from typing import NamedTuple

import numpy as np

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.shape import continuum_shape
from mangrove.spectra.fit.templates import GasTemplates, broaden


class Spectrum(NamedTuple):
    """A spectrum ready to fit, cut to the fitted range; Galactic extinction removed.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Vacuum, divided by 1 + catalogue redshift, Angstrom, log-linear.
    flux, error : ndarray, shape (n_wave,)
        Flux density (observed frame) and its standard deviation; finite everywhere.
    good : ndarray of bool, shape (n_wave,)
    lsf_sigma : ndarray, shape (n_wave,)
        Gaussian sigma of the line spread function (LSF), Angstrom, in the frame of ``wave``.
    seed : int
        Of the draws of its composition.
    """

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    good: np.ndarray
    lsf_sigma: np.ndarray
    seed: int = 0

    @property
    def log_step(self) -> float:
        """Step in ln(wavelength)."""
        return float(np.log(self.wave[-1] / self.wave[0]) / (self.wave.size - 1))


def on_data(templates, spectrum, stars, velocity: float, sigma: float) -> np.ndarray:
    """Templates, shape (n_template_wave, n), broadened and shifted, on the pixels of the data."""
    start = int(np.floor(np.log(spectrum.wave[0] / stars.wave[0]) / spectrum.log_step))
    broadened = broaden(templates, spectrum.log_step, velocity - _offset(spectrum, stars), sigma)
    return broadened[start : start + spectrum.wave.size]


def moving_gas(gas: GasTemplates, spectrum, stars, kinematics) -> np.ndarray:
    """Gas templates on the pixels of the data, each with the kinematics of its component, shape (n_wave, n_gas).

    Parameters
    ----------
    kinematics : array_like, shape (n_component, 2)
        Velocity and dispersion of each of ``gas.components``, km/s.
    """
    moved = np.empty((spectrum.wave.size, gas.component.size))
    for component, (velocity, sigma) in zip(gas.components, kinematics, strict=True):
        of_it = gas.component == component
        moved[:, of_it] = on_data(gas.flux[:, of_it], spectrum, stars, velocity, sigma)
    return moved


def shaped_stellar_continuum(mixture, theta, spectrum, stars, velocity: float, sigma: float) -> np.ndarray:
    """Stellar continuum on the pixels of the data, shape (n_wave,): broadened, shifted, and then shaped.

    Dust and polynomial multiply the light after the broadening, as pPXF's own multiplicative polynomials do: what the
    polynomial stands for, the calibration, belongs to the pixels of the data.

    Parameters
    ----------
    mixture : ndarray, shape (n_template_wave,)
        Templates times weights.
    theta : ndarray
        E(B-V) and the coefficients of the polynomial (:func:`mangrove.spectra.fit.shape.continuum_shape`).
    """
    return on_data(mixture[:, None], spectrum, stars, velocity, sigma)[:, 0] * continuum_shape(theta, spectrum.wave)


def _offset(spectrum, stars) -> float:
    """Velocity, km/s, from the template pixel taken as the first to the first pixel of the data."""
    exact = np.log(spectrum.wave[0] / stars.wave[0]) / spectrum.log_step
    return C_KMS * spectrum.log_step * (exact - np.floor(exact))
