"""Measures of a self-organising map: how near, how ordered, how smooth, how evenly used (docs/desom.md).

Nodes are numbered row by row: node k stands at row k // columns, column k % columns. Nothing here knows what is mapped.
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

#: Neighbours whose order :func:`trustworthiness` and :func:`neighbourhood_preservation` judge, and members of a sample
#: for them: the ranks of n members take memory for a few n^2 numbers.
N_NEIGHBOUR, N_RANKED = 20, 2000


def quantisation_error(distance) -> float:
    """Mean distance of the members, shape (n,), from their best-matching units (Kohonen 2001, section 3.13); NaN without any."""
    return float(np.mean(distance)) if np.size(distance) else float("nan")


def topographic_error(node, second_node, columns: int, neighbours: int = 8) -> float:
    """Fraction of the members whose best and second best nodes are not adjacent (Kiviluoto 1996); NaN without any.

    Parameters
    ----------
    node, second_node : ndarray of int, shape (n,)
    columns : int
        Of the map.
    neighbours : {8, 4}
        Whether nodes that touch at a corner are adjacent (8) or not (4).
    """
    if not np.size(node):
        return float("nan")
    rows, cols = (np.abs(a - b) for a, b in zip(np.divmod(node, columns), np.divmod(second_node, columns), strict=True))
    steps = np.maximum(rows, cols) if neighbours == 8 else rows + cols
    return float(np.mean(steps > 1))


def trustworthiness(latent, node, columns: int, k: int = N_NEIGHBOUR) -> float:
    """Whether the k neighbours of a member on the map are its neighbours in the latent space (Venna & Kaski 2001).

    M1 = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k): U_k(i) are the members among the k nearest of i on
    the map but not in the latent space, r(i, j) is the rank of j by latent distance from i. Members of nodes at the same
    distance are tied on the map: the sum is its mean over all orders of these.

    Parameters
    ----------
    latent : ndarray, shape (n, n_latent)
        In the space whose Euclidean distance the map uses.
    node : ndarray of int, shape (n,)
        Best-matching units; distances on the map are rows plus columns between two of them.
    columns : int
    k : int
        Below n / 2.

    Returns
    -------
    float
        1 is best; NaN with too few members for k.
    """
    return _rank_agreement(_map_distances(node, columns), cdist(latent, latent), k)


def neighbourhood_preservation(latent, node, columns: int, k: int = N_NEIGHBOUR) -> float:
    """Whether the k neighbours of a member in the latent space are its neighbours on the map (M2 of Venna & Kaski 2001).

    As :func:`trustworthiness`, the two spaces exchanged; also called continuity.
    """
    return _rank_agreement(cdist(latent, latent), _map_distances(node, columns), k)


def morans_i(values, columns: int) -> float:
    """Moran's I of a value per node (Moran 1950), shape (n_node,); nodes touching at a side or a corner are neighbours.

    I = (n / W) sum_ij w_ij (x_i - m)(x_j - m) / sum_i (x_i - m)^2, with w_ij = 1 for neighbours and W their sum: near 1 for a
    smooth map, -1/(n - 1) in the mean for a random one. Nodes with NaN are left out. NaN where all values are equal, or no
    two nodes are neighbours.
    """
    known = np.flatnonzero(np.isfinite(values))
    row, column = np.divmod(known, columns)
    apart = np.maximum(np.abs(row[:, None] - row), np.abs(column[:, None] - column))
    weight = (apart == 1).astype(float)
    offset = np.asarray(values, float)[known]
    offset = offset - offset.mean() if known.size else offset
    variance = np.sum(offset**2)
    if not weight.any() or variance == 0.0:
        return float("nan")
    return float(known.size / weight.sum() * (offset @ weight @ offset) / variance)


def occupation_entropy(count) -> float:
    """Entropy of the members over the nodes, -sum p ln p, over ln n_node, that of an even spread; NaN without members.

    Parameters
    ----------
    count : ndarray of int, shape (n_node,)
        Members of each node.
    """
    part = np.asarray(count, float)
    if part.sum() == 0 or part.size < 2:
        return float("nan")
    part = part[part > 0] / part.sum()
    return float(-np.sum(part * np.log(part)) / np.log(np.size(count)))


def n_empty(count) -> int:
    """Number of nodes without a member; ``count`` as in :func:`occupation_entropy`."""
    return int(np.sum(np.asarray(count) == 0))


def map_measures(
    test: Mapping[str, np.ndarray], latent: np.ndarray, latent_node: np.ndarray, of_training: np.ndarray, columns: int
) -> dict[str, float]:
    """All measures of a map, by the names of :data:`mangrove.data_model_attributes.MAP_QUALITY`.

    Parameters
    ----------
    test : mapping of str to ndarray
        node, second_node, distance and mse of the test set, shape (n,).
    latent : ndarray, shape (m, n_latent)
        Latents of members of it, in the space whose distances the map uses; the first of them are ranked.
    latent_node : ndarray of int, shape (m,)
        Their nodes.
    of_training : ndarray of int, shape (n_node,)
        Members of the training set on each node.
    columns : int
        Of the map.
    """
    two = test["node"], test["second_node"], columns
    ranked = latent[:N_RANKED], latent_node[:N_RANKED], columns
    return {
        "quantisation_error": quantisation_error(test["distance"]),
        "topographic_error_8": topographic_error(*two, 8),
        "topographic_error_4": topographic_error(*two, 4),
        "trustworthiness": trustworthiness(*ranked),
        "neighbourhood_preservation": neighbourhood_preservation(*ranked),
        "occupation_entropy": occupation_entropy(of_training),
        "n_empty": n_empty(of_training),
        "mse": float(np.mean(test["mse"])) if np.size(test["mse"]) else float("nan"),
    }


def _map_distances(node, columns: int) -> np.ndarray:
    places = np.stack(np.divmod(np.asarray(node), columns), axis=1)
    return cdist(places, places, "cityblock")


def _rank_agreement(near: np.ndarray, other: np.ndarray, k: int) -> float:
    """1 minus the scaled sum of ranks beyond k, in ``other``, of the k nearest in ``near``; both shape (n, n)."""
    n = len(near)
    if not 0 < k < n / 2:
        return float("nan")
    first, last = _places(near)
    among = np.clip((k - first + 1) / (last - first + 1), 0.0, 1.0)
    np.fill_diagonal(among, 0.0)
    return float(1.0 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * np.sum(among * _beyond(*_places(other), k)))


def _places(distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last place, from 1, of each member among the others by distance; they differ for tied ones."""
    apart = distances.copy()
    # A member itself comes first of all, on place 0.
    np.fill_diagonal(apart, -1.0)
    first, last = (rankdata(apart, method, axis=1) - 1 for method in ("min", "max"))
    return first, last


def _beyond(first: np.ndarray, last: np.ndarray, k: int) -> np.ndarray:
    """Mean of max(place - k, 0) over the places from first to last."""
    low = np.maximum(first, k + 1)
    count = np.maximum(last - low + 1, 0)
    return 0.5 * count * (low + last - 2 * k) / (last - first + 1)
