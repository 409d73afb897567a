"""Nearest neighbours: against all distances, members without a place, places shared by many."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mangrove.analysis.nearest import mean_or_nan, nearest, shared_fraction


def test_the_neighbours_are_those_of_all_distances():
    place = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)
    apart = cdist(place, place)
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1)[:, :7]
    found = nearest(place, 7)
    np.testing.assert_array_equal(found.index, order)
    np.testing.assert_allclose(found.distance, np.take_along_axis(apart, order, axis=1), rtol=1e-6)


def test_beyond_the_last_member_there_is_none():
    found = nearest(np.array([[0.0], [1.0], [5.0], [np.nan]]), 4)
    assert found.index.tolist() == [[1, 2, -1, -1], [0, 2, -1, -1], [1, 0, -1, -1], [-1] * 4]
    np.testing.assert_array_equal(found.distance[1], [1.0, 4.0, np.nan, np.nan])
    assert np.isnan(found.distance[3]).all()


@pytest.mark.parametrize(("shape", "k"), [((0, 3), 2), ((1, 3), 2), ((4, 0), 2)])
def test_too_few_members_or_no_space(shape, k):
    found = nearest(np.zeros(shape), k)
    assert found.index.shape == (shape[0], k) and (found.index == -1).all()


def test_no_member_is_its_own_neighbour_where_many_share_a_place():
    found = nearest(np.zeros((20, 2)), 3)
    assert not (found.index == np.arange(20)[:, None]).any() and (found.index >= 0).all()
    assert all(len(set(row)) == 3 for row in found.index.tolist())


def test_the_shared_fraction_counts_the_neighbours_in_any_order():
    one = np.array([[1, 2, 3], [0, 2, -1], [0, 1, 3], [-1, -1, -1]])
    other = np.array([[3, 1, 9], [0, 5, 6], [-1, -1, -1], [0, 1, 2]])
    np.testing.assert_allclose(shared_fraction(one, other), [2 / 3, 1 / 2, np.nan, np.nan])
    assert mean_or_nan(shared_fraction(one, other)) == pytest.approx(7 / 12)
    assert np.isnan(mean_or_nan(np.array([np.nan])))
