"""Least squares with unknowns that are free and others that are not negative, from normal equations, for a batch.

Block principal pivoting (Kim & Park 2011, SIAM J. Sci. Comput. 33, 3261, algorithm 2, after Judice & Pires 1994): a guess says which
unknowns are positive; where the solution with these is negative, or the gradient of another one asks for it, all of
those change sides at once. If that does not lessen their number, only the last of them changes, which ends always. From
the solution of a similar problem it takes one to three rounds, but a few problems take thirty, for which all that are
computed together would wait: on devices other than a CPU exchanges of single unknowns, much cheaper than rounds, make the
guess better first (:mod:`mangrove.spectra.fit.batched.pivots`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular

from mangrove.spectra.fit.batched import forms
from mangrove.spectra.fit.batched.factors import RIDGE
from mangrove.spectra.fit.batched.pivots import positive_near

#: Added to the squared lengths of the columns, as RIDGE is, for products in single precision.
_RIDGE_IN_SINGLE = 5e-5
#: An unknown becomes positive where the slope, over the largest of all at zero, exceeds this.
_SLOPE_TOLERANCE = 1e-12
#: Rounds in which all change sides though their number does not fall, before one of them does; most rounds.
_PATIENCE, _ROUNDS = 3, 300


class _Pivoting(NamedTuple):
    """Problems on their way, arrays over them.

    Attributes
    ----------
    passive : array of bool, shape (n, m)
        Unknowns that the guess takes for positive; the next to be judged.
    solved : array, shape (n, m)
        Solution with those that were judged last, of any sign.
    x : array, shape (n, m)
        Where the careful way is: not negative.
    fewest, patience : array of int, shape (n,)
        The fewest that were on the wrong side so far; rounds left to the quick way, below 0 on the careful one.
    going : array of bool, shape (n,)
    round : int
    """

    passive: jax.Array
    solved: jax.Array
    x: jax.Array
    fewest: jax.Array
    patience: jax.Array
    going: jax.Array
    round: jax.Array


def nonnegative(products, right, n_free: int = 0, passive=None) -> tuple[jax.Array, jax.Array]:
    """Minimum of x' products x / 2 - right' x, where all but the first unknowns are not negative.

    Parameters
    ----------
    products : array, shape (n, m, m)
        Products of the columns with each other. A column of zeros gets 0.
    right : array, shape (n, k, m)
        Products of the columns with k targets each.
    n_free : int
        How many of the unknowns come first and may be negative.
    passive : array of bool, shape (n, k, m - n_free), optional
        Unknowns that are positive in a solution nearby.

    Returns
    -------
    x : array, shape (n, k, m)
        NaN where the products are not finite. Zeros are exact.
    passive : array of bool, shape (n, k, m - n_free)
        Unknowns that are positive.
    """
    if passive is None:
        passive = jnp.zeros((*right.shape[:2], right.shape[2] - n_free), bool)
    if forms.together():
        return _solved(products, right, n_free, passive)
    # Each ends on its own, and the kernels for a CPU get one matrix at a time (mangrove.spectra.fit.batched.factors).
    n, k, m = right.shape
    alone = (values.reshape(-1, 1, 1, values.shape[-1]) for values in (right, passive))
    same = jnp.broadcast_to(products[:, None, None], (n, k, 1, m, m)).reshape(-1, 1, m, m)
    x, passive = jax.lax.map(lambda one: _solved(one[0], one[1], n_free, one[2]), (same, *alone))
    return x.reshape(n, k, m), passive.reshape(n, k, m - n_free)


def nonnegative_from(products, slope, near, n_free: int, passive) -> tuple[jax.Array, jax.Array]:
    """Unknowns of normal equations, the first of which may be negative, and which of the others are positive.

    Whatever the precision of the products, they are solved in double precision.

    Parameters
    ----------
    slope : array, shape (n, m)
        Products of the columns with what is left of the data at ``near``, shape (n, m).
    """
    given = products.dtype
    products, slope, near = (values.astype(float) for values in (products, slope, near))
    if given != products.dtype:
        # Rounding must not make them indefinite; the solution stays, since it counts from what is near.
        i = np.arange(products.shape[1])
        products = products.at[:, i, i].multiply(1.0 + _RIDGE_IN_SINGLE)
    right = slope + jnp.einsum("nij,nj->ni", products, near)
    y, passive = nonnegative(products, right[:, None], n_free, passive[:, None])
    return y[:, 0].astype(given), passive[:, 0]


def _solved(products, right, n_free: int, passive) -> tuple[jax.Array, jax.Array]:
    length = jnp.sqrt(jnp.diagonal(products, axis1=1, axis2=2))
    length = jnp.where(length > 0.0, length, 1.0)
    scaled = products / (length[:, :, None] * length[:, None])
    diagonal = jnp.where(jnp.diagonal(scaled, axis1=1, axis2=2) == 0.0, 1.0, RIDGE)
    scaled = scaled + diagonal[:, :, None] * jnp.eye(length.shape[1])[None]
    right = right / length[:, None]
    size = jnp.maximum(jnp.max(jnp.abs(right), axis=2, keepdims=True), np.finfo(float).tiny)
    right = right / size
    if n_free:
        keep, scaled, right = _without(scaled, right, n_free)
    if forms.together():
        passive = positive_near(scaled, right * size, passive)
    x = _pivoted(scaled, right, passive)
    passive = x > 0.0
    if n_free:
        x = jnp.concatenate([_free(keep, x), x], axis=2)
    return x * size / length[:, None], passive


def _without(products, right, k: int):
    """The problem of the others with the first k unknowns eliminated, and what gives these."""
    factor = jnp.linalg.cholesky(products[:, :k, :k])
    cross = solve_triangular(factor, products[:, :k, k:], lower=True)
    own = solve_triangular(factor, jnp.swapaxes(right[..., :k], 1, 2), lower=True)
    rest = products[:, k:, k:] - jnp.einsum("nki,nkj->nij", cross, cross)
    return (factor, cross, own), rest, right[..., k:] - jnp.einsum("nkt,nki->nti", own, cross)


def _free(keep, x) -> jax.Array:
    factor, cross, own = keep
    rest = own - jnp.einsum("nki,nti->nkt", cross, x)
    return jnp.swapaxes(solve_triangular(factor, rest, lower=True, trans=1), 1, 2)


def _pivoted(products, right, passive) -> jax.Array:
    n, k, m = right.shape
    products = jnp.broadcast_to(products[:, None], (n, k, m, m)).reshape(-1, m, m)
    right, passive = right.reshape(-1, m), passive.reshape(-1, m)

    def is_going(state: _Pivoting):
        return (state.round < _ROUNDS) & jnp.any(state.going)

    def advance(state: _Pivoting):
        solved = _on(state.passive, products, right)
        slope = right - jnp.einsum("nij,nj->ni", products, solved)
        wrong = jnp.where(state.passive, solved < 0.0, slope > _SLOPE_TOLERANCE)
        number = jnp.sum(wrong, axis=1, dtype=jnp.int32)
        careful, fewer = state.patience < 0, number < state.fewest
        patience = jnp.where(careful, -1, jnp.where(fewer, _PATIENCE, state.patience - 1))
        passive, x, stuck = _careful_step(state.passive, solved, slope, state.x)
        going = state.going & (number > 0) & ~(careful & stuck)
        feasible = state.passive & (solved > 0.0)
        x = jnp.where(careful[:, None], x, jnp.where(feasible, solved, 0.0))
        quick = jnp.where((patience < 0)[:, None], feasible, state.passive ^ wrong)
        passive = jnp.where(careful[:, None], passive, quick)
        return _Pivoting(
            jnp.where(going[:, None], passive, state.passive),
            solved,
            jnp.where(going[:, None], x, state.x),
            jnp.minimum(number, state.fewest),
            patience,
            going,
            state.round + 1,
        )

    count = jnp.full(len(right), m + 1, jnp.int32)
    nothing = jnp.zeros_like(right)
    start = _Pivoting(passive, nothing, nothing, count, jnp.full_like(count, _PATIENCE), count > 0, jnp.int32(0))
    state = jax.lax.while_loop(is_going, advance, start)
    ends_inside = jnp.any(state.passive & (state.solved < 0.0), axis=1, keepdims=True)
    x = jnp.where(ends_inside, state.x, jnp.maximum(state.solved, 0.0))
    return x.reshape(n, k, m)


def _careful_step(passive, solved, slope, x) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Passive unknowns after a step towards the solution that ends at zero, the place, and whether rounding forbids it."""
    negative = passive & (solved < 0.0)
    ends = jnp.any(negative, axis=1, keepdims=True)
    ratio = jnp.where(negative, x / jnp.where(negative, x - solved, 1.0), jnp.inf)
    part = jnp.minimum(jnp.min(ratio, axis=1, keepdims=True), 1.0)
    leaves = negative & (ratio <= part)
    there = jnp.where(passive & ~leaves, x + part * (solved - x), 0.0)
    slope = jnp.where(passive, -jnp.inf, slope)
    enters = (slope == jnp.max(slope, axis=1, keepdims=True)) & (slope > _SLOPE_TOLERANCE) & ~ends
    # Rounding can make an unknown negative as soon as it enters: then nothing is to be gained from it.
    return (passive & ~leaves) | enters, there, (ends & (part == 0.0))[:, 0]


def _on(passive, products, right) -> jax.Array:
    """Solution with the unknowns that are passive, 0 for the others."""
    both = passive[:, :, None] & passive[:, None]
    factor = jnp.linalg.cholesky(jnp.where(both, products, jnp.eye(passive.shape[1])[None]))
    return cho_solve((factor, True), jnp.where(passive, right, 0.0)[..., None])[..., 0]
