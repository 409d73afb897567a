"""Two-dimensional maps in which neighbours are alike (UMAP)."""

import numpy as np

from mangrove.analysis.seeded_umap import fitted_umap

#: Rows that a map is made of, at most, and at least.
MOST_ROWS, LEAST_ROWS = 5000, 200
#: With fewer rows more neighbours join what would be islands.
_FEW, _NEIGHBOURS = 2000, 30


def umap_coordinates(features: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """2-D UMAP of a random part of the rows, features scaled to their standard deviations and outliers limited.

    Parameters
    ----------
    features : ndarray, shape (n, n_feature)
        At least :data:`LEAST_ROWS` rows make a map worth looking at.
    seed : int

    Returns
    -------
    rows : ndarray of int, shape (m,)
        At most :data:`MOST_ROWS`, in random order.
    place : ndarray, shape (m, 2)
    """
    rows = np.random.default_rng(seed).permutation(len(features))[:MOST_ROWS]
    x = features[rows]
    low, high = np.percentile(x, [0.5, 99.5], axis=0)
    x = (np.clip(x, low, high) - np.median(x, axis=0)) / x.std(axis=0)
    few = len(x) < _FEW
    neighbours = min(_NEIGHBOURS * _FEW // len(x), len(x) // 2) if few else _NEIGHBOURS
    return rows, fitted_umap(x, 2, neighbours, 0.5 if few else 0.1, seed).embedding_
