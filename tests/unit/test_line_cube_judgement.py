"""The judgement of autoencoders by planted anomalies: areas under curves, controls, baselines, tables."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mangrove.validation.line_cube_latents import same_kind_fraction
from mangrove.validation.line_cube_roc import matched_roc, nearest_controls, strength_bin, strength_edges


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def everyone(n, m):
    return np.tile(np.arange(m), (n, 1))


def test_with_all_normal_galaxies_the_area_is_the_ordinary_one(rng):
    high, low = rng.normal(0.7, 1, 31).round(1), rng.normal(0, 1, 47).round(1)
    truth = np.r_[np.ones(31), np.zeros(47)]
    expected = roc_auc_score(truth, np.r_[high, low])
    assert matched_roc(high, low, everyone(31, 47), 1).auc == pytest.approx(expected, abs=1e-12)


def test_error_of_the_area_is_that_of_repeated_samples(rng):
    index = everyone(40, 60)
    samples = [(rng.normal(1, 1, 40), rng.normal(0, 1, 60)) for _ in range(60)]
    found = [matched_roc(high, low, index, 1) for high, low in samples]
    assert np.mean([one.error for one in found]) == pytest.approx(np.std([one.auc for one in found]), rel=0.25)


def test_controls_are_the_nearest_in_scaled_flux_and_size(rng):
    planted, normal = rng.normal(size=(7, 2)) * [0.5, 0.1], rng.normal(size=(30, 2)) * [0.5, 0.1]
    found = nearest_controls(planted, normal, 4)
    spread = normal.std(axis=0)
    for place, index, offset in zip(planted, found.index, found.offset, strict=True):
        distance = [np.sqrt((((place - other) / spread) ** 2).sum()) for other in normal]
        assert index.tolist() == np.argsort(distance)[:4].tolist()
        assert offset == pytest.approx(np.median(abs(place - normal[index]), axis=0))


def test_matching_takes_away_what_brightness_alone_gives(rng):
    """A score that is the flux tells bright anomalies from all normal galaxies, and not from equally bright ones."""
    normal = np.column_stack([rng.uniform(-1, 1, 400), rng.uniform(-0.3, 0.3, 400)])
    planted = np.column_stack([rng.uniform(0.4, 0.9, 60), rng.uniform(-0.3, 0.3, 60)])
    controls = nearest_controls(planted, normal)
    assert matched_roc(planted[:, 0], normal[:, 0], everyone(60, 400), 1).auc > 0.75
    assert matched_roc(planted[:, 0], normal[:, 0], controls.index, 1).auc == pytest.approx(0.5, abs=0.06)


def test_galaxies_without_a_score_do_not_count(rng):
    high, low = rng.normal(1, 1, 10), rng.normal(0, 1, 12)
    index = everyone(11, 13)
    with_gaps = matched_roc(np.r_[high, np.nan], np.r_[low, np.nan], index, 1).auc
    assert with_gaps == pytest.approx(matched_roc(high, low, everyone(10, 12), 1).auc)
    assert np.isnan(matched_roc(np.full(3, np.nan), low, everyone(3, 12), 1).auc)


def test_bins_of_strength_are_even_in_its_logarithm():
    strength = np.array([2.0, 20.1, 200.0, 6.4, 6.2])
    edges = strength_edges(strength)
    assert np.diff(np.log10(edges)) == pytest.approx(0.5)
    assert strength_bin(strength, edges).tolist() == [0, 2, 3, 1, 0]
    assert np.isnan(strength_edges(np.full(2, np.nan))).all()


def test_fraction_of_neighbours_of_the_same_kind():
    """Six of a kind in one place, of which each has five of its own; three in another, each with two of five."""
    place = np.r_[np.linspace(0, 1, 6), 10 + np.linspace(0, 0.2, 3), 11 + np.linspace(0, 9, 12)][:, None]
    kind = np.array([*["a"] * 6, *["b"] * 3, *[""] * 12])
    assert same_kind_fraction(place, kind, "a") == 1.0
    assert same_kind_fraction(place, kind, "b") == pytest.approx(0.4)
    assert np.isnan(same_kind_fraction(place, kind, "c"))
