"""Least squares with unknowns that are free and others that are not negative, from normal equations, for a batch.

Block principal pivoting (Kim & Park 2011, SIAM J. Sci. Comput. 33, 3261, algorithm 2, after Judice & Pires 1994): a guess says which
unknowns are positive; where the solution with these is negative, or the gradient of another one asks for it, all of
those change sides at once. If that does not lessen their number, only the last of them changes, which ends always. From
the solution of a similar problem it takes one to three rounds.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular

#: Added to the squared lengths of the columns, all 1, so that rounding leaves their products positive definite.
RIDGE = 1e-12
#: An unknown becomes positive where the slope, over the largest of all at zero, exceeds this.
_SLOPE_TOLERANCE = 1e-12
#: Rounds in which all change sides though their number does not fall, before one of them does; most rounds.
_PATIENCE, _ROUNDS = 3, 300


class _Pivoting(NamedTuple):
    """Problems on their way, arrays over them.

    Attributes
    ----------
    passive : array of bool, shape (n, m)
        Unknowns that the guess takes for positive.
    solved, slope : array, shape (n, m)
        Solution with these, of any sign, and the slope there.
    wrong : array of bool, shape (n, m)
        Unknowns that are on the wrong side; none when the problem is done.
    x : array, shape (n, m)
        Where the careful way is: not negative.
    fewest, patience : array of int, shape (n,)
        The fewest that were wrong so far; rounds left to the quick way, below 0 on the careful one.
    round : int
    """

    passive: jax.Array
    solved: jax.Array
    slope: jax.Array
    wrong: jax.Array
    x: jax.Array
    fewest: jax.Array
    patience: jax.Array
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
    if passive is None:
        passive = jnp.zeros(right.shape, bool)
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

    def judged(passive):
        solved = _on(passive, products, right)
        slope = right - jnp.einsum("nij,nj->ni", products, solved)
        return solved, slope, jnp.where(passive, solved < 0.0, slope > _SLOPE_TOLERANCE)

    def is_going(state: _Pivoting):
        return (state.round < _ROUNDS) & jnp.any(state.wrong)

    def advance(state: _Pivoting):
        number = jnp.sum(state.wrong, axis=1, dtype=jnp.int32)
        was_careful, fewer = state.patience < 0, number < state.fewest
        patience = jnp.where(was_careful, -1, jnp.where(fewer, _PATIENCE, state.patience - 1))
        feasible = state.passive & (state.solved > 0.0)
        passive, x, stuck = _careful_step(state)
        x = jnp.where(was_careful[:, None], x, jnp.where(feasible, state.solved, 0.0))
        quick = jnp.where((patience < 0)[:, None], feasible, state.passive ^ state.wrong)
        passive = jnp.where(was_careful[:, None], passive, quick)
        solved, slope, wrong = judged(passive)
        wrong = wrong & ~(was_careful & stuck)[:, None]
        return _Pivoting(passive, solved, slope, wrong, x, jnp.minimum(number, state.fewest), patience, state.round + 1)

    count = jnp.full(len(right), m + 1, jnp.int32)
    patience = jnp.full_like(count, _PATIENCE)
    start = _Pivoting(passive, *judged(passive), jnp.zeros_like(right), count, patience, jnp.int32(0))
    state = jax.lax.while_loop(is_going, advance, start)
    ends_inside = jnp.any(state.passive & (state.solved < 0.0), axis=1, keepdims=True)
    x = jnp.where(ends_inside, state.x, jnp.maximum(state.solved, 0.0))
    return x.reshape(n, k, m)


def _careful_step(state: _Pivoting) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Passive unknowns after a step towards the solution that ends at zero, the place, and whether rounding forbids it."""
    negative = state.passive & (state.solved < 0.0)
    ends = jnp.any(negative, axis=1, keepdims=True)
    ratio = jnp.where(negative, state.x / jnp.where(negative, state.x - state.solved, 1.0), jnp.inf)
    part = jnp.minimum(jnp.min(ratio, axis=1, keepdims=True), 1.0)
    leaves = negative & (ratio <= part)
    x = jnp.where(state.passive & ~leaves, state.x + part * (state.solved - state.x), 0.0)
    slope = jnp.where(state.passive, -jnp.inf, state.slope)
    enters = (slope == jnp.max(slope, axis=1, keepdims=True)) & (slope > _SLOPE_TOLERANCE) & ~ends
    # Rounding can make an unknown negative as soon as it enters: then nothing is to be gained from it.
    return (state.passive & ~leaves) | enters, x, (ends & (part == 0.0))[:, 0]


def _on(passive, products, right) -> jax.Array:
    """Solution with the unknowns that are passive, 0 for the others."""
    both = passive[:, :, None] & passive[:, None]
    factor = jnp.linalg.cholesky(jnp.where(both, products, jnp.eye(passive.shape[1])[None]))
    return cho_solve((factor, True), jnp.where(passive, right, 0.0)[..., None])[..., 0]
