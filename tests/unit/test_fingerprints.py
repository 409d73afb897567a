"""Fingerprints of galaxies, against formulas written out galaxy by galaxy and node by node."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from attributes import attributes_of

from mangrove import artefacts
from mangrove.analysis.fingerprints import galaxy_fingerprints, why_empty
from mangrove.codes import Split, TrainingCut
from mangrove.survey.split import split_of

ROWS, COLUMNS, N_GALAXY = 4, 5, 40
#: The galaxy of this index has no baxel with a node, that one no effective radius.
WITHOUT, UNKNOWN = 7, 11
PARAMS = {"weighting": "count", "clip_percentile": 90.0, "seed": 3, "validation_fraction": 0.2, "test_fraction": 0.3}
NAMES = np.array([f"1-{i // 2 if i < 6 else i}" for i in range(N_GALAXY)])
SPLIT = np.array([split_of(name, 3, 0.2, 0.3) for name in NAMES])


def assignments(rows=ROWS, columns=COLUMNS, **changed):
    """What the map of spectra says of 3000 baxels of 40 galaxies."""
    rng = np.random.default_rng(1)
    galaxy = np.sort(rng.integers(0, N_GALAXY, 3000))
    # Some nodes have more baxels than others, and each galaxy keeps to a part of the map.
    node = (rng.poisson(2.0, 3000) + 3 * galaxy) % (rows * columns)
    node[(galaxy == WITHOUT) | (rng.random(3000) < 0.05)] = -1
    radius = rng.uniform(0.1, 2.5, 3000).astype("f4")
    radius[galaxy == UNKNOWN] = np.nan
    data = {"plateifu": np.array([f"8485-{i}" for i in range(N_GALAXY)]), "mangaid": NAMES}
    data |= {"galaxy": galaxy, "node": node, "radius_re": radius, "cut": rng.integers(0, len(TrainingCut), 3000)}
    attrs = attributes_of("desom_assignments", rows=rows, columns=columns)
    return artefacts.Artefact("desom_assignments", data | changed, attrs, "")


@pytest.fixture(scope="module")
def found():
    return assignments()


def by_hand(found, weigh=lambda radius: 1.0):
    """Weights, normalised fingerprints, limits, as the paper's sentences say."""
    weight = np.zeros((N_GALAXY, ROWS * COLUMNS))
    for g, k, r in zip(found["galaxy"], found["node"], found["radius_re"], strict=True):
        if k >= 0:
            weight[g, k] += weigh(r)
    learn = [g for g in range(N_GALAXY) if SPLIT[g] == Split.TRAIN and weight[g].any()]
    limit = [np.percentile([weight[g, k] for g in learn], 90.0) for k in range(ROWS * COLUMNS)]
    normalised = np.zeros_like(weight)
    for g in range(N_GALAXY):
        part = [min(w, top) / top if top > 0 else 0.0 for w, top in zip(weight[g], limit, strict=True)]
        normalised[g] = np.array(part) / (max(part) or 1.0)
    return weight, normalised, limit


def test_counts_and_scaling_are_those_written_out(found):
    data = galaxy_fingerprints(found, PARAMS)
    weight, normalised, limit = by_hand(found)
    assert np.array_equal(data["counts"], weight) and np.array_equal(data["weight"], weight)
    assert np.allclose(data["node_limit"], limit) and np.allclose(data["normalised"], normalised)
    assert np.array_equal(data["n_baxel"], weight.sum(axis=1)) and np.array_equal(data["split"], SPLIT)
    assert (data["n_baxel"] > 0).sum() == N_GALAXY - 1
    assert np.allclose(np.delete(data["normalised"], WITHOUT, axis=0).max(axis=1), 1.0)


def test_every_baxel_with_a_node_counts_whatever_cut_keeps_it_out_of_the_training(found):
    assert set(found["cut"]) == set(TrainingCut)
    assert galaxy_fingerprints(found, PARAMS)["n_baxel"].sum() == (found["node"] >= 0).sum()


def test_a_galaxy_without_a_baxel_has_an_empty_fingerprint(found):
    data = galaxy_fingerprints(found, PARAMS)
    assert data["n_baxel"][WITHOUT] == data["n_patch"][WITHOUT] == 0
    assert not data["counts"][WITHOUT].any() and not data["normalised"][WITHOUT].any()
    assert np.isnan(data["patch_spread"][WITHOUT]) and np.isnan(data["mean_radius"][WITHOUT]).all()


def test_weights_by_radius_and_of_unknown_radius(found):
    """A baxel without a radius weighs as much as one at one effective radius."""
    data = galaxy_fingerprints(found, PARAMS | {"weighting": "radius"})
    weight, normalised, limit = by_hand(found, lambda radius: float(radius) if np.isfinite(radius) else 1.0)
    assert np.allclose(data["weight"], weight) and np.allclose(data["node_limit"], limit)
    assert np.allclose(data["normalised"], normalised)
    assert np.array_equal(data["counts"], galaxy_fingerprints(found, PARAMS)["counts"])
    assert np.array_equal(data["weight"][UNKNOWN], data["counts"][UNKNOWN])


def test_mean_radius_of_each_node(found):
    mean = galaxy_fingerprints(found, PARAMS)["mean_radius"]
    for g in (0, UNKNOWN, N_GALAXY - 1):
        for k in range(ROWS * COLUMNS):
            radii = found["radius_re"][(found["galaxy"] == g) & (found["node"] == k)]
            expected = radii.mean() if radii.size else np.nan
            assert mean[g, k] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_limits_come_from_the_training_galaxies_alone(found, split):
    before = galaxy_fingerprints(found, PARAMS)
    one = int(np.flatnonzero(split == SPLIT)[-1])
    node = np.where(found["galaxy"] == one, 0, found["node"])
    after = galaxy_fingerprints(assignments(node=node), PARAMS)
    others = np.arange(N_GALAXY) != one
    assert not np.array_equal(before["normalised"][one], after["normalised"][one])
    assert np.array_equal(before["normalised"][others], after["normalised"][others])
    assert np.array_equal(before["node_limit"], after["node_limit"])


def test_a_node_without_a_training_galaxy_is_nothing_in_any_fingerprint(found):
    learn = np.isin(found["galaxy"], np.flatnonzero(SPLIT == Split.TRAIN))
    node = np.where(learn & (found["node"] == 3), 4, found["node"])
    data = galaxy_fingerprints(assignments(node=node), PARAMS)
    assert data["counts"][:, 3].any() and data["node_limit"][3] == 0
    assert not data["normalised"][:, 3].any() and np.isfinite(data["normalised"]).all()


def one_map(places):
    """Baxels of galaxy 0 at (row, column) of a map of 6 x 6, the others without any."""
    node = np.array([6 * row + column for row, column in places])
    changed = {"galaxy": np.zeros(len(node), int), "node": node, "radius_re": np.ones(len(node), "f4")}
    return galaxy_fingerprints(assignments(6, 6, **changed), PARAMS)


def test_patches_touch_by_corners_and_not_across_the_edges_of_the_map():
    diagonal = one_map([(0, 0), (1, 1), (2, 2)])
    assert diagonal["n_patch"][0] == 1 and diagonal["patch_spread"][0] == 0
    # The end of a row and the start of the next, which are neighbours in the file.
    assert one_map([(0, 5), (1, 0)])["n_patch"][0] == 2


def test_spread_of_patches_weighs_baxels():
    """Three baxels about (0, 0.33) and one at (5, 4): the mean lies a quarter of the way between them."""
    data = one_map([(0, 0), (0, 0), (0, 1), (5, 4)])
    centres, weights = np.array([[0, 1 / 3], [5, 4]]), np.array([0.75, 0.25])
    square = ((centres - weights @ centres) ** 2).sum(axis=1)
    assert data["n_patch"][0] == 2 and data["patch_spread"][0] == pytest.approx(np.sqrt(weights @ square))


def test_patches_of_many_galaxies_are_those_of_each(found):
    data = galaxy_fingerprints(found, PARAMS)
    for g in range(N_GALAXY):
        assert data["n_patch"][g] == len(flooded({divmod(k, COLUMNS) for k in np.flatnonzero(data["counts"][g])}))


def flooded(places):
    """Connected groups of (row, column)."""
    groups = []
    while places:
        group, edge = set(), {places.pop()}
        while edge:
            group |= edge
            edge = {p for p in places if any(max(abs(p[0] - q[0]), abs(p[1] - q[1])) == 1 for q in edge)}
            places = places - edge
        groups.append(group)
    return groups


def test_without_training_galaxies_there_is_a_reason(found):
    node = np.where(np.isin(found["galaxy"], np.flatnonzero(SPLIT == Split.TRAIN)), -1, found["node"])
    other = assignments(node=node)
    data = galaxy_fingerprints(other, PARAMS)
    assert why_empty(other, data) == "no galaxy of the training set has a baxel on the map of spectra"
    assert not why_empty(found, galaxy_fingerprints(found, PARAMS))


def test_without_a_map_of_spectra_the_artefact_passes_its_reason_on(tmp_path, script):
    row, nothing = np.empty(0, int), np.empty((0,), "f4")
    empty = dict.fromkeys(("distance", "second_distance", "typicality", "mse", "radius_re", "snr"), nothing)
    empty |= dict.fromkeys(("galaxy", "baxel", "split", "cut", "node", "second_node"), row)
    names = {"plateifu": np.array(["8485-1901"]), "mangaid": np.array(["1-1"])}
    attrs = attributes_of("desom_assignments", status="empty", reason="too few spectra")
    artefacts.write(tmp_path / "a.h5", "desom_assignments", names | empty, artefacts.Provenance(), attrs)
    outputs = SimpleNamespace(fingerprints=tmp_path / "f.h5")
    script("fingerprints").main(SimpleNamespace(assignments=tmp_path / "a.h5"), outputs, PARAMS)
    written = artefacts.read(tmp_path / "f.h5", "fingerprints")
    assert (written.attrs["status"], written.attrs["reason"]) == ("empty", "too few spectra")
    assert written["counts"].shape == (1, 0) and written["n_baxel"].tolist() == [0]


def test_counts_of_a_million_baxels_are_those_of_each_galaxy():
    """On the published map."""
    rng = np.random.default_rng(0)
    galaxy = np.sort(rng.integers(0, 2000, 1_000_000))
    data = {"plateifu": np.arange(2000).astype(str), "mangaid": np.arange(2000).astype(str)}
    data |= {"galaxy": galaxy, "node": rng.integers(-1, 225, galaxy.size), "radius_re": rng.random(galaxy.size)}
    found = artefacts.Artefact("desom_assignments", data, attributes_of("desom_assignments", rows=15, columns=15), "")
    counts = galaxy_fingerprints(found, PARAMS)["counts"]
    starts = np.searchsorted(galaxy, np.arange(2001))
    for g, (start, stop) in enumerate(pairwise(starts)):
        own = data["node"][start:stop]
        assert np.array_equal(counts[g], np.bincount(own[own >= 0], minlength=225))
