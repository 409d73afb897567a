"""Copies of line cubes: flipped, then turned, then shifted, then noise added; drawn once, made in every training step."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

#: Flips and quarter turns of a square, the square itself among them.
N_DIHEDRAL = 8

Array = TypeVar("Array", np.ndarray, jax.Array)


class Copy(NamedTuple):
    """What makes copies of cubes, named as the datasets of the artefact 'augmentation'.

    Attributes
    ----------
    flip : int array
        1 where columns are reversed.
    quarter_turns : int array
        0 to 3 turns by 90 degrees, rows towards columns, as :func:`numpy.rot90` over the axes (y, x).
    shift_y, shift_x : int array
        Spaxels towards higher rows and columns.
    noise_seed : array of uint32
        Seed of the added noise; 0 for none.
    """

    flip: np.ndarray | jax.Array
    quarter_turns: np.ndarray | jax.Array
    shift_y: np.ndarray | jax.Array
    shift_x: np.ndarray | jax.Array
    noise_seed: np.ndarray | jax.Array


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


def augmented(
    flux: jax.Array, ivar: jax.Array, valid: jax.Array, copy: Copy, noise_scale: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Make one copy of each cube of a batch.

    What a shift brings in is invalid (flux and ivar 0): nothing wraps around. The noise is Gaussian, independent in each
    spaxel and wavelength pixel, of variance noise_scale^2 / ivar, and ivar becomes 1 / (1 / ivar + noise_scale^2 / ivar).
    It depends on ``noise_seed`` and on the shape of a cube alone, so that a copy is the same in every epoch and every
    batch, and ``mangrove augment`` can write out what the networks were trained on.

    Parameters
    ----------
    flux, ivar : Array of float32, shape (n, line, pixel, size, size)
        Flux, and its inverse variance; 0 where invalid.
    valid : Array of bool, same shape
    copy : Copy
        Arrays of shape (n,).
    noise_scale : float
        Standard deviation of the added noise over that of the cube's own; a plain number, no traced one.

    Returns
    -------
    flux, ivar, valid : Array
        As given, of the copies.
    """
    flux, ivar, valid = (_moved(values, copy) for values in (flux, ivar, valid))
    if noise_scale == 0:
        return flux, ivar, valid
    scale = jnp.where(_of_cubes(copy.noise_seed > 0) & valid, jnp.float32(noise_scale), jnp.float32(0))
    error = jax.lax.rsqrt(jnp.where(ivar > 0, ivar, jnp.float32(jnp.inf)))
    return flux + scale * error * _standard_noise(copy.noise_seed, flux.shape[1:]), ivar / (1 + scale**2), valid


def dihedral(x: Array, k: int) -> Array:
    """One of the 8 flips and quarter turns of images.

    Parameters
    ----------
    x : Array, shape (..., size, size)
        Of NumPy or JAX.
    k : int
        0 to 7: k % 4 quarter turns, from 4 on after a flip (columns reversed); 0 leaves the images as they are.

    Returns
    -------
    Array, shape (..., size, size)
    """
    if k >= N_DIHEDRAL // 2:
        x = x[..., ::-1]
    if k % 2:
        x = x.swapaxes(-1, -2)[..., ::-1, :]
    return x[..., ::-1, ::-1] if k % 4 >= 2 else x


def _moved(x: jax.Array, copy: Copy) -> jax.Array:
    """Arrays of cubes, flipped, turned and shifted; 0 or False where nothing comes in."""
    x = jnp.where(_of_cubes(copy.flip > 0), dihedral(x, 4), x)
    for k in (1, 2):
        x = jnp.where(_of_cubes((copy.quarter_turns & k) > 0), dihedral(x, k), x)
    shifts = [jnp.asarray(shift, jnp.int32) for shift in (copy.shift_y, copy.shift_x)]
    # One batched roll takes 0.6 of the time that a loop over the cubes takes on a CPU.
    rolled = jax.vmap(lambda cube, y, x: jnp.roll(cube, (y, x), (-2, -1)))(x, *shifts)
    rows, columns = (_from_inside(shift, x.shape[-1]) for shift in shifts)
    return jnp.where(rows[:, None, None, :, None] & columns[:, None, None, None, :], rolled, jnp.zeros((), x.dtype))


def _from_inside(shift: jax.Array, size: int) -> jax.Array:
    """Whether each place along an axis holds what was within the cube before the shift, shape (n, size)."""
    before = jnp.arange(size)[None] - shift[:, None]
    return (before >= 0) & (before < size)


def _standard_noise(seeds: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal deviates, shape (n, \\*shape), a seed for each of the n."""
    return jax.vmap(lambda seed: jax.random.normal(jax.random.key(seed), shape, jnp.float32))(seeds)


def _of_cubes(values: jax.Array) -> jax.Array:
    """One value a cube, to be used with the cubes."""
    return jnp.asarray(values)[:, None, None, None, None]


def _generator(seed: int, plateifu: str) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed} {plateifu} copies".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
