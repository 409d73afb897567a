"""UMAP that gives the same map whenever it is given the same data, parameters and seed (McInnes et al. 2018)."""

from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from umap import UMAP


def fitted_umap(x: np.ndarray, dimensions: int, neighbours: int, min_dist: float, seed: int) -> "UMAP":
    """A UMAP of some rows; ``embedding_`` are their places, ``transform`` places others.

    One thread does all of it: with several, the order of additions and with it the map would differ from run to run.

    Parameters
    ----------
    x : ndarray, shape (n, n_feature)
        Finite; features on comparable scales.
    dimensions : int
        Of the map.
    neighbours : int
        Neighbours of a row that shape its surroundings, itself included; below n.
    min_dist : float
        Smallest distance between places.
    seed : int
        In [0, 2^32).
    """
    from umap import UMAP  # takes seconds to import

    with threadpool_limits(1):
        settings = {"n_components": dimensions, "n_neighbors": neighbours, "min_dist": min_dist}
        return UMAP(**settings, random_state=seed, n_jobs=1).fit(x)
