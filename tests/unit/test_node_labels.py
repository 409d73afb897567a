"""Labels on the nodes of the map of spectra."""

import numpy as np
import pytest
from mapped_survey import (
    COLUMNS,
    N_NODE,
    ROWS,
    age_of_node,
    mapped_survey,
    names_of,
    poor,
    write_assignments,
    write_labels,
)

from mangrove import artefacts
from mangrove.analysis import node_distributions as nodes
from mangrove.analysis.mapped_baxels import rows_of
from mangrove.codes import Split, TrainingCut

PARAMS = {"min_baxels": 50, "n_bootstrap": 50, "seed": 1, "code": "test"}
PLACE = np.stack(np.divmod(np.arange(N_NODE), COLUMNS), axis=1)
DISTANCES = np.abs(PLACE[:, None] - PLACE).sum(-1)
NO_DRAWS = np.ones((1000, 2), np.int32)


def run(script, Params, folder, **params):
    paths = Params(assignments=str(folder / "assignments.h5"), labels=str(folder / "labels.h5"))
    outputs = Params(node_labels=str(folder / "node_labels.h5"))
    script("desom_maps").main(paths, outputs, Params(PARAMS | params))
    made = artefacts.read(outputs.node_labels, "node_labels")
    of_map = artefacts.read(paths.assignments, "desom_assignments", []).attrs
    assert made.attrs["model_hash"] == of_map["model_hash"] != "", "they say to which map they belong"
    return made


@pytest.fixture(scope="module")
def survey():
    return mapped_survey()


def test_nodes_have_the_medians_of_the_training_galaxies_that_count(script, Params, tmp_path, survey):
    rng = np.random.default_rng(2)
    cut = np.where(rng.random(survey.node.size) < 0.1, TrainingCut.HIGHEST_MAXIMUM, TrainingCut.KEPT)
    flags = poor(rng.random(survey.node.size) < 0.1)
    write_assignments(tmp_path / "assignments.h5", survey, cut=cut)
    write_labels(tmp_path / "labels.h5", survey, flags, missing=[3])
    found = run(script, Params, tmp_path, min_baxels=5)
    use = (cut == TrainingCut.KEPT) & (flags == 0) & (survey.galaxy != 3)
    assert found["label"][0] == "log_age_lw" and found["label_unit"][0] == "dex(yr)"
    for split, median, count in ((Split.TRAIN, "median", "n_own"), (Split.TEST, "test_median", "n_test")):
        for k in range(N_NODE):
            own = survey.age[use & (survey.split == split) & (survey.node == k)]
            assert found[median][k, 0] == pytest.approx(np.median(own), abs=1e-5)
            assert found[count][k, 0] == own.size
    train = survey.age[use & (survey.split == Split.TRAIN)].astype(np.float32)
    at = {round(float(q), 3): i for i, q in enumerate(found["quantile"])}
    assert found["sample_value"][0, at[0.16]] == pytest.approx(np.quantile(train, 0.16), abs=1e-5)
    # Another label has no flags: poor fits are left out label by label.
    assert (found["n_own"][:, 1] >= found["n_own"][:, 0]).all() and found["n_own"][:, 1].sum() > found["n_own"][
        :, 0
    ].sum()
    assert (found["pool_radius"] == 0).all()
    assert np.corrcoef(found["median"][:, 0], age_of_node(np.arange(N_NODE)))[0, 1] > 0.98


def test_medians_of_a_node_itself_pool_nothing(script, Params, tmp_path, survey):
    write_assignments(tmp_path / "assignments.h5", survey)
    write_labels(tmp_path / "labels.h5", survey)
    found = run(script, Params, tmp_path, min_baxels=200)
    assert (found["pool_radius"] > 0).all()
    train = survey.split == Split.TRAIN
    own = nodes.group_medians(survey.node[train], survey.age[train], N_NODE)
    assert found["own_median"][:, 0] == pytest.approx(own, abs=1e-5)
    assert found["median"][:, 0] != pytest.approx(own, abs=1e-3)


def test_test_galaxies_change_no_error_of_the_training_set(script, Params, tmp_path, survey):
    found = {}
    for name, rows in (("all", survey.split >= 0), ("training", survey.split == Split.TRAIN)):
        folder = tmp_path / name
        folder.mkdir()
        write_assignments(
            folder / "assignments.h5", survey._replace(**{k: v[rows] for k, v in survey._asdict().items()})
        )
        write_labels(folder / "labels.h5", survey)
        found[name] = run(script, Params, folder)
    assert (found["all"]["n_test"] > 0).all() and not found["training"]["n_test"].any()
    np.testing.assert_array_equal(found["all"]["median_err"], found["training"]["median_err"])
    assert np.isfinite(found["all"]["median_err"]).all()


def test_histograms_hold_every_baxel(script, Params, tmp_path, survey):
    write_assignments(tmp_path / "assignments.h5", survey)
    write_labels(tmp_path / "labels.h5", survey)
    found = run(script, Params, tmp_path)
    assert (found["pool_radius"] == 0).all() and (found["ring_weight"] == 1).all()
    np.testing.assert_array_equal(found["histogram"].sum(axis=2), found["n_baxel"])
    train = survey.age[survey.split == Split.TRAIN].astype(np.float32)
    assert found["edge"][0, [0, -1]] == pytest.approx(np.quantile(train, [0.005, 0.995]), abs=1e-6)
    inner = np.histogram(train, found["edge"][0])[0][1:-1]
    np.testing.assert_array_equal(found["histogram"][:, 0].sum(axis=0)[1:-1], inner)


def test_nothing_assigned_is_an_empty_artefact_with_the_reason(script, Params, tmp_path, survey):
    empty = survey._replace(**{name: getattr(survey, name)[:0] for name in survey._fields})
    write_assignments(tmp_path / "assignments.h5", empty, status="empty")
    write_labels(tmp_path / "labels.h5", survey)
    found = run(script, Params, tmp_path)
    assert not found.ok and found["label"].size == 0 and found["node_row"].size == N_NODE


def test_a_node_with_few_members_pools_as_many_neighbours_as_it_needs():
    count = np.full(N_NODE, 30)
    count[[0, 1, COLUMNS]] = 10, 0, 15
    radius = nodes.pool_radius(count, DISTANCES, 30)
    # Node 0 reaches 25 at distance 1, and 115 at distance 2; node 1 has 70 at distance 1.
    assert radius[[0, 1, COLUMNS, 2]].tolist() == [2, 1, 1, 0]
    assert (nodes.pool_radius(count, DISTANCES, 10_000) == ROWS + COLUMNS - 2).all()


def test_the_outermost_ring_weighs_as_much_as_is_missing():
    count = np.full(N_NODE, 30)
    count[[0, 1, COLUMNS]] = 10, 0, 15
    radius = nodes.pool_radius(count, DISTANCES, 40)
    found = nodes.ring_weight(count, DISTANCES, radius, 40)
    # Node 0 has 25 within distance 1, and 3 nodes of 30 at distance 2; node 1 has 70 at distance 1.
    assert found[[0, 1]] == pytest.approx([15 / 90, 40 / 70])
    fewest = nodes.pool_radius(count, DISTANCES, 30)
    assert nodes.ring_weight(count, DISTANCES, fewest, 30)[2] == 1.0
    for least in (10, 30, 40, 200, int(count.sum())):
        radius = nodes.pool_radius(count, DISTANCES, least)
        found = nodes.ring_weight(count, DISTANCES, radius, least)
        edge = radius[:, None]
        weighed = (edge > DISTANCES) @ count + found * ((edge == DISTANCES) @ count)
        assert ((found > 0) & (found <= 1)).all()
        np.testing.assert_allclose(weighed, np.where(count >= least, count, least))
    far = nodes.pool_radius(count, DISTANCES, 10_000)
    assert (nodes.ring_weight(count, DISTANCES, far, 10_000) == 1.0).all()


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_quantiles_of_equal_weights_are_those_of_numpy(n):
    values = np.sort(np.random.default_rng(n).standard_normal(n).round(1))
    for weight in (1.0, 0.3):
        found = nodes.weighted_quantiles(values, np.full(n, weight), nodes.LEVELS)
        np.testing.assert_allclose(found, np.quantile(values, nodes.LEVELS), atol=1e-12)


def test_quantiles_of_whole_weights_are_those_of_repeated_values():
    rng = np.random.default_rng(8)
    values, weight = np.sort(rng.standard_normal(4000)), rng.integers(1, 5, 4000)
    found = nodes.weighted_quantiles(values, weight, nodes.LEVELS)
    np.testing.assert_allclose(found, np.quantile(np.repeat(values, weight), nodes.LEVELS), atol=0.02)
    assert found[[0, -1]].tolist() == [values[0], values[-1]]
    mirrored = nodes.weighted_quantiles(-values[::-1], weight[::-1], 1.0 - nodes.LEVELS)
    np.testing.assert_allclose(-mirrored, found, atol=1e-9)
    # A value that many share is met exactly.
    tied = nodes.weighted_quantiles(np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, 0.4, 0.7, 0.1]), nodes.LEVELS)
    assert (tied[nodes.LEVELS < 0.8] == 0.0).all()


def part_inside(weighted):
    """Of held-out labels in the 16-84 % interval of their node, with its error; each node has 43 of the 50 members that it needs.

    Labels rise by their scatter from row to row.
    """
    side, own, rng = 16, 43, np.random.default_rng(9)
    place = np.stack(np.divmod(np.arange(side**2), side), axis=1)
    distances = np.abs(place[:, None] - place).sum(-1)
    node = np.repeat(np.arange(side**2), own)
    values = place[node, 0] + rng.standard_normal(node.size)
    held_out = place[:, 0] + rng.standard_normal((200, side**2))
    if weighted:
        found = nodes.node_distributions(node, values, node, np.ones((side**2, 2), np.int32), distances, 50).value
    else:
        found = np.array([np.quantile(values[distances[k, node] <= 1], nodes.LEVELS) for k in range(side**2)])
    low, high = found[:, np.searchsorted(nodes.LEVELS, (0.16, 0.84))].T
    by_node = np.mean((held_out >= low) & (held_out <= high), axis=0)
    return by_node.mean(), by_node.std() / side


def test_intervals_of_pools_hold_as_many_labels_as_they_should():
    whole, error = part_inside(weighted=False)
    assert whole - 3 * error > 0.74
    partial, error = part_inside(weighted=True)
    assert error < 0.005 and abs(partial - 0.68) < 3 * error


def test_pooled_nodes_are_those_of_the_members_within_the_radius():
    rng = np.random.default_rng(4)
    node = rng.integers(N_NODE, size=300)
    values = np.where(rng.random(300) < 0.1, np.nan, rng.standard_normal(300))
    galaxy = rng.integers(30, size=300)
    found = nodes.node_distributions(node, values, galaxy, NO_DRAWS, DISTANCES, 25)
    assert (found.pool_radius > 0).any() and (found.ring_weight < 1).any()
    for k in range(N_NODE):
        inside = (DISTANCES[k, node] <= found.pool_radius[k]) & np.isfinite(values)
        order = np.flatnonzero(inside)[np.argsort(values[inside])]
        weight = np.where(DISTANCES[k, node] == found.pool_radius[k], found.ring_weight[k], 1.0)
        expected = nodes.weighted_quantiles(values[order], weight[order], nodes.LEVELS)
        np.testing.assert_allclose(found.value[k], expected)
        # Half of the weight lies on each side of the median.
        near = np.abs(np.sum(weight[order] * np.sign(values[order] - found.median[k])))
        assert near <= 1.5 and found.median[k] == found.value[k, np.searchsorted(nodes.LEVELS, 0.5)]
        assert (found.n_baxel[k], found.n_galaxy[k]) == (inside.sum(), np.unique(galaxy[inside]).size)
        assert inside.sum() >= 25
        by_bin = np.histogram(np.clip(values[inside], *found.edge[[0, -1]]), found.edge, weights=weight[inside])[0]
        np.testing.assert_allclose(found.histogram[k], by_bin, atol=1e-9)
        assert found.histogram[k].sum() == pytest.approx(max(25, np.sum(inside & (node == k))))
        fewer = (DISTANCES[k, node] < found.pool_radius[k]) & np.isfinite(values)
        assert fewer.sum() < 25


def test_labels_that_nobody_has_are_missing_everywhere():
    node, galaxy = np.arange(5), np.arange(5)
    found = nodes.node_distributions(node, np.full(5, np.nan), galaxy, NO_DRAWS, DISTANCES, 3)
    assert np.isnan(found.median).all() and np.isnan(found.edge).all() and not found.histogram.any()
    one = nodes.node_distributions(node[:1], np.array([2.0]), galaxy[:1], NO_DRAWS, DISTANCES, 3)
    assert (one.median == 2.0).all() and np.isnan(one.median_err).all() and (one.histogram.sum(axis=1) == 1).all()


@pytest.mark.parametrize("of_galaxy", [0.0, 1.0])
def test_errors_of_medians_are_those_of_clustered_data(of_galaxy):
    """Median of n Gaussian members of m galaxies: the variance of the influence function, summed by galaxy."""
    m, n, own = 300, 20, 1.0
    galaxy, found = np.repeat(np.arange(m), n), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        values = own * rng.standard_normal(m * n) + of_galaxy * rng.standard_normal(m)[galaxy]
        order = np.argsort(values)
        draws = nodes.galaxy_draws(m, 200, seed)
        found.append(nodes.median_error(values[order], np.ones(m * n), galaxy[order], draws))
    # Two members of a galaxy correlate by r; the signs of two Gaussians by 2/pi arcsin r.
    r = of_galaxy**2 / (of_galaxy**2 + own**2)
    sign_correlation = 2 / np.pi * np.arcsin(r)
    sigma = np.hypot(own, of_galaxy)
    expected = sigma * np.sqrt(np.pi / 2 * (1 + (n - 1) * sign_correlation) / (m * n))
    assert np.mean(found) == pytest.approx(expected, rel=0.08)


def test_errors_depend_on_the_seed_alone():
    values, galaxy = np.sort(np.random.default_rng(6).standard_normal(500)), np.arange(500) % 40
    draws = nodes.galaxy_draws(40, 60, 3)
    assert (draws.sum(axis=0) == 40).all()
    for weight in (np.ones(500), np.where(np.arange(500) % 7 < 3, 1.0, 0.25)):
        once = nodes.median_error(values, weight, galaxy, draws)
        assert once == nodes.median_error(values, weight, galaxy, nodes.galaxy_draws(40, 60, 3))
        assert once != nodes.median_error(values, weight, galaxy, nodes.galaxy_draws(40, 60, 4))
        whole = (4 * weight).astype(int)
        slow = [np.quantile(np.repeat(values, whole * d[galaxy]), 0.5, method="inverted_cdf") for d in draws.T]
        assert once == pytest.approx(np.std(slow, ddof=1))


def test_medians_of_groups():
    group, values = np.array([2, 0, 2, 2, 0, -1, 1]), np.array([3.0, 1.0, 5.0, 10.0, 2.0, 7.0, np.nan])
    np.testing.assert_array_equal(nodes.group_medians(group, values, 4), [1.5, np.nan, 5.0, np.nan])


def test_baxels_are_found_by_the_name_of_their_galaxy():
    table = {"plateifu": names_of(3)[::-1], "galaxy": np.array([0, 0, 1, 2]), "baxel": np.array([0, 1, 7, 0])}
    row = rows_of(names_of(4), np.array([0, 1, 1, 2, 2, 3]), np.array([0, 7, 0, 1, 2, 0]), table)
    assert row.tolist() == [3, 2, -1, 1, -1, -1]
    empty = {"plateifu": names_of(0), "galaxy": np.empty(0, int), "baxel": np.empty(0, int)}
    assert rows_of(names_of(2), np.array([0]), np.array([0]), empty).tolist() == [-1]
