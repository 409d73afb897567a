"""Triangular factors of many matrices, without the deadlock that they can end in on a CPU.

JAX's kernels for a CPU (jaxlib 0.10) divide a batch of matrices among the threads of a pool, and wait for these in a thread of
the same pool: as many such calls at a time as there are threads wait for each other for ever. A call for a single matrix
starts no others, so on a CPU matrices come one by one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

#: Added to the squared lengths of the columns, all 1, so that rounding leaves their products positive definite.
RIDGE = 1e-12


def cholesky(matrices) -> jax.Array:
    """Lower triangular factors, shape (..., m, m); NaN where a matrix is not positive definite."""
    return _one_by_one(jnp.linalg.cholesky, matrices)


def solve_lower(lower, right, *, transposed: bool = False) -> jax.Array:
    """Solutions of lower triangular systems, or of their transposes.

    Parameters
    ----------
    lower : array, shape (..., m, m)
    right : array, shape (..., m, k)
    """
    return _one_by_one(lambda a, b: solve_triangular(a, b, lower=True, trans=int(transposed)), lower, right)


def solve_factored(lower, right) -> jax.Array:
    """Solutions of positive definite systems from their factors; shapes as in :func:`solve_lower`."""
    return solve_lower(lower, solve_lower(lower, right), transposed=True)


def _one_by_one(function: Callable, *arrays) -> jax.Array:
    front = arrays[0].shape[:-2]
    flat = [values.reshape(-1, *values.shape[-2:]) for values in arrays]

    def in_turn(*flat) -> jax.Array:
        return jax.lax.map(lambda rows: function(*rows), flat)

    found = jax.lax.platform_dependent(*flat, cpu=in_turn, default=jax.vmap(function))
    return found.reshape(*front, *found.shape[-2:])
