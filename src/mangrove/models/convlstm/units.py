"""The units of an autoencoder of line cubes: what it sees of a flux, and back."""

import jax
import jax.numpy as jnp

from mangrove.models.convlstm.design import ASINH, NATIVE


def mean_absolute_flux(flux: jax.Array, valid: jax.Array) -> jax.Array:
    """Mean absolute flux of each cube over its valid values, shape (n,), 0 for a cube without any.

    Parameters
    ----------
    flux : Array of float32, shape (n, line, pixel, y, x)
    valid : Array of bool, same shape
    """
    count = jnp.maximum(valid.sum(axis=(1, 2, 3, 4)), 1).astype(jnp.float32)
    return jnp.where(valid, jnp.abs(flux), 0.0).sum(axis=(1, 2, 3, 4)) / count


def to_units(kind: str, flux: jax.Array, valid: jax.Array, flux_scale: jax.Array) -> jax.Array:
    """Cubes in the network's units, 0 where invalid.

    Parameters
    ----------
    kind : {"scaled", "asinh", "native"}
        See :class:`mangrove.models.convlstm.design.CubeDesign`.
    flux : Array of float32, shape (n, line, pixel, y, x)
    valid : Array of bool, same shape
    flux_scale : Array, shape (n,)
        See :func:`mean_absolute_flux`.
    """
    flux = jnp.where(valid, flux, 0.0)
    if kind == NATIVE:
        return flux
    scaled = flux / _of_cubes(flux_scale)
    return jnp.arcsinh(scaled) if kind == ASINH else scaled


def to_flux(kind: str, units: jax.Array, flux_scale: jax.Array) -> jax.Array:
    """Fluxes of cubes in the network's units; see :func:`to_units`."""
    if kind == NATIVE:
        return units
    return (jnp.sinh(units) if kind == ASINH else units) * _of_cubes(flux_scale)


def log_scale(flux_scale: jax.Array) -> jax.Array:
    """Natural logarithm of flux scales, 0 for a cube without flux."""
    return jnp.log(_positive(flux_scale))


def _of_cubes(flux_scale: jax.Array) -> jax.Array:
    return _positive(flux_scale)[:, None, None, None, None]


def _positive(flux_scale: jax.Array) -> jax.Array:
    return jnp.where(flux_scale > 0, flux_scale, 1.0)
