"""E(B-V) of the stars of a batch, from the shapes of their continua."""

import jax
import jax.numpy as jnp

from mangrove.physics.constants import LN10
from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.draws import polynomial


def star_ebv(layout: BatchLayout, curve, legendre, inside, theta) -> jax.Array:
    """E(B-V) of the stars, shape (n, k), for a shape of (n, k, 1 + degree): all in the polynomial where there is no dust curve.

    As :func:`mangrove.physics.dust.polynomial_ebv`.

    Parameters
    ----------
    curve, legendre : array, shape (n, n_wave), (n, degree, n_wave)
        Those of the galaxy of each spectrum (:class:`mangrove.spectra.fit.batched.batch.Galaxies`).
    inside : array of bool, shape (n, n_wave)
        Whether a pixel is none of the padding.
    """
    if layout.attenuation:
        return theta[..., 0]
    n = jnp.sum(inside, axis=-1, keepdims=True).astype(float)
    curve = jnp.where(inside, curve, 0.0) / (0.4 * LN10)
    curve = jnp.where(inside, curve - jnp.sum(curve, axis=-1, keepdims=True) / n, 0.0)
    magnitude = -2.5 / LN10 * jnp.log(polynomial(legendre, theta[..., 1:]))
    return jnp.einsum("nkw,nw->nk", magnitude, curve) / jnp.sum(curve**2, axis=-1, keepdims=True)
