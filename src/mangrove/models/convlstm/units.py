"""The units of an autoencoder of line cubes: what it sees of a flux, and back. Arrays of JAX or of NumPy, as they are given."""

from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.models.convlstm.design import ASINH, NATIVE

Array = jax.Array | np.ndarray


def mean_absolute_flux(flux: Array, valid: Array) -> Array:
    """Mean absolute flux of each cube over its valid values, shape (n,), 0 for a cube without any.

    Parameters
    ----------
    flux : Array of float32, shape (n, line, pixel, y, x)
    valid : Array of bool, same shape
    """
    xp = _library(flux)
    count = xp.maximum(valid.sum(axis=(1, 2, 3, 4)), 1).astype(xp.float32)
    return xp.where(valid, xp.abs(flux), 0.0).sum(axis=(1, 2, 3, 4)) / count


def to_units(kind: str, flux: Array, valid: Array, flux_scale: Array) -> Array:
    """Cubes, or parts of them, in the network's units, 0 where invalid.

    Parameters
    ----------
    kind : {"scaled", "asinh", "native"}
        See :class:`mangrove.models.convlstm.design.CubeDesign`.
    flux : Array of float32, shape (n, ...)
    valid : Array of bool, same shape
    flux_scale : Array, shape (n,)
        See :func:`mean_absolute_flux`.
    """
    xp = _library(flux)
    flux = xp.where(valid, flux, 0.0)
    if kind == NATIVE:
        return flux
    scaled = flux / _of_cubes(flux_scale, flux.ndim)
    return xp.arcsinh(scaled) if kind == ASINH else scaled


def to_flux(kind: str, units: Array, flux_scale: Array) -> Array:
    """Fluxes of cubes in the network's units; see :func:`to_units`."""
    if kind == NATIVE:
        return units
    return (_library(units).sinh(units) if kind == ASINH else units) * _of_cubes(flux_scale, units.ndim)


def log_scale(flux_scale: Array) -> Array:
    """Natural logarithm of flux scales, 0 for a cube without flux."""
    return _library(flux_scale).log(_positive(flux_scale))


def _of_cubes(flux_scale: Array, n_axis: int) -> Array:
    return _positive(flux_scale).reshape(-1, *(1,) * (n_axis - 1))


def _positive(flux_scale: Array) -> Array:
    return _library(flux_scale).where(flux_scale > 0, flux_scale, 1.0)


def _library(array: Array) -> ModuleType:
    return jnp if isinstance(array, jax.Array) else np
