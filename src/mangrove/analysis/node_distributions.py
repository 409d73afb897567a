"""Distributions of a label over the nodes of a map: quantiles, histograms, and medians with their errors.

A node with few members pools those of its neighbours, the outermost ring of which counts in part: a pool is no larger
than need be, for its distribution is wider than that of the node. Members of one galaxy are alike, so errors come from a
bootstrap that draws whole galaxies.
"""

from typing import NamedTuple

import numpy as np

#: Levels of the quantiles: deciles, and the limits of the central 50, 68, 90 and 95 %.
DECILES = np.arange(1, 10) / 10
LEVELS = np.unique([0.0, 0.025, 0.05, 0.16, 0.25, 0.75, 0.84, 0.95, 0.975, 1.0, *DECILES])
#: Bins of the histograms; their range holds this part of the sample, and the outer bins take the rest.
N_BIN, _RANGE = 40, (0.005, 0.995)
#: Numbers that the bootstrap holds at a time, at most.
_BLOCK = 4_000_000


class NodeDistributions(NamedTuple):
    """A label on the nodes of a map; NaN where there is no value.

    Attributes
    ----------
    median, median_err : ndarray, shape (n_node,)
        Of the pool of each node; the error is NaN where it has fewer than two galaxies.
    value : ndarray, shape (n_node, n_level)
        Quantiles of the pool at ``LEVELS``.
    edge : ndarray, shape (n_bin + 1,)
    histogram : ndarray, shape (n_node, n_bin)
        Weight of the pool by bin.
    n_baxel, n_own, n_galaxy : ndarray of int, shape (n_node,)
        Members of the pool, members of the node itself, galaxies in the pool.
    pool_radius : ndarray of int, shape (n_node,)
        Grid distance up to which neighbours are in the pool.
    ring_weight : ndarray, shape (n_node,)
        Weight in the pool of the members at that distance, in (0, 1]; the others weigh 1.
    sample_value : ndarray, shape (n_level,)
        Quantiles of all members.
    """

    median: np.ndarray
    median_err: np.ndarray
    value: np.ndarray
    edge: np.ndarray
    histogram: np.ndarray
    n_baxel: np.ndarray
    n_own: np.ndarray
    n_galaxy: np.ndarray
    pool_radius: np.ndarray
    ring_weight: np.ndarray
    sample_value: np.ndarray


def node_distributions(node, values, galaxy, draws, distances, least: int) -> NodeDistributions:
    """Distributions of a label on the nodes of a map.

    Parameters
    ----------
    node : ndarray of int, shape (n,)
        Node of each member.
    values : ndarray, shape (n,)
        The label; members without one (NaN) do not count.
    galaxy : ndarray of int, shape (n,)
    draws : ndarray of int, shape (n_galaxy, n_draw)
        How often a draw of the bootstrap has each galaxy (:func:`galaxy_draws`).
    distances : ndarray, shape (n_node, n_node)
        Between nodes, on the grid.
    least : int
        A node with fewer members pools those of its neighbours within the smallest distance that gives so many
        (:func:`pool_radius`), weighted so that they add up to this (:func:`ring_weight`).
    """
    node, values, galaxy = _sorted_members(node, values, galaxy)
    own = np.bincount(node, minlength=len(distances))
    radius = pool_radius(own, distances, least)
    ring = ring_weight(own, distances, radius, least)
    start = np.concatenate([[0], np.cumsum(own)])
    edge = bin_edges(values)
    value, error = np.full((own.size, LEVELS.size), np.nan), np.full(own.size, np.nan)
    n_galaxy = np.zeros(own.size, int)
    within = distances <= radius[:, None]
    weights = np.where(distances == radius[:, None], ring[:, None], within)
    for k in np.flatnonzero(within @ own):
        pool = _pool(start, np.flatnonzero(within[k]), values)
        weight = weights[k, node[pool]]
        value[k] = weighted_quantiles(values[pool], weight, LEVELS)
        n_galaxy[k] = np.unique(galaxy[pool]).size
        error[k] = median_error(values[pool], weight, galaxy[pool], draws) if n_galaxy[k] > 1 else np.nan
    return NodeDistributions(
        median=value[:, np.searchsorted(LEVELS, 0.5)],
        median_err=error,
        value=value,
        edge=edge,
        histogram=weights @ _histogram(node, values, edge, len(distances)),
        n_baxel=within @ own,
        n_own=own,
        n_galaxy=n_galaxy,
        pool_radius=radius,
        ring_weight=ring,
        sample_value=np.quantile(values, LEVELS) if values.size else np.full(LEVELS.size, np.nan),
    )


def group_medians(group, values, n_group: int) -> np.ndarray:
    """Median of the finite values of each group (node, cluster), shape (n_group,); NaN without any.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        From 0; negative ones do not count.
    values : ndarray, shape (n,)
    """
    used = group >= 0
    group, values, _ = _sorted_members(group[used], values[used], group[used])
    count = np.bincount(group, minlength=n_group)
    start = np.concatenate([[0], np.cumsum(count)])[:-1]
    known = count > 0
    low, high = (start[known] + (count[known] - 1 + odd) // 2 for odd in (0, 1))
    median = np.full(n_group, np.nan)
    median[known] = 0.5 * (values[low] + values[high])
    return median


def pool_radius(count, distances, least: int) -> np.ndarray:
    """Grid distance within which each node finds ``least`` members, shape (n_node,), int; the largest where none does.

    Parameters
    ----------
    count : ndarray of int, shape (n_node,)
    distances : ndarray, shape (n_node, n_node)
        Whole numbers.
    """
    furthest = int(distances.max())
    radius = np.full(len(count), furthest)
    for one in range(furthest, -1, -1):
        radius[(distances <= one) @ count >= least] = one
    return radius


def ring_weight(count, distances, radius, least: int) -> np.ndarray:
    """Weight of the members at the radius of a pool with which the pool adds up to ``least``, shape (n_node,), in (0, 1].

    1 where a node needs no neighbours, and where all members together are too few.

    Parameters
    ----------
    count : ndarray of int, shape (n_node,)
    distances : ndarray, shape (n_node, n_node)
    radius : ndarray of int, shape (n_node,)
        Of :func:`pool_radius`.
    """
    missing = least - (distances < radius[:, None]) @ count
    ring = (distances == radius[:, None]) @ count
    return np.where(radius > 0, np.minimum(missing / np.maximum(ring, 1), 1.0), 1.0)


def weighted_quantiles(values, weight, levels) -> np.ndarray:
    """Quantiles of weighted values, shape (n_level,): with equal weights the linear ones of ``numpy.quantile``.

    From one value to the next the level rises by the mean of their two weights, over the sum of these steps: it is 0 at
    the smallest and 1 at the largest. Between values it is linear.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Ascending; at least one.
    weight : ndarray, shape (n,)
        Above 0.
    levels : ndarray, shape (n_level,)
    """
    place = np.cumsum(weight) - 0.5 * (weight + weight[0])
    return np.interp(levels * place[-1], place, values)


def bin_edges(values) -> np.ndarray:
    """Edges of the bins of a label, shape (n_bin + 1,): from the 0.5 to the 99.5 percentile of its values; NaN without any."""
    if not len(values):
        return np.full(N_BIN + 1, np.nan)
    low, high = np.quantile(np.asarray(values, float), _RANGE)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, N_BIN + 1)


def galaxy_draws(n_galaxy: int, n_draw: int, seed: int) -> np.ndarray:
    """How often each draw of a bootstrap has each galaxy, shape (n_galaxy, n_draw), int32: as many as there are, with replacement."""
    rng = np.random.default_rng(seed)
    counts = np.empty((n_galaxy, n_draw), np.int32)
    for i in range(n_draw):
        counts[:, i] = np.bincount(rng.integers(n_galaxy, size=n_galaxy), minlength=n_galaxy) if n_galaxy else 0
    return counts


def median_error(values, weight, galaxy, draws) -> float:
    """Standard deviation, over draws of galaxies, of the median of a pool's members.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Ascending.
    weight : ndarray, shape (n,)
    galaxy : ndarray of int, shape (n,)
    draws : ndarray of int, shape (n_galaxy, n_draw)
        Draws without a member of the pool do not count.
    """
    step = max(1, _BLOCK // len(values))
    blocks = (draws[:, i : i + step] for i in range(0, draws.shape[1], step))
    medians = np.concatenate([_drawn_medians(values, weight, galaxy, block) for block in blocks])
    medians = medians[np.isfinite(medians)]
    return float(np.std(medians, ddof=1)) if medians.size > 1 else float("nan")


def _drawn_medians(values, weight, galaxy, draws) -> np.ndarray:
    drawn = np.ascontiguousarray(draws)[galaxy]
    if (weight == 1.0).all():
        # Whole numbers are summed twice as fast.
        summed = np.cumsum(drawn, axis=0, dtype=np.int32)
    else:
        summed = np.cumsum(drawn * weight[:, None], axis=0)
    total = summed[-1]
    # The first member with which half of the weight is reached.
    place = np.sum(2 * summed < total, axis=0)
    return np.where(total > 0, values[np.minimum(place, len(values) - 1)], np.nan)


def _sorted_members(node, values, galaxy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Members with a value, by node, and within a node by value."""
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known])]
    order = order[np.argsort(node[order], kind="stable")]
    return node[order], np.asarray(values, float)[order], galaxy[order]


def _pool(start, nodes, values) -> np.ndarray:
    """Places of the members of some nodes by rising value."""
    if len(nodes) == 1:
        return np.arange(start[nodes[0]], start[nodes[0] + 1])
    members = np.concatenate([np.arange(start[k], start[k + 1]) for k in nodes])
    return members[np.argsort(values[members], kind="stable")]


def _histogram(node, values, edge, n_node: int) -> np.ndarray:
    if not len(values):
        return np.zeros((n_node, N_BIN), int)
    place = np.clip(((values - edge[0]) / (edge[-1] - edge[0]) * N_BIN).astype(int), 0, N_BIN - 1)
    return np.bincount(node * N_BIN + place, minlength=n_node * N_BIN).reshape(n_node, N_BIN)
