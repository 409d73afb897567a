"""What lies on the nodes of the map of galaxies: examples, catalogue values, and repeat observations."""

from collections import defaultdict
from itertools import combinations
from typing import NamedTuple

import numpy as np

from mangrove.analysis.hubble_types import HUBBLE_CLASSES
from mangrove.codes import Split


class Catalogue(NamedTuple):
    """What the sample sheet says of each galaxy, shape (n_galaxy,).

    Attributes
    ----------
    hubble : ndarray of str
        One of :data:`mangrove.analysis.hubble_types.HUBBLE_CLASSES`; empty if unknown.
    sersic_n, sersic_ba : ndarray
        Sersic index and axis ratio; NaN if unknown.
    """

    hubble: np.ndarray
    sersic_n: np.ndarray
    sersic_ba: np.ndarray


class RepeatPairs(NamedTuple):
    """Pairs of observations of one galaxy, each pair once.

    Attributes
    ----------
    first, second : ndarray of int, shape (n_pair,)
        Indices of the observations.
    distance : ndarray of int, shape (n_pair,)
        Steps between their nodes, diagonal ones count as one; -1 if one has no node.
    """

    first: np.ndarray
    second: np.ndarray
    distance: np.ndarray


def node_steps(node: np.ndarray, other: np.ndarray, columns: int) -> np.ndarray:
    """Steps between nodes of a map (Chebyshev distance: a diagonal step counts as one), of arrays that broadcast."""
    (row, column), (other_row, other_column) = divmod(node, columns), divmod(other, columns)
    return np.maximum(np.abs(row - other_row), np.abs(column - other_column))


def repeat_pairs(mangaid: np.ndarray, node: np.ndarray, columns: int) -> RepeatPairs:
    """The repeat observations of a sample.

    Parameters
    ----------
    mangaid : ndarray of str, shape (n,)
    node : ndarray of int, shape (n,)
        -1 without a node.
    columns : int
        Of the map.
    """
    observations = defaultdict(list)
    for index, name in enumerate(mangaid.tolist()):
        observations[name].append(index)
    pairs = [pair for own in observations.values() for pair in combinations(own, 2)]
    first, second = np.array(sorted(pairs), int).reshape(-1, 2).T
    known = (node[first] >= 0) & (node[second] >= 0)
    distance = node_steps(node[first], node[second], columns) if len(first) else np.empty(0, int)
    return RepeatPairs(first, second, np.where(known, distance, -1))


def steps_of_different_galaxies(mangaid: np.ndarray, node: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """How many pairs of observations of different galaxies lie so many steps apart, shape (max(rows, columns),).

    Of all pairs, not of a sample: counted node by node. What repeats are compared with.

    Parameters
    ----------
    mangaid, node, columns
        As for :func:`repeat_pairs`.
    """
    every = np.arange(rows * columns)
    n_on_node = np.bincount(node[node >= 0], minlength=every.size).astype(np.int64)
    steps = node_steps(every[:, None], every, columns)
    ordered = np.bincount(steps.ravel(), np.outer(n_on_node, n_on_node).ravel(), minlength=max(rows, columns))
    # Each pair was counted twice, and each observation with itself.
    counts = ordered.astype(np.int64)
    counts[0] -= n_on_node.sum()
    same = repeat_pairs(mangaid, node, columns).distance
    return counts // 2 - np.bincount(same[same >= 0], minlength=len(counts))


def counts_by_split(node: np.ndarray, split: np.ndarray, n_node: int) -> np.ndarray:
    """Objects on each node by split, shape (n_node, n_split), int; those without a node (-1) count nowhere."""
    counts = np.zeros((n_node, len(Split)), int)
    has_node = node >= 0
    np.add.at(counts, (node[has_node], split[has_node]), 1)
    return counts


def nearest_to_prototypes(plateifu: np.ndarray, node: np.ndarray, distance: np.ndarray, n_node: int) -> np.ndarray:
    """The galaxy of each node that lies nearest to its prototype, shape (n_node,), str; empty without any."""
    nearest = np.full(n_node, "", dtype=plateifu.dtype if plateifu.size else "U1")
    farthest_first = np.argsort(-distance, kind="stable")
    farthest_first = farthest_first[node[farthest_first] >= 0]
    nearest[node[farthest_first]] = plateifu[farthest_first]
    return nearest


def catalogue_by_node(catalogue: Catalogue, node: np.ndarray, n_node: int) -> dict[str, np.ndarray]:
    """Fractions of the Hubble classes and medians of the Sersic fits on each node: datasets of 'galaxy_map'.

    Every observation counts. Of the galaxies with a Sersic fit both index and axis ratio are known.
    """
    types = np.stack([counts_where(catalogue.hubble == name, node, n_node) for name in HUBBLE_CLASSES], axis=1)
    n_typed = types.sum(axis=1)
    fitted = np.isfinite(catalogue.sersic_n) & np.isfinite(catalogue.sersic_ba)
    fraction = np.divide(types, n_typed[:, None], out=np.full(types.shape, np.nan), where=n_typed[:, None] > 0)
    return {
        "morphology": np.array(HUBBLE_CLASSES),
        "morphology_fraction": fraction,
        "n_morphology": n_typed,
        "sersic_n": medians(catalogue.sersic_n, fitted, node, n_node),
        "sersic_ba": medians(catalogue.sersic_ba, fitted, node, n_node),
        "n_sersic": counts_where(fitted, node, n_node),
    }


def counts_where(chosen: np.ndarray, node: np.ndarray, n_node: int) -> np.ndarray:
    """Chosen objects on each node, shape (n_node,), int."""
    return np.bincount(node[chosen & (node >= 0)], minlength=n_node)


def medians(values: np.ndarray, known: np.ndarray, node: np.ndarray, n_node: int) -> np.ndarray:
    """Median on each node of the values that are known, shape (n_node,); NaN without any."""
    found = np.full(n_node, np.nan)
    for k in np.unique(node[known & (node >= 0)]):
        found[k] = np.median(values[known & (node == k)])
    return found
