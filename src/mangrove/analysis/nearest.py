"""The nearest neighbours of every member of a set, and how many of them two spaces share."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree


class Nearest(NamedTuple):
    """The neighbours of n members, nearest first.

    Attributes
    ----------
    index : ndarray of int32, shape (n, k)
        -1 where there is no further member.
    distance : ndarray of float32, shape (n, k)
        Euclidean; NaN there.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest(place: np.ndarray, k: int) -> Nearest:
    """The k nearest neighbours by a k-d tree.

    Parameters
    ----------
    place : ndarray, shape (n, n_dimension)
        A member with a value that is not finite is no one's neighbour and has none.
    k : int
        If there are fewer others, the rest is -1 and NaN.
    """
    found = Nearest(np.full((len(place), k), -1, np.int32), np.full((len(place), k), np.nan, np.float32))
    known = np.flatnonzero(np.isfinite(place).all(axis=1))
    n_other = min(k, known.size - 1)
    if n_other < 1 or not place.shape[1]:
        return found
    some = np.asarray(place[known], float)
    distance, index = KDTree(some).query(some, n_other + 1)
    # A member finds itself, but not always first, and not at all among more than k others in the same place.
    others_first = np.argsort(index == np.arange(known.size)[:, None], axis=1, kind="stable")[:, :n_other]
    found.index[known, :n_other] = known[np.take_along_axis(index, others_first, axis=1)]
    found.distance[known, :n_other] = np.take_along_axis(distance, others_first, axis=1)
    return found


def shared_fraction(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Fraction of the neighbours of each member in one space that are its neighbours in another, shape (n,).

    Parameters
    ----------
    one, other : ndarray of int, shape (n, k) and (n, k_other)
        Neighbours as in :class:`Nearest`.

    Returns
    -------
    ndarray
        NaN for a member that has none in one of them.
    """
    has, n_has = one >= 0, (one >= 0).sum(axis=1)
    shared = (has & (one[:, :, None] == other[:, None, :]).any(axis=2)).sum(axis=1)
    both = (n_has > 0) & (other >= 0).any(axis=1)
    return np.divide(shared, n_has, out=np.full(len(one), np.nan), where=both)


def mean_or_nan(values: np.ndarray) -> float:
    """Mean of the values that are known; NaN without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
