"""Measures of a self-organising map against slow formulas."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from mangrove.analysis import map_quality as quality

ROWS, COLUMNS = 4, 5


@pytest.fixture
def members():
    """Latents and nodes of 60 members of a 4 x 5 map, neighbours mostly kept."""
    rng = np.random.default_rng(3)
    latent = rng.standard_normal((60, 6))
    node = np.clip((latent[:, 0] * 1.2 + 2).astype(int), 0, ROWS - 1) * COLUMNS
    return latent, node + np.clip((latent[:, 1] * 1.5 + 2.5).astype(int), 0, COLUMNS - 1)


def slow_agreement(near, other, k):
    """The formula of Venna & Kaski (2001) for distances without ties."""
    n, total = len(near), 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        nearest = sorted(others, key=lambda j: near[i][j])[:k]
        rank = {j: r for r, j in enumerate(sorted(others, key=lambda j: other[i][j]), 1)}
        total += sum(rank[j] - k for j in nearest if rank[j] > k)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total


def distances(latent, node):
    place = np.array([[k // COLUMNS, k % COLUMNS] for k in node])
    return (
        np.sqrt(((latent[:, None] - latent) ** 2).sum(-1)),
        np.abs(place[:, None] - place).sum(-1).astype(float),
    )


def test_topographic_error_counts_best_nodes_apart():
    node, second = np.array([0, 0, 0, 4, 7]), np.array([1, 6, 2, 5, 7 + COLUMNS])
    # 0-1 and 7-12 share a side, 0-6 a corner; 4 and 5 lie at opposite ends of two rows.
    assert quality.topographic_error(node, second, COLUMNS, 8) == pytest.approx(2 / 5)
    assert quality.topographic_error(node, second, COLUMNS, 4) == pytest.approx(3 / 5)
    assert np.isnan(quality.topographic_error(node[:0], second[:0], COLUMNS))


def test_quantisation_error_is_a_mean_distance():
    assert quality.quantisation_error(np.array([1.0, 2.0, 6.0])) == 3.0
    assert np.isnan(quality.quantisation_error(np.empty(0)))


@pytest.mark.parametrize("k", [1, 5, 12])
def test_ranks_with_ties_are_the_mean_over_the_orders_of_tied_members(members, k):
    latent, node = members
    true, on_map = distances(latent, node)
    rng = np.random.default_rng(0)
    orders = [on_map + 1e-6 * rng.random(on_map.shape) for _ in range(300)]
    trust = [slow_agreement(one, true, k) for one in orders]
    kept = [slow_agreement(true, one, k) for one in orders]
    for found, slow in ((quality.trustworthiness, trust), (quality.neighbourhood_preservation, kept)):
        error = np.std(slow) / np.sqrt(len(slow))
        assert found(latent, node, COLUMNS, k) == pytest.approx(np.mean(slow), abs=4 * error + 1e-12)


def test_trustworthiness_without_ties_is_that_of_scikit_learn():
    latent = np.random.default_rng(1).standard_normal((12, 3))
    # A map of a single row, one member a node, and no two pairs equally far apart.
    node = 2 ** np.argsort(np.argsort(latent[:, 0]))
    columns = int(node.max()) + 1
    found = quality.trustworthiness(latent, node, columns, 4)
    assert found == pytest.approx(sklearn_trustworthiness(latent, node[:, None], n_neighbors=4))


def test_ordered_maps_are_trusted_and_shuffled_ones_are_not():
    node = np.arange(ROWS * COLUMNS)
    latent = np.stack(np.divmod(node, COLUMNS), axis=1).astype(float)
    shuffled = np.random.default_rng(2).permutation(latent)
    for measure in (quality.trustworthiness, quality.neighbourhood_preservation):
        assert measure(latent, node, COLUMNS, 4) > 0.95
        assert measure(shuffled, node, COLUMNS, 4) < 0.7
        assert np.isnan(measure(latent[:6], node[:6], COLUMNS, 4))


def test_morans_i_is_that_of_the_formula():
    values = np.random.default_rng(4).standard_normal(ROWS * COLUMNS)
    values[[3, 11]] = np.nan
    known = [k for k in range(values.size) if np.isfinite(values[k])]
    mean = np.mean(values[known])
    pairs = [
        (i, j)
        for i in known
        for j in known
        if i != j and abs(i // COLUMNS - j // COLUMNS) <= 1 and abs(i % COLUMNS - j % COLUMNS) <= 1
    ]
    top = sum((values[i] - mean) * (values[j] - mean) for i, j in pairs)
    slow = len(known) / len(pairs) * top / sum((values[k] - mean) ** 2 for k in known)
    assert quality.morans_i(values, COLUMNS) == pytest.approx(slow)


def test_morans_i_tells_smooth_from_random():
    row, column = np.divmod(np.arange(225), 15)
    smooth = row + 0.5 * column
    random = np.random.default_rng(5).permutation(smooth)
    assert quality.morans_i(smooth, 15) > 0.85
    assert abs(quality.morans_i(random, 15)) < 0.1
    for none in (np.ones(225), np.full(225, np.nan), np.r_[1.0, np.full(223, np.nan), 2.0]):
        assert np.isnan(quality.morans_i(none, 15))


def test_occupation():
    assert quality.occupation_entropy(np.full(9, 7)) == pytest.approx(1.0)
    assert quality.occupation_entropy(np.array([4, 4, 0, 0])) == pytest.approx(0.5)
    assert quality.occupation_entropy(np.array([5, 0, 0])) == 0.0
    assert np.isnan(quality.occupation_entropy(np.zeros(4)))
    assert quality.n_empty(np.array([4, 0, 0, 1])) == 2
