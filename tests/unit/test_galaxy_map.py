"""The map of galaxies: Hubble classes, repeats, catalogue values by node, and the rule on small maps."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from attributes import attributes_of
from small_export import random_data

from mangrove import artefacts
from mangrove.analysis import galaxy_map
from mangrove.analysis.galaxy_map_run import read_catalogue, spread_out
from mangrove.analysis.hubble_types import HUBBLE_CLASSES, hubble_class
from mangrove.analysis.typicality import typicality
from mangrove.codes import Split
from mangrove.errors import SampleError
from mangrove.models.desom.assignment import Assignment
from mangrove.models.training import model_folder

ROWS, COLUMNS = 4, 5


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["E", "E0", "E5", "cE", "dE", "E pec", "E?"], "E"),
        (["S0", "S0-", "SB0", "S0a", "S0/a", "SAB0^0", "E/S0", "E-S0", "E(d)S0"], "S0"),
        (["Sa", "SBa", "SABa", "Sab", "SBab", "(R')SB(rs)a", "SAab"], "Sa"),
        (["Sb", "SBb", "SAb", "Sbc", "SAB(r)bc"], "Sb"),
        (["Sc", "SBc", "Scd", "SABcd pec"], "Sc"),
        (["Sd", "SBd", "Sdm", "SB(s)dm?"], "Sd"),
        (["Irr", "Im", "IBm", "I0", "Sm", "SBm", "SAB(s)m", "dIrr", "I"], "Irr"),
        (["", "S", "SB", "SAB", "Edge-on", "BCD", "merger", "star", "unknown"], ""),
    ],
)
def test_hubble_classes(texts, expected):
    """Types as the MaNGA Visual Morphology catalogue and de Vaucouleurs' write them."""
    assert {text: hubble_class(text) for text in texts} == dict.fromkeys(texts, expected)


@pytest.fixture(scope="module")
def survey():
    """MANGAIDs and nodes of 60 observations of 52 galaxies; some have no node."""
    rng = np.random.default_rng(2)
    names = np.array([f"1-{i}" for i in range(52)] + ["1-0", "1-0", "1-7", "1-9", "1-30", "1-31", "1-32", "1-33"])
    node = rng.integers(0, ROWS * COLUMNS, names.size)
    node[[9, 40]] = -1
    return names, node


def steps(one, other, columns=COLUMNS):
    (r, c), (r2, c2) = divmod(one, columns), divmod(other, columns)
    return max(abs(r - r2), abs(c - c2))


def test_repeats_are_all_pairs_of_observations_of_a_galaxy(survey):
    names, node = survey
    found = galaxy_map.repeat_pairs(names, node, COLUMNS)
    expected = [
        (i, j, steps(node[i], node[j]) if min(node[i], node[j]) >= 0 else -1)
        for i, j in combinations(range(len(names)), 2)
        if names[i] == names[j]
    ]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == expected
    # Three observations of one galaxy are three pairs.
    assert len(expected) == 9 and found.distance[found.first == 9].tolist() == [-1]


def test_pairs_of_different_galaxies_are_counted_one_by_one(survey):
    names, node = survey
    found = galaxy_map.steps_of_different_galaxies(names, node, ROWS, COLUMNS)
    apart = [steps(node[i], node[j]) for i, j in combinations(np.flatnonzero(node >= 0), 2) if names[i] != names[j]]
    assert found.tolist() == np.bincount(apart, minlength=max(ROWS, COLUMNS)).tolist()


def test_a_sample_without_repeats_or_nodes():
    found = galaxy_map.repeat_pairs(np.array(["1-1", "1-2"]), np.array([3, -1]), COLUMNS)
    assert [part.size for part in found] == [0, 0, 0]
    nowhere = np.array([-1, -1])
    assert not galaxy_map.steps_of_different_galaxies(np.array(["1-1", "1-2"]), nowhere, ROWS, COLUMNS).any()


def test_catalogue_values_by_node():
    node = np.array([0, 0, 0, 0, 2, 2, -1])
    hubble = np.array(["E", "E", "Sb", "", "", "", "E"])
    n = np.array([4.0, 2.0, np.nan, 1.0, np.nan, 3.0, 9.0])
    ba = np.array([0.5, 0.7, 0.1, 0.6, 0.2, np.nan, 0.9])
    found = galaxy_map.catalogue_by_node(galaxy_map.Catalogue(hubble, n, ba), node, 3)
    assert found["n_morphology"].tolist() == [3, 0, 0] and found["n_sersic"].tolist() == [3, 0, 0]
    fraction = dict(zip(found["morphology"].tolist(), found["morphology_fraction"][0], strict=True))
    assert fraction == pytest.approx({name: {"E": 2 / 3, "Sb": 1 / 3}.get(name, 0.0) for name in HUBBLE_CLASSES})
    assert np.isnan(found["morphology_fraction"][1:]).all() and np.isnan(found["sersic_n"][1:]).all()
    assert (found["sersic_n"][0], found["sersic_ba"][0]) == (2.0, 0.6)


def test_examples_and_counts_of_the_nodes():
    names, split = np.array(["a", "b", "c", "d", "e"]), np.array([Split.TRAIN, Split.TEST, Split.TRAIN, 1, 0])
    node, distance = np.array([1, 1, 0, -1, 1]), np.array([0.5, 0.2, 0.9, np.nan, 0.4])
    assert galaxy_map.nearest_to_prototypes(names, node, distance, 3).tolist() == ["c", "b", ""]
    assert galaxy_map.counts_by_split(node, split, 3).tolist() == [[1, 0, 0], [2, 0, 1], [0, 0, 0]]


def test_typicality_is_the_fraction_of_the_training_set_that_lies_farther():
    training = np.array([3.0, 1.0, 2.0, 4.0])
    found = typicality(np.array([0.5, 2.0, 2.5, 4.0, 9.0, np.nan]), training)
    assert found == pytest.approx([1.0, 0.5, 0.5, 0.0, 0.0, np.nan], nan_ok=True)


def test_galaxies_without_a_fingerprint_have_no_node():
    one = Assignment(np.array([4]), np.array([2]), np.array([0.5]), np.array([0.7]), np.array([0.01]))
    placed = spread_out(one, np.array([False, True]))
    assert placed["node"].tolist() == [-1, 4] and placed["second_node"].tolist() == [-1, 2]
    assert placed["distance"] == pytest.approx([np.nan, 0.5], nan_ok=True)


SHEET = """plateifu\tmangaid\tz\tebv\tra\tdec\tsersic_n\tsersic_ba\tmorphology
8485-1901\t1-1\t0.03\t0.02\t150\t2\t3.5\t0.8\tSBbc
8485-1902\t1-2\t0.03\t0.02\t151\t2\t-9999\t0.4\t
"""


def test_the_sheet_gives_types_and_sersic_fits(tmp_path):
    (tmp_path / "sheet.tsv").write_text(SHEET)
    found = read_catalogue(tmp_path / "sheet.tsv", ["8485-1902", "8485-1901"], own_files=False)
    assert found.hubble.tolist() == ["", "Sb"]
    assert found.sersic_n == pytest.approx([np.nan, 3.5], nan_ok=True) and found.sersic_ba.tolist() == [0.4, 0.8]
    with pytest.raises(SampleError, match="needs this column"):
        read_catalogue(tmp_path / "sheet.tsv", [], own_files=True)


def run_rule(script, folder, sheet):
    (folder / "sheet.tsv").write_text(sheet)
    files = {name: folder / "model" / file for name, file in (("description", "model.json"), ("arrays", "arrays.npz"))}
    inputs = SimpleNamespace(fingerprints=folder / "f.h5", sheet=folder / "sheet.tsv", **files)
    outputs = SimpleNamespace(assignments=folder / "a.h5", map=folder / "m.h5")
    script("galaxy_map_assign").main(inputs, outputs, {"own_files": False})
    return artefacts.read(outputs.assignments, "galaxy_map_assignments"), artefacts.read(outputs.map, "galaxy_map")


def test_without_a_model_both_artefacts_give_its_reason(tmp_path, script):
    names = {"plateifu": np.array(["8485-1901", "8485-1902"]), "mangaid": np.array(["1-1", "1-1"])}
    data = random_data("fingerprints", {"plateifu": 2, "node": 12}, **names)
    attrs = attributes_of("fingerprints", rows=3, columns=4)
    artefacts.write(tmp_path / "f.h5", "fingerprints", data, artefacts.Provenance(), attrs)
    model_folder.save_empty(tmp_path / "model", "no galaxy to train on has a fingerprint", {})
    assigned, nodes = run_rule(script, tmp_path, SHEET)
    for one in (assigned, nodes):
        assert not one.ok and one.attrs["reason"] == "no galaxy to train on has a fingerprint"
    assert assigned["node"].tolist() == [-1, -1] and assigned["repeat_distance"].tolist() == [-1]
    assert nodes["prototype_fingerprint"].shape == (0, 12) and np.isnan(nodes.attrs["mse"])
    # Not known, which 0 would not say.
    assert nodes.attrs["n_empty"] == -9999


N_GALAXY = 40
#: Two kinds of galaxies, early types on the lower half of the map of spectra, spirals on the upper one.
KIND = np.where(np.arange(N_GALAXY) < 2, 0, np.arange(N_GALAXY) % 2)
NAMES = [f"8485-{1901 + i}" for i in range(N_GALAXY)]


@pytest.fixture(scope="module")
def placed(tmp_path_factory, script):
    """Both artefacts of a map of 3 x 4 nodes; the second galaxy repeats the first, the last has no baxel."""
    folder = tmp_path_factory.mktemp("galaxy_map")
    counts = np.random.default_rng(0).poisson(np.where(np.arange(36) // 18 == KIND[:, None], 5.0, 0.2))
    counts[1], counts[-1] = counts[0], 0
    mangaid = ["1-0", *(f"1-{i}" for i in range(N_GALAXY - 1))]
    given = {"plateifu": np.array(NAMES), "mangaid": np.array(mangaid), "counts": counts, "n_baxel": counts.sum(axis=1)}
    given |= {"normalised": counts / np.maximum(counts.max(axis=1, keepdims=True), 1), "node_limit": counts.max(axis=0)}
    given |= {"split": np.repeat([Split.TRAIN, Split.TEST, Split.VALIDATION, Split.TEST], [28, 8, 3, 1])}
    data = random_data("fingerprints", {"plateifu": N_GALAXY, "node": 36}, **given)
    attrs = attributes_of("fingerprints", rows=6, columns=6)
    artefacts.write(folder / "f.h5", "fingerprints", data, artefacts.Provenance(), attrs)
    train(script, folder)
    rows = [
        f"{name}\t{of}\t0.03\t0.02\t150\t2\t{[4.0, 1.0][k]}\t0.5\t{['E', 'SBb'][k]}"
        for name, of, k in zip(NAMES, mangaid, KIND, strict=True)
    ]
    return run_rule(script, folder, "\n".join([SHEET.splitlines()[0], *rows, ""]))


def train(script, folder):
    params = {
        "som_update": "batch",
        "som_step": 0.05,
        "som_distance": "manhattan",
        "rows": 3,
        "columns": 4,
        "latent": 4,
    }
    params |= {
        "filters": 2,
        "kernel": 3,
        "batch_size": 16,
        "iterations": 100,
        "cooling_iterations": 80,
        "gamma": 8e-6,
        "seed": 1,
    }
    params |= {"temperature_start": 3.0, "temperature_end": 0.5, "learning_rate": 3e-3}
    model = folder / "model"
    files = {"description": model / "model.json", "arrays": model / "arrays.npz", "metrics": folder / "metrics.jsonl"}
    script("galaxy_map_train").main(SimpleNamespace(fingerprints=folder / "f.h5"), SimpleNamespace(**files), params)


def test_the_rule_places_galaxies_and_describes_nodes(placed):
    assigned, nodes = placed
    node = assigned["node"]
    assert assigned.ok and nodes.ok and (nodes.attrs["rows"], nodes.attrs["columns"]) == (3, 4)
    assert node[-1] == -1 and np.isnan(assigned["distance"][-1]) and (node[:-1] >= 0).all()
    assert node[0] == node[1] and assigned["repeat_distance"].tolist() == [0]
    assert nodes["n_galaxy"].sum(axis=0).tolist() == [28, 3, 8]
    assert np.array_equal(nodes["n_galaxy"].sum(axis=1), np.bincount(node[:-1], minlength=12))
    # The two kinds share no node.
    assert not set(node[:-1][KIND[:-1] == 0]) & set(node[:-1][KIND[:-1] == 1])
    early = np.bincount(node[:-1][KIND[:-1] == 0], minlength=12) > 0
    occupied = nodes["n_galaxy"].any(axis=1)
    assert np.array_equal(nodes["morphology_fraction"][:, 0] == 1.0, early)
    assert np.array_equal(nodes["sersic_n"][occupied], np.where(early, 4.0, 1.0)[occupied])
    assert np.isnan(nodes["sersic_ba"][~occupied]).all()


def test_examples_distances_and_quality(placed):
    assigned, nodes = placed
    for k, example in enumerate(nodes["example"].tolist()):
        here = np.flatnonzero(assigned["node"] == k)
        assert example == (NAMES[here[np.argmin(assigned["distance"][here])]] if here.size else "")
    trained = np.sort(assigned["distance"][:28])
    assert nodes["distance_quantile"][[0, -1]] == pytest.approx(trained[[0, -1]])
    assert assigned["typicality"][3] == pytest.approx(np.mean(trained > assigned["distance"][3]))
    test = slice(28, 36)
    assert nodes.attrs["quantisation_error"] == pytest.approx(assigned["distance"][test].mean())
    assert nodes.attrs["mse"] == pytest.approx(assigned["mse"][test].mean())
    apart = [steps(a, b, 4) > 1 for a, b in zip(assigned["node"][test], assigned["second_node"][test], strict=True)]
    assert nodes.attrs["topographic_error_8"] == pytest.approx(np.mean(apart))
    assert nodes.attrs["n_empty"] == np.sum(nodes["n_galaxy"][:, Split.TRAIN] == 0)
