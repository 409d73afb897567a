"""Every baxel on the map of spectra: nodes, distances and templates against slow formulas."""

import numpy as np
import pytest
from attributes import attributes_of
from small_map import COLUMNS, GALAXIES, ROWS, files_of, make_map, small_model

from mangrove import artefacts
from mangrove.analysis.desom_run import assign_run, with_model
from mangrove.analysis.node_templates import NodeSums
from mangrove.codes import Split, TrainingCut
from mangrove.errors import ModelError
from mangrove.models.training import model_folder
from mangrove.survey.split import split_of

N_NODE = ROWS * COLUMNS


@pytest.fixture(scope="module")
def run(tmp_path_factory, script, Params):
    """Files of the rule, its training spectra in memory, and the model."""
    return make_map(tmp_path_factory.mktemp("run"), script, Params)


@pytest.fixture(scope="module")
def baxels(run):
    return artefacts.read(run.outputs.assignments, "desom_assignments")


@pytest.fixture(scope="module")
def nodes(run):
    return artefacts.read(run.outputs.map, "desom_map")


@pytest.fixture(scope="module")
def slow(run):
    """Distances of each row of the training spectra from each prototype, one by one, float64."""
    z = run.model.som_space(run.model.encode(run.rows["flux"])).astype(float)
    prototypes = run.model.som_space(run.model.prototypes).astype(float)
    return np.array([[np.sqrt(np.sum((one - p) ** 2)) for p in prototypes] for one in z])


@pytest.fixture(scope="module")
def row_of(run):
    """Row of the training spectra of each of their baxels."""
    return {pair: i for i, pair in enumerate(zip(run.rows["galaxy"], run.rows["baxel"], strict=True))}


def learnt_rows(run):
    return np.flatnonzero((run.rows["cut"] == TrainingCut.KEPT) & (run.rows["split"] == Split.TRAIN))


def test_every_baxel_has_a_row_galaxy_by_galaxy(baxels):
    members = list(zip(baxels["galaxy"].tolist(), baxels["baxel"].tolist(), strict=True))
    assert members == [(g, i) for g, galaxy in enumerate(GALAXIES) for i in range(galaxy[3])]
    assert baxels["plateifu"].tolist() == [galaxy[0] for galaxy in GALAXIES]


def test_nodes_and_distances_are_those_of_the_slow_formula(run, baxels, slow, row_of):
    order = slow.argsort(axis=1)
    reconstruction = run.model.decode(run.model.encode(run.rows["flux"]))
    good = run.rows["mask"] == 0
    for i, pair in enumerate(zip(baxels["galaxy"], baxels["baxel"], strict=True)):
        if pair not in row_of:
            continue
        r = row_of[pair]
        for name, node, distance in zip(("", "second_"), order[r, :2], np.sort(slow[r])[:2], strict=True):
            assert baxels[f"{name}node"][i] == node
            assert baxels[f"{name}distance"][i] == pytest.approx(distance, rel=1e-3, abs=1e-4)
        mse = np.mean((reconstruction[r] - run.rows["flux"][r])[good[r]] ** 2)
        assert baxels["mse"][i] == pytest.approx(mse, rel=1e-4)
        for name in ("snr", "radius_re", "cut", "split"):
            assert baxels[name][i] == run.rows[name][r]


def test_typicality_is_the_part_of_the_training_set_that_lies_farther(run, baxels, row_of):
    placed = baxels["node"] >= 0
    learnt = placed & (baxels["cut"] == TrainingCut.KEPT) & (baxels["split"] == Split.TRAIN)
    assert learnt.sum() == learnt_rows(run).size
    for distance, found in zip(baxels["distance"][placed], baxels["typicality"][placed], strict=True):
        assert found == pytest.approx(np.mean(baxels["distance"][learnt] > distance), abs=1e-6)


def test_baxels_without_a_spectrum_are_on_no_node(baxels, row_of):
    members = zip(baxels["galaxy"], baxels["baxel"], strict=True)
    without = np.array([pair not in row_of for pair in members])
    assert without.sum() == 3, "the dark galaxy"
    assert np.array_equal(without, baxels["node"] == -1) and np.array_equal(without, baxels["second_node"] == -1)
    for name in ("distance", "second_distance", "typicality", "mse", "snr", "radius_re"):
        assert np.array_equal(without, np.isnan(baxels[name])), name


def test_the_split_is_by_galaxy_also_of_baxels_that_are_cut(baxels):
    wanted = np.array([split_of(mangaid, 1, 0.1, 0.2) for _, mangaid, *_ in GALAXIES])
    cut = baxels["cut"] == TrainingCut.LOW_SNR
    assert cut.sum() > 10 and np.all(baxels["split"][cut] == wanted[baxels["galaxy"][cut]])


def test_templates_are_means_over_the_training_spectra_of_the_node(run, nodes, slow):
    node, learnt = slow.argmin(axis=1), learnt_rows(run)
    assert len(set(node[learnt])) >= 3
    for k in range(N_NODE):
        members = learnt[node[learnt] == k]
        values = np.where(run.rows["mask"][members] == 0, run.rows["flux"][members].astype(float), np.nan)
        count = np.isfinite(values).sum(axis=0)
        np.testing.assert_array_equal(nodes["template_count"][k], count)
        for j in range(0, values.shape[1], 17):
            known = values[:, j][np.isfinite(values[:, j])]
            mean = known.mean() if known.size else np.nan
            scatter = known.std(ddof=1) if known.size > 1 else np.nan
            assert nodes["template_flux"][k, j] == pytest.approx(mean, rel=1e-5, nan_ok=True)
            assert nodes["template_scatter"][k, j] == pytest.approx(scatter, rel=1e-3, abs=1e-5, nan_ok=True)


def test_the_map_counts_its_members(run, nodes, slow):
    node, rows = slow.argmin(axis=1), run.rows
    for k in range(N_NODE):
        kept = (node == k) & (rows["cut"] == TrainingCut.KEPT)
        assert nodes["n_baxel"][k].tolist() == [int(np.sum(kept & (rows["split"] == code))) for code in Split]
        names = {GALAXIES[g][1] for g in rows["galaxy"][kept & (rows["split"] == Split.TRAIN)]}
        assert nodes["n_galaxy"][k] == len(names), "both observations of a galaxy are one"


def test_the_map_holds_prototypes_quantiles_and_what_the_spectra_are(run, nodes, slow):
    np.testing.assert_array_equal(nodes["prototype_flux"], run.model.decode(run.model.prototypes))
    np.testing.assert_array_equal(nodes["lsf"], run.rows["lsf"])
    assert nodes["node_row"].tolist() == [k // COLUMNS for k in range(N_NODE)]
    assert nodes["node_column"].tolist() == [k % COLUMNS for k in range(N_NODE)]
    assert nodes.attrs["norm_band"] == (4050.0, 4150.0) and nodes.attrs["galactic_extinction"]
    assert nodes.attrs["min_snr"] == 10.0
    placed = artefacts.read(run.outputs.assignments, "desom_assignments", []).attrs
    assert nodes.attrs["model_hash"] == placed["model_hash"] == artefacts.input_hash(run.inputs.arrays)
    assert (nodes.attrs["rows"], nodes.attrs["columns"]) == (3, 4)
    wanted = np.quantile(slow.min(axis=1)[learnt_rows(run)], nodes["quantile"])
    np.testing.assert_allclose(nodes["distance_quantile"], wanted, rtol=1e-3, atol=1e-4)


def test_small_blocks_give_what_one_block_gives(run):
    whole, small = (with_model(run.model, run.inputs.training_spectra, run.rows, block) for block in (10_000, 32))
    for one, other in ((whole.assignments, small.assignments), (whole.map, small.map)):
        for name, values in one.items():
            if name == "typicality":
                # Spectra of the training lie on their nodes but for rounding, which orders them anew in each block.
                apart = whole.assignments["distance"] > 1e-5
                assert apart.sum() > 50
                np.testing.assert_allclose(other[name][apart], values[apart], err_msg=name)
            elif values.dtype.kind == "f":
                np.testing.assert_allclose(other[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
            else:
                np.testing.assert_array_equal(other[name], values, err_msg=name)


def test_sums_leave_out_what_is_masked_whatever_its_value():
    flux = np.array([[1.0, np.inf], [3.0, 2.0], [100.0, np.nan]], np.float32)
    sums = NodeSums(2, 2)
    sums.add(flux, np.array([[0, 1], [0, 0], [0, 0]], np.int8), np.array([1, 1, -1], np.int32))
    found = sums.templates()
    np.testing.assert_array_equal(found.count, [[0, 0], [2, 1]])
    np.testing.assert_allclose(found.flux, [[np.nan, np.nan], [2.0, 2.0]])
    np.testing.assert_allclose(found.scatter, [[np.nan, np.nan], [np.sqrt(2.0), np.nan]], rtol=1e-6)


def test_a_spectrum_that_is_not_finite_is_on_no_node(run, tmp_path):
    """No spectrum of the workflow is; but one among a million would spoil the co-added spectra of all."""
    data = dict(run.rows.data)
    data["flux"] = data["flux"].copy()
    data["flux"][5, 3] = np.nan
    path = tmp_path / "training_spectra.h5"
    artefacts.write(path, "training_spectra", data, artefacts.Provenance(), attributes_of("training_spectra"))
    made = with_model(run.model, path, run.rows)
    assert np.sum(made.assignments["node"] == -1) == 4
    assert np.isnan(made.map["template_flux"]).all(axis=1).sum() == np.sum(made.map["template_count"].max(axis=1) == 0)


def test_without_a_model_no_baxel_has_a_node(run, script, Params, tmp_path):
    folder = tmp_path / "empty"
    model_folder.save_empty(folder, "no spectrum to train on passed the cuts", {})
    made = Params(assignments=str(tmp_path / "a.h5"), map=str(tmp_path / "m.h5"))
    script("desom_assign").main(Params({**run.inputs, **files_of(folder)}), made, Params(code="none"))
    baxels, nodes = artefacts.read(made.assignments, "desom_assignments"), artefacts.read(made.map, "desom_map")
    for found in (baxels, nodes):
        assert (found.attrs["status"], found.attrs["reason"]) == ("empty", "no spectrum to train on passed the cuts")
    assert np.all(baxels["node"] == -1) and baxels["node"].size == 158 and nodes["node_row"].size == 0


def test_a_model_of_other_wavelengths_is_refused(run, Params, tmp_path):
    small_model(run.rows["flux"][:, :128], run.rows["wave"][:128]).save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"the model has 128 wavelengths .* the spectra have 256"):
        assign_run(Params({**run.inputs, **files_of(tmp_path / "model")}), Params(), {})
