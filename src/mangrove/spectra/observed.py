"""From spectra as observed to spectra ready for use: Galactic extinction removed, pixels that are no data left out."""

from typing import NamedTuple

import numpy as np

from mangrove.physics.night_sky import night_sky


class Corrected(NamedTuple):
    """Spectra on their observed wavelengths, the extinction by the Milky Way's dust removed; shapes are those given.

    Attributes
    ----------
    flux, error : ndarray, shape (..., n_wave)
        Flux density and its standard deviation, the unit of the input; 0 where not good.
    good : ndarray of bool, shape (..., n_wave)
        Whether a pixel is data.
    """

    flux: np.ndarray
    error: np.ndarray
    good: np.ndarray


def corrected(wave, flux, ivar, mask, transmission=1.0, sky_half_width: float = 0.0) -> Corrected:
    """Remove the Galactic extinction of spectra, and tell which of their pixels count.

    Fit, training spectra and emulator all take their spectra from here.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Observed, vacuum, Angstrom.
    flux, ivar, mask : ndarray, shape (..., n_wave)
        Flux density as observed, its inverse variance, and 0 where a pixel is data (:func:`good_pixels`).
    transmission : ndarray, shape (..., n_wave), optional
        Of the Milky Way's dust (:func:`mangrove.physics.galactic_extinction.galactic_transmission`).
    sky_half_width : float
        Half width, Angstrom, of what is left out about each strong night-sky line; 0 for nothing.
    """
    good = good_pixels(flux, ivar, mask) & ~night_sky(wave, sky_half_width)
    error = np.where(good, 1.0 / np.sqrt(np.where(good, ivar, 1.0)), 0.0) / transmission
    return Corrected(np.where(good, flux, 0.0).astype(float) / transmission, error, good)


def good_pixels(flux, ivar, mask) -> np.ndarray:
    """Whether each pixel, the shape of ``flux``, is data: not masked, with a finite flux and a positive, finite ``ivar``."""
    return (np.asarray(mask) == 0) & np.isfinite(flux) & (np.asarray(ivar) > 0) & np.isfinite(ivar)
