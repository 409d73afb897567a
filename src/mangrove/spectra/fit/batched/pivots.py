"""Least squares with unknowns that are not negative, for many targets that differ little.

Principal pivoting (Cottle, Pang & Stone 1992, The Linear Complementarity Problem, chapter 4) on a tableau that says how the
positive unknowns and the slopes of the others follow from the rest. The first tableau, that of a solution nearby, serves
all targets of a problem; each then takes ten or twenty exchanges of a single unknown, which cost a product of two vectors
each, where :mod:`mangrove.spectra.fit.batched.nonnegative` factorises its matrix for each guess.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mangrove.spectra.fit.batched.factors import RIDGE, cholesky, solve_factored

#: An unknown is negative below this, and comes in where that lowers chi2 by more than this, for columns of length 1 and
#: targets of unit errors.
_TOLERANCE, _LEAST_GAIN = 1e-6, 1e-4
#: One whose column is others' to rounding (this is the square of what is left of it) stays out.
_LEAST_LENGTH = 1e-11
#: Exchanges, over the number of unknowns, after which the last that is wrong changes instead of the one that gains most
#: (Murty 1974, Linear Algebra Appl. 7, 65); most of them.
_LARGEST_GAIN, _MOST = 1, 4


class _Tableaus(NamedTuple):
    """Dictionaries of linear complementarity problems, arrays over them.

    Attributes
    ----------
    matrix : array, shape (n, m, m)
    diagonal : array, shape (n, m)
        Of the matrix.
    value : array, shape (n, m)
        Of the unknowns that are in, and of the slopes of those that are not.
    inside : array of bool, shape (n, m)
    round : array of int
    """

    matrix: jax.Array
    diagonal: jax.Array
    value: jax.Array
    inside: jax.Array
    round: jax.Array


def nonnegative_near(products, right, n_free: int, inside) -> jax.Array:
    """Minimum of x' products x / 2 - right' x, where all but the first unknowns are not negative.

    Parameters
    ----------
    products : array, shape (n, m, m)
        Products of the columns with each other, in units of the errors. A column of zeros gets 0.
    right : array, shape (n, k, m)
        Products of the columns with k targets each.
    n_free : int
        How many of the unknowns come first and may be negative.
    inside : array of bool, shape (n, m)
        Unknowns that are not zero in a solution nearby, all of the free ones among them.

    Returns
    -------
    array, shape (n, k, m)
    """
    length = jnp.sqrt(jnp.diagonal(products, axis1=1, axis2=2))
    known = length > 0.0
    length = jnp.where(known, length, 1.0)
    scaled = products / (length[:, :, None] * length[:, None])
    scaled = scaled + jnp.where(known, RIDGE, 1.0)[:, :, None] * jnp.eye(length.shape[1])[None]
    end = _descended(_start(scaled, right / length[:, None], inside), n_free, _MOST * length.shape[1])
    x = jnp.where(end.inside, end.value, 0.0)
    x = jnp.where(_is_bounded(end, n_free), jnp.maximum(x, 0.0), x)
    return x.reshape(right.shape) / length[:, None]


def positive_near(products, right, positive) -> jax.Array:
    """Nearly those unknowns that are positive at the minimum of x' products x / 2 - right' x, where none is negative.

    Parameters
    ----------
    products : array, shape (n, m, m)
        Products of columns of length 1 with each other, positive definite.
    right : array, shape (n, k, m)
        Products of the columns with k targets each, in units of the errors.
    positive : array of bool, shape (n, k, m)
        Unknowns that are positive in a solution nearby.

    Returns
    -------
    array of bool, shape (n, k, m)
    """
    m = products.shape[1]
    each = jnp.broadcast_to(products[:, None], (*right.shape, m)).reshape(-1, m, m)
    end = _descended(_start(each, right.reshape(-1, 1, m), positive.reshape(-1, m)), 0, m)
    return end.inside.reshape(right.shape)


def _start(products, right, inside) -> _Tableaus:
    """With the unknowns of the solution nearby inside."""
    _, k, m = right.shape
    unit = jnp.broadcast_to(jnp.eye(m), products.shape)
    both, none = inside[:, :, None] & inside[:, None], ~inside[:, :, None] & ~inside[:, None]
    lower = cholesky(jnp.where(both, products, unit))
    inverse = jnp.where(both, solve_factored(lower, unit), 0.0)
    along = jnp.einsum("nij,njl->nil", inverse, products)
    rest = products - jnp.einsum("nij,njl->nil", products, along)
    mixed = jnp.where(inside[:, :, None], -along, jnp.swapaxes(along, 1, 2))
    matrix = jnp.where(both, inverse, jnp.where(none, rest, mixed))
    x = jnp.einsum("nij,nkj->nki", inverse, right)
    value = jnp.where(inside[:, None], x, jnp.einsum("nij,nkj->nki", products, x) - right)
    diagonal = jnp.diagonal(matrix, axis1=1, axis2=2)
    matrix, diagonal, inside = (jnp.repeat(values, k, axis=0) for values in (matrix, diagonal, inside))
    return _Tableaus(matrix, diagonal, value.reshape(-1, m), inside, jnp.int32(0))


def _is_bounded(tableaus: _Tableaus, n_free: int) -> jax.Array:
    return (jnp.arange(tableaus.value.shape[1]) >= n_free)[None]


def _descended(start: _Tableaus, n_free: int, most: int) -> _Tableaus:
    """Tableaus in which no unknown is on the wrong side, or which have had the most exchanges."""
    m = start.value.shape[1]

    def wrong(now: _Tableaus) -> jax.Array:
        gains = now.value**2 > _LEAST_GAIN * now.diagonal
        comes_in = (now.value < 0.0) & (now.diagonal > _LEAST_LENGTH) & gains
        return _is_bounded(now, n_free) & jnp.where(now.inside, now.value < -_TOLERANCE, comes_in)

    def is_going(now: _Tableaus) -> jax.Array:
        return jnp.any(wrong(now)) & (now.round < most)

    def exchanged(now: _Tableaus) -> _Tableaus:
        is_wrong = wrong(now)
        gain = jnp.where(is_wrong, now.value**2 / jnp.abs(now.diagonal), -1.0)
        last = m - 1 - jnp.argmax(is_wrong[:, ::-1], axis=1)
        i = jnp.where(now.round < _LARGEST_GAIN * m, jnp.argmax(gain, axis=1), last)[:, None]
        row = jnp.take_along_axis(now.matrix, i[:, :, None], axis=1)[:, 0]
        at = jnp.arange(m)[None] == i
        pivot, value, side = (
            jnp.take_along_axis(values, i, axis=1) for values in (now.diagonal, now.value, now.inside)
        )
        # The matrix is symmetric among those on one side, and antisymmetric between the sides.
        column = jnp.where(now.inside == side, row, -row) + jnp.where(at, 1.0, 0.0)
        any_wrong = jnp.any(is_wrong, axis=1, keepdims=True)
        row = jnp.where(any_wrong, (row - jnp.where(at, 1.0, 0.0)) / pivot, 0.0)
        return _Tableaus(
            now.matrix - column[:, :, None] * row[:, None],
            now.diagonal - column * row,
            now.value - jnp.where(any_wrong, column * value / pivot, 0.0),
            now.inside ^ (at & any_wrong),
            now.round + 1,
        )

    return jax.lax.while_loop(is_going, exchanged, start)
