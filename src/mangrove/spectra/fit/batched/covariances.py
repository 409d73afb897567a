"""Covariances of what a solution has, with all else free, from the products of the columns about it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.factors import cholesky, solve_lower
from mangrove.spectra.fit.batched.fitted import FittedBatch, places
from mangrove.spectra.fit.batched.problem import line_hold
from mangrove.spectra.fit.bounds import MAX_EBV
from mangrove.spectra.fit.component_names import MAIN

#: Added to the squared lengths of the columns, all 1: what the data do not tell at all gets a large error.
_RIDGE = 1e-10


class Covariances(NamedTuple):
    """Covariances for the errors of the data as they are.

    Attributes
    ----------
    gas : array, shape (n, n_gas, n_gas)
        Of the weights of the lines, with the stellar continuum, the shape and the motion of the gas free.
    motion : array, shape (n, 2 + 2 n_component)
        Variances of velocity and squared dispersion of the stars and of each component of the gas in turn, with all else free, the motion
        of the stars as well.

    Infinite where nothing is known; 0 of what is held.
    """

    gas: jax.Array
    motion: jax.Array


def covariances(layout: BatchLayout, fit: FittedBatch) -> Covariances:
    """Errors of the lines and of the kinematics.

    The errors of lines that a fit of their amplitudes alone gives (pPXF's) know neither that the width is free, which makes the
    error of a single strong line larger by sqrt(1.5), nor the absorption beneath. Of a line with several components those
    without flux are held at none.
    """
    place = places(layout, fit.solution.weights.shape[1])
    free = free_columns(layout, fit)
    products = fit.products + jnp.eye(free.shape[1])[None] * hold(layout, fit, free.shape[1])[:, :, None]
    length = jnp.sqrt(jnp.diagonal(products, axis1=-2, axis2=-1))
    known = free & (length > 0)
    lower = factor(products, length, known)
    first, m = place.gas.start, free.shape[1]
    block = lower[:, first:, first:]
    inverse = solve_lower(block, jnp.broadcast_to(jnp.eye(m - first), block.shape))
    inverse = jnp.where(known[:, None, first:], inverse / _or_one(length)[:, None, first:], 0.0)
    unknown = (free & ~known)[:, first:, None] & jnp.eye(m - first, dtype=bool)[None]

    def of_first(size: int) -> jax.Array:
        """Covariance of so many columns from the gas on, with those before them free."""
        part = inverse[:, :size, :size]
        covariance = jnp.einsum("nki,nkj->nij", part, part)
        return jnp.where(unknown[:, :size, :size], jnp.inf, covariance)

    with_gas, with_stars = of_first(place.gas_motion.stop - first), of_first(m - first)
    motion = jnp.diagonal(with_stars, axis1=-2, axis2=-1)[:, place.gas_motion.start - first :]
    n_gas = len(layout.gas_line)
    return Covariances(with_gas[:, :n_gas, :n_gas], jnp.roll(motion, 2, axis=-1))


def free_columns(layout: BatchLayout, fit: FittedBatch) -> jax.Array:
    """Columns along which a solution is free, shape (n, n_column).

    The shape where there is a stellar continuum, E(B-V) only where it is not at a bound; weights that are positive, and of a
    line without flux that of the first component; motions, unless a guide fixes those of the stars.
    """
    s = fit.solution
    lit, ebv = jnp.any(s.weights > 0, axis=-1, keepdims=True), s.theta[:, :1]
    dust = (ebv > 0.0) & (ebv < MAX_EBV) & layout.attenuation
    shape = lit & jnp.concatenate([dust, jnp.ones(s.theta[:, 1:].shape, bool)], axis=-1)
    moving = jnp.repeat(fit.present, 2, axis=-1)
    stars_moving = jnp.repeat(~is_fixed(fit)[:, None], 2, axis=-1)
    return jnp.concatenate([shape, s.weights > 0, _free_gas(layout, s.gas), moving, stars_moving], axis=-1)


def is_fixed(fit: FittedBatch) -> jax.Array:
    """Whether a guide fixes the kinematics of the stars, shape (n,)."""
    return fit.spectra.guide[:, 4] == 0.0


def hold(layout: BatchLayout, fit: FittedBatch, n_column: int) -> jax.Array:
    """What the priors of the polynomial and of the lines add to the squared lengths of the columns, shape (n, n_column)."""
    of_polynomial, of_lines = np.zeros(n_column), np.zeros(n_column)
    of_polynomial[1 : 1 + layout.degree] = 1.0
    of_lines[places(layout, fit.solution.weights.shape[1]).gas] = 1.0
    return fit.galaxy.polynomial_hold[:, None] * of_polynomial[None] + line_hold(fit.spectra)[:, None] * of_lines[None]


def factor(products, length, known, ridge: float = _RIDGE) -> jax.Array:
    """Lower triangular factor of the products of those columns that are known, scaled to a length of 1, shape (n, k, k).

    Parameters
    ----------
    length : array, shape (n, k)
        Of the columns.
    """
    scale = jnp.where(known, 1.0 / _or_one(length), 0.0)
    scaled = products * scale[:, :, None] * scale[:, None, :]
    return cholesky(scaled + jnp.eye(length.shape[1])[None] * jnp.where(known, ridge, 1.0)[:, None, :])


def _or_one(length) -> jax.Array:
    return jnp.where(length > 0, length, 1.0)


def _free_gas(layout: BatchLayout, gas) -> jax.Array:
    line, component = np.array(layout.gas_line), np.array(layout.gas_component)
    same = line[:, None] == line
    of_line_lit = jnp.any((gas > 0)[:, :, None] & same[None], axis=1)
    return (gas > 0) | ((component == MAIN)[None] & ~of_line_lit)
