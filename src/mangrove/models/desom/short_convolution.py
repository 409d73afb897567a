"""Convolutions of few taps by fewer products (Toom 1963, Cook 1966; Winograd 1980, "Arithmetic Complexity of Computations").

m neighbouring outputs of r taps are a product of polynomials in disguise, which m + r - 1 of its values fix: as many
products of matrices instead of m r. Four outputs of six taps take 9 instead of 24.
"""

from fractions import Fraction
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

#: Where the polynomials are taken, beside infinity: small numbers and powers of two, which cost no accuracy.
_POINTS = tuple(Fraction(p) for p in ("0", "1", "-1", "1/2", "-1/2", "2", "-2", "4"))


def convolve_places(x: jax.Array, kernel: jax.Array, reach: tuple[int, int]) -> list[jax.Array]:
    """Convolution with zero padding as m arrays of shape (n, length / m, n_out): the outputs at place i of every m.

    m is 4 or 2 where the length is a multiple of it and the taps are not too many, else 1. Float32 keeps its accuracy
    to some 1e-6 of the largest output.

    Parameters
    ----------
    x : Array, shape (n, length, n_in)
    kernel : Array, shape (n_tap, n_in, n_out)
    reach : tuple of int
        Places to the left and to the right that an output sees; with its own as many as taps.
    """
    (n, length, n_in), (n_tap, _, n_out) = x.shape, kernel.shape
    m = next(m for m in (4, 2, 1) if length % m == 0 and (m == 1 or m + n_tap - 2 <= len(_POINTS)))
    n_block, n_value = length // m, m + n_tap - 1
    after = (n_block + -(-n_value // m) - 1) * m - length - reach[0]
    padded = jnp.pad(x, ((0, 0), (reach[0], max(after, 0)), (0, 0)))
    # Without the barrier every window would pad the whole again.
    blocks = jax.lax.optimization_barrier(padded).reshape(n, -1, m, n_in)
    windows = [blocks[:, j // m : j // m + n_block, j % m].reshape(-1, n_in) for j in range(n_value)]
    of_outputs, of_kernel, of_inputs = _transforms(m, n_tap)
    weights = jnp.einsum("kt,tio->kio", jnp.asarray(of_kernel, kernel.dtype), kernel, precision="highest")
    products = [_combined(row, windows) @ weights[k] for k, row in enumerate(of_inputs)]
    return [_combined(row, products).reshape(n, n_block, n_out) for row in of_outputs]


def _combined(coefficients: np.ndarray, arrays: list[jax.Array]) -> jax.Array:
    """Sum of arrays with coefficients, those of 0 left out."""
    terms = [array * jnp.asarray(c, array.dtype) for c, array in zip(coefficients, arrays, strict=True) if c]
    return sum(terms[1:], terms[0])


@lru_cache(maxsize=16)
def _transforms(m: int, n_tap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, shape (m, n), G, (n, n_tap), and B, (n, n), n = m + n_tap - 1: outputs are A [(G taps) (B inputs)].

    The linear convolution of a and g is V^-1 [(V_m a) (V_r g)], V the values of powers at the points. Its transpose in a
    is what a network calls a convolution: A = V_m', G = V_r, B = (V^-1)'.
    """
    n = m + n_tap - 1
    if m == 1:
        return np.ones((1, n)), np.eye(n), np.eye(n)
    of_outputs, of_kernel = (np.array(_values(n, size), float) for size in (m, n_tap))
    of_inputs = np.array(_inverse(_values(n, n)), float).T
    # Powers of two, which cost no accuracy, take the rows of A and B to a size near 1.
    for side in (of_outputs, of_inputs):
        size = 2.0 ** np.round(np.log2(np.abs(side).max(axis=1)))[:, None]
        side /= size
        of_kernel *= size
    return of_outputs.T, of_kernel, of_inputs


def _values(n: int, size: int) -> list[list[Fraction]]:
    """The first powers at n - 1 points, and what remains of them at infinity."""
    at_infinity = [Fraction(0)] * (size - 1) + [Fraction(1)]
    return [[point**power for power in range(size)] for point in _POINTS[: n - 1]] + [at_infinity]


def _inverse(matrix: list[list[Fraction]]) -> list[list[Fraction]]:
    """By Gauss and Jordan, without rounding."""
    n = len(matrix)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(matrix)]
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(n):
            if i != column:
                rows[i] = [a - rows[i][column] * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[n:] for row in rows]
