"""The nearest neighbours of a galaxy among those of an autoencoder."""

from typing import NamedTuple

import numpy as np

from mangrove.explorer.explored_run import ExploredRun
from mangrove.notebook.latent_space import SPACES

#: The spaces for readers.
SPACE_TITLES = dict(
    zip(SPACES, ("latents", "latents, whatever the cube's orientation", "map in three dimensions (UMAP)"), strict=True)
)


class Alike(NamedTuple):
    """Neighbours of a galaxy, nearest first.

    Attributes
    ----------
    galaxy : ndarray of int, shape (n,)
        Indices of the neighbours.
    distance : ndarray of float32, shape (n,)
        Euclidean.
    """

    galaxy: np.ndarray
    distance: np.ndarray


def galaxies_alike(run: ExploredRun, network: str, space: str, galaxy: int | None) -> Alike:
    """The neighbours that the run keeps of a galaxy; none of no galaxy, or in a run without neighbours."""
    none = Alike(np.empty(0, int), np.empty(0, np.float32))
    if galaxy is None or not run.path("neighbours", network=network).is_file():
        return none
    own = slice(galaxy, galaxy + 1)
    found = run.rows("neighbours", f"{space}_neighbour", own, network=network)[0]
    distance = run.rows("neighbours", f"{space}_distance", own, network=network)[0]
    return Alike(found[found >= 0], distance[found >= 0])
