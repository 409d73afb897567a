"""The flips and quarter turns of square images."""

from collections.abc import Iterator
from typing import TypeVar

import jax
import numpy as np

from mangrove.models.convlstm.cubes import Cubes

#: Flips and quarter turns of a square, the square itself among them.
N_DIHEDRAL = 8

_Array = TypeVar("_Array", np.ndarray, jax.Array)


def dihedral(x: _Array, k: int) -> _Array:
    """One of the 8 flips and quarter turns of images.

    Parameters
    ----------
    x : array, shape (..., size, size)
        Of NumPy or JAX.
    k : int
        0 to 7: k % 4 quarter turns, from 4 on after a flip (columns reversed); 0 leaves the images as they are.

    Returns
    -------
    array, shape (..., size, size)
    """
    if k >= N_DIHEDRAL // 2:
        x = x[..., ::-1]
    if k % 2:
        x = x.swapaxes(-1, -2)[..., ::-1, :]
    return x[..., ::-1, ::-1] if k % 4 >= 2 else x


def flips_of(cubes: Cubes) -> Iterator[Cubes]:
    """The 8 flips and quarter turns of cubes, in the order of :func:`dihedral`, the cubes themselves first."""
    for k in range(N_DIHEDRAL):
        yield Cubes(*(dihedral(values, k) for values in cubes))
