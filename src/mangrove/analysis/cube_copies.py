"""Whether the latents of a cube and of its flips and turns lie together."""

from collections.abc import Callable

import numpy as np

from mangrove.analysis.nearest import mean_or_nan, nearest
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import flips_of

#: Galaxies whose copies are encoded, at most, and cubes encoded at a time.
MOST_GALAXIES, _BLOCK = 500, 16


def chosen_galaxies(n: int, seed: int) -> np.ndarray:
    """Indices of the galaxies whose copies are looked at: all, or :data:`MOST_GALAXIES` of them at random, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:MOST_GALAXIES])


def latents_of_copies(encode: Callable[[Cubes], np.ndarray], cubes: LineCubes, rows: np.ndarray) -> np.ndarray:
    """Latents of the 8 flips and quarter turns of cubes, shape (n, 8, n_latent).

    Parameters
    ----------
    encode : callable
        Latents of cubes, shape (m, n_latent).
    cubes : LineCubes
        Of the lines that the network sees.
    rows : ndarray of int, shape (n,)
        Galaxies, at least one.
    """
    blocks = np.split(rows, range(_BLOCK, len(rows), _BLOCK))
    return np.concatenate([np.stack([*map(encode, flips_of(cubes.read(block)))], axis=1) for block in blocks])


def copies_among_neighbours(latent: np.ndarray) -> float:
    """Mean fraction of the 7 other copies of a cube among the first 7 neighbours of each copy; NaN without latents.

    The copies of all galaxies lie together; by chance the fraction would be 7 / (8 n - 1).

    Parameters
    ----------
    latent : ndarray, shape (n, 8, n_latent)
        NaN for a galaxy without latents.
    """
    n, n_copy, n_latent = latent.shape
    found = nearest(latent.reshape(n * n_copy, n_latent), n_copy - 1).index
    own = np.arange(n * n_copy)[:, None] // n_copy
    fraction = np.mean((found >= 0) & (found // n_copy == own), axis=1)
    return mean_or_nan(fraction[(found >= 0).any(axis=1)])
