"""The light of spectra of a batch in r (:func:`mangrove.physics.photometry.r_band_flux`)."""

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.physics.photometry import MIN_R_COVERAGE, r_curve
from mangrove.spectra.fit.batched.batch import Galaxies, Spectra


def r_weights(galaxies: Galaxies, spectra: Spectra) -> jax.Array:
    """Weights of pixels, shape (n, n_wave), that sum to 1; NaN where a spectrum covers less than 90 % of the band."""
    curve_wave, response = r_curve()
    wave = jnp.asarray(galaxies.wave)
    weight = jnp.interp(wave, curve_wave, response, left=0.0, right=0.0) * wave
    weight, pixel, wave = (values[spectra.galaxy] for values in (weight, jnp.gradient(wave, axis=-1), wave))
    # The last pixel has no neighbour beyond it.
    before = jnp.diff(wave, axis=-1, prepend=wave[:, :1])
    place, last = jnp.arange(wave.shape[1], dtype=jnp.int32)[None], spectra.n_wave[:, None] - 1
    weight = jnp.where(place <= last, weight * jnp.where(place == last, before, pixel), 0.0)
    total = jnp.sum(weight, axis=-1)
    covered = total >= MIN_R_COVERAGE * np.trapezoid(response * curve_wave, curve_wave)
    return weight / jnp.where(covered, total, jnp.nan)[:, None]


def r_flux(weight, spectra: Spectra, continuum, emission) -> jax.Array:
    """Mean flux density of the stars in r, shape (n,): data without lines, and the model where a pixel is not good.

    Parameters
    ----------
    weight : array, shape (n, n_wave)
        Of :func:`r_weights`.
    continuum, emission : array, shape (n, n_wave)
        Of the model, in the units of the data.
    """
    return jnp.sum(weight * jnp.where(spectra.good, spectra.flux - emission, continuum), axis=-1)
