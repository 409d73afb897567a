"""Features of a continuum: mean flux in top-hat bins, colours, luminosity. All but the distances differentiate."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.errors import ModelError
from mangrove.physics.constants import FLUX_UNIT
from mangrove.physics.cosmology import COSMOLOGY
from mangrove.physics.wavelengths import C_KMS

#: Half width of the window that hides a line, in km/s.
LINE_HALF_WIDTH = 600.0


class Bins(NamedTuple):
    """Contiguous top-hat bins: edges in rest-frame vacuum Angstrom, ascending."""

    edges: tuple[float, ...]

    @classmethod
    def equal(cls, low: float = 3400.0, high: float = 7000.0, n_bin: int = 12) -> "Bins":
        """Bins of equal width; the defaults are those of the DESI table."""
        return cls(tuple(float(edge) for edge in np.linspace(low, high, n_bin + 1)))

    @property
    def n_bin(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @property
    def centres(self) -> np.ndarray:
        """Middle of each bin, Angstrom, shape (n_bin,)."""
        return 0.5 * (np.array(self.edges[:-1]) + np.array(self.edges[1:]))

    def within(self, low: float, high: float) -> "Bins":
        """The bins that lie wholly between two wavelengths: MaNGA's blue limit leaves the first one out.

        Raises
        ------
        ModelError
            If fewer than two are left.
        """
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        inside = [i for i, (a, b) in enumerate(pairs) if a >= low and b <= high]
        if len(inside) < 2:
            raise ModelError(f"fewer than two bins lie between {low:g} and {high:g} Angstrom: no colour is left.")
        return Bins(self.edges[inside[0] : inside[-1] + 2])


def bin_matrix(wave: np.ndarray, bins: Bins) -> np.ndarray:
    """Weights that turn a spectrum into means over bins; each pixel counts by its overlap with the bin.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Rest wavelengths of the pixels' centres, Angstrom, ascending.

    Returns
    -------
    ndarray of float32, shape (n_bin, n_wave)

    Raises
    ------
    ModelError
        If the spectrum does not cover a bin.
    """
    wave = np.asarray(wave, float)
    middle = 0.5 * (wave[1:] + wave[:-1])
    pixel = np.concatenate([[2 * wave[0] - middle[0]], middle, [2 * wave[-1] - middle[-1]]])
    edges = np.array(bins.edges)
    if pixel[0] > edges[0] or pixel[-1] < edges[-1]:
        raise ModelError(
            f"the spectrum covers {pixel[0]:.1f} to {pixel[-1]:.1f} Angstrom (rest frame), the bins need "
            f"{edges[0]:g} to {edges[-1]:g}. Use Bins.within to leave out bins, and a model trained with these."
        )
    low = np.maximum(pixel[None, :-1], edges[:-1, None])
    high = np.minimum(pixel[None, 1:], edges[1:, None])
    overlap = np.clip(high - low, 0, None)
    return (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)


def without_lines(wave: np.ndarray, flux: jax.Array, line_waves: np.ndarray, half_width=LINE_HALF_WIDTH) -> jax.Array:
    """Spectra with a straight line instead of each emission line.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Rest wavelengths, Angstrom.
    flux : Array, shape (n_spectrum, n_wave)
    line_waves : ndarray, shape (n_line,)
        Rest wavelengths of the lines to hide, Angstrom.
    half_width : float
        km/s.

    Returns
    -------
    Array, shape (n_spectrum, n_wave)
    """
    wave, line_waves = np.asarray(wave, float), np.asarray(line_waves, float)
    velocity = C_KMS * (wave[:, None] / line_waves[None, :] - 1)
    good = np.flatnonzero((np.abs(velocity) > half_width).all(axis=1))
    right = np.clip(np.searchsorted(wave[good], wave), 1, len(good) - 1)
    low, high = good[right - 1], good[right]
    weight = np.clip((wave - wave[low]) / (wave[high] - wave[low]), 0, 1).astype(np.float32)[None, :]
    return flux[:, low] * (1 - weight) + flux[:, high] * weight


def colours(flux_bins: jax.Array) -> jax.Array:
    """Colours -log10(f_i / f_(i+1)), shape (..., n_bin - 1); NaN where a flux is not positive."""
    log_flux = jnp.log10(flux_bins)
    return log_flux[..., 1:] - log_flux[..., :-1]


def log_luminosity(flux_bins: jax.Array, redshift: jax.Array, log_distance: jax.Array) -> jax.Array:
    """Log of the continuum luminosity 4 pi d_L^2 (1 + z) <flux>, erg/s/Angstrom.

    Parameters
    ----------
    flux_bins : Array, shape (..., n_bin)
        1e-17 erg/s/cm2/Angstrom.
    redshift, log_distance : Array, shape (...)
        The second is log10 of the luminosity distance in cm, from :func:`log_luminosity_distance`.

    Returns
    -------
    Array, shape (...)
    """
    constant = math.log10(4 * math.pi * FLUX_UNIT)
    return constant + 2 * log_distance + jnp.log10(1 + redshift) + jnp.log10(flux_bins.mean(-1))


def log_luminosity_distance(redshift: np.ndarray) -> np.ndarray:
    """log10 of the luminosity distance in cm (H0 = 70, Omega_m = 0.3, flat), shape of ``redshift``; NumPy."""
    return np.log10(COSMOLOGY.luminosity_distance(np.asarray(redshift, float)).to_value("cm"))
