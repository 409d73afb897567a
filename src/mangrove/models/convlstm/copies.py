"""The copies of line cubes that the autoencoders are trained on: flips, turns, shifts and noise, drawn once for a run."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Copy(NamedTuple):
    """What makes copies of cubes, named as the datasets of the artefact 'augmentation'.

    Attributes
    ----------
    flip : array of int
        1 where columns are reversed.
    quarter_turns : array of int
        0 to 3 turns by 90 degrees, rows towards columns, as ``numpy.rot90`` over the axes (y, x).
    shift_y, shift_x : array of int
        Spaxels towards higher rows and columns.
    noise_seed : array of uint32
        Seed of the added noise; 0 for none.
    """

    flip: ArrayLike
    quarter_turns: ArrayLike
    shift_y: ArrayLike
    shift_x: ArrayLike
    noise_seed: ArrayLike


def draw_copies(plateifu: Sequence[str], copies: int, max_shift: int, noise_scale: float, seed: int) -> Copy:
    """Draw the copies of each galaxy's cube; a galaxy's depend on the seed and its name, not on the other galaxies.

    Flip, turns (0 to 3) and shifts (within ``max_shift``) are uniform and independent. More copies leave the first ones
    as they are.

    Parameters
    ----------
    plateifu : sequence of str
    copies : int
        Random copies of each.
    max_shift : int
        Largest shift along each axis, spaxels.
    noise_scale : float
        0 for copies without noise.
    seed : int

    Returns
    -------
    Copy
        Arrays of shape (n, 1 + copies); copy 0 is the cube itself.
    """
    drawn = np.zeros((len(plateifu), 1 + copies, len(Copy._fields)), np.int64)
    for row, name in zip(drawn, plateifu, strict=True):
        rng = _generator(seed, name)
        for copy in row[1:]:
            shifts = rng.integers(-max_shift, max_shift, 2, endpoint=True)
            copy[...] = [rng.integers(2), rng.integers(4), *shifts, rng.integers(1, 2**32)]
    flip, turns, shift_y, shift_x, noise_seed = np.moveaxis(drawn, -1, 0)
    noise_seed = noise_seed if noise_scale else np.zeros_like(noise_seed)
    return Copy(
        flip.astype(np.int8),
        turns.astype(np.int8),
        shift_y.astype(np.int16),
        shift_x.astype(np.int16),
        noise_seed.astype(np.uint32),
    )


def _generator(seed: int, plateifu: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed} {plateifu} copies".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
