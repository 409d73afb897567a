"""What the residuals of a batch say about their noise: :mod:`mangrove.spectra.fit.residuals` for many spectra."""

import jax
import jax.numpy as jnp

from mangrove.physics.constants import MAD_TO_SIGMA
from mangrove.spectra.fit.residuals import LEAST_RUNS

#: Above the bits of every finite number.
_HIGHEST = 0x7FF0000000000000


def robust_rms(values, use) -> jax.Array:
    """Standard deviation about zero of the values in use, from their median absolute value; NaN without any.

    Parameters
    ----------
    values, use : array, shape (..., n)
        Of float64, finite where they are in use, and of bool.

    Returns
    -------
    array, shape (...)
    """
    return MAD_TO_SIGMA * median_of_absolute(values, use)


def median_of_absolute(values, use) -> jax.Array:
    """Median of the absolute values in use, as :func:`robust_rms` takes them."""
    # Numbers that are not negative are in the order of their bits, which are found one by one: on a CPU that is five
    # times as fast as XLA's sort.
    bits = jnp.where(use, jax.lax.bitcast_convert_type(jnp.abs(values), jnp.int64), jnp.int64(_HIGHEST))
    n = jnp.sum(use, axis=-1)
    lower = _ranked(bits, (n - 1) // 2)
    not_above = jnp.sum(bits <= lower[..., None], axis=-1)
    next_one = jnp.min(jnp.where(bits > lower[..., None], bits, jnp.int64(_HIGHEST)), axis=-1)
    upper = jnp.where(n // 2 < not_above, lower, next_one)
    middle = (jax.lax.bitcast_convert_type(x, jnp.float64) for x in (lower, upper))
    return jnp.where(n > 0, 0.5 * sum(middle), jnp.nan)


def scatter_of_sums(residual, use, size) -> jax.Array:
    """Robust scatter of sums over runs of pixels, over that of independent residuals; at least 1.

    Parameters
    ----------
    residual : array of float64, shape (..., n_wave)
        Over their standard deviation.
    use : array of bool, shape (..., n_wave)
        Good pixels without emission lines.
    size : array of int, shape (...)
        Pixels of a run, at least 1.

    Returns
    -------
    array, shape (...)
    """
    n = residual.shape[-1]
    number = jnp.arange(n + 1).reshape((1,) * size.ndim + (-1,))
    edge = jnp.minimum(number * size[..., None], n)

    def in_runs(values):
        before = jnp.cumsum(values, axis=-1)
        before = jnp.concatenate([jnp.zeros_like(before[..., :1]), before], axis=-1)
        return jnp.diff(jnp.take_along_axis(before, jnp.broadcast_to(edge, before.shape), axis=-1), axis=-1)

    whole = in_runs(use.astype(jnp.int64)) == size[..., None]
    rms = robust_rms(in_runs(jnp.where(use, residual, 0.0)), whole)
    scatter = jnp.maximum(rms / jnp.sqrt(size.astype(rms.dtype)), 1.0)
    return jnp.where(jnp.sum(whole, axis=-1) < LEAST_RUNS, 1.0, scatter)


def _ranked(bits, rank) -> jax.Array:
    """The number of a rank, counted from zero, among others, shape (..., n): the largest that no more than ``rank`` are below."""

    def with_bit(i, found):
        trial = found | (jnp.int64(1) << (jnp.int64(62) - i))
        return jnp.where(jnp.sum(bits < trial[..., None], axis=-1) <= rank, trial, found)

    return jax.lax.fori_loop(jnp.int64(0), jnp.int64(63), with_bit, jnp.zeros(rank.shape, jnp.int64))
