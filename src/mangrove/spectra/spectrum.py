"""A spectrum ready to fit, and templates on its pixels."""

from typing import NamedTuple

import numpy as np

from mangrove.spectra.templates import broaden
from mangrove.wavelengths import C_KMS


class Spectrum(NamedTuple):
    """A spectrum ready to fit, cut to the fitted range; Galactic extinction removed.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Vacuum, divided by 1 + catalogue redshift, Angstrom, log-linear.
    flux, error : ndarray, shape (n_wave,)
        Flux density (observed frame) and its standard deviation; finite everywhere.
    good : ndarray of bool, shape (n_wave,)
    sigma : ndarray, shape (n_wave,)
        Line spread, Gaussian sigma, Angstrom, in the frame of ``wave``.
    seed : int
        Of the draws of its composition.
    """

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    good: np.ndarray
    sigma: np.ndarray
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


def _offset(spectrum, stars) -> float:
    """Velocity, km/s, from the template pixel taken as the first to the first pixel of the data."""
    exact = np.log(spectrum.wave[0] / stars.wave[0]) / spectrum.log_step
    return C_KMS * spectrum.log_step * (exact - np.floor(exact))
