"""The judgement of the map of spectra: calibration, baselines, and the rule on a small survey."""

import csv

import numpy as np
import pytest
from mapped_survey import mapped_survey, write_labels, write_spectra
from scipy.stats import norm, spearmanr
from small_map import COLUMNS, ROWS, small_model

from mangrove import artefacts
from mangrove.analysis.map_quality import morans_i
from mangrove.analysis.mapped_baxels import label_values, read_mapped
from mangrove.analysis.node_distributions import LEVELS, group_medians
from mangrove.analysis.node_labels import NodeLabels, read_node_labels
from mangrove.codes import Split
from mangrove.data_model import LABEL
from mangrove.models.training.model_folder import save_empty
from mangrove.validation import map_baselines as baselines
from mangrove.validation import map_spectra
from mangrove.validation.map_calibration import calibration
from mangrove.validation.map_limits import FEWEST_BAXELS, FEWEST_GALAXIES, measure_row, verdict

WAVE = np.geomspace(3700.0, 7000.0, 256)
INPUTS = ("training_spectra", "assignments", "labels", "node_labels")


def gaussian_nodes(widths, centres) -> NodeLabels:
    """Nodes whose label is a Gaussian of known centre and width."""
    value = centres[:, None] + widths[:, None] * norm.ppf(np.clip(LEVELS, 1e-9, 1 - 1e-9))
    sample = np.quantile(
        np.concatenate(
            [c + w * norm.ppf(np.linspace(0.001, 0.999, 999)) for c, w in zip(centres, widths, strict=True)]
        ),
        LEVELS,
    )
    median = centres[:, None]
    return NodeLabels(("age",), median, value[:, None], median, median, sample[None])


@pytest.mark.parametrize(("too_wide", "held"), [(1.0, 0.68), (2.0, 0.954), (0.5, 0.383)])
def test_calibrated_distributions_hold_68_per_cent_and_an_even_pit(too_wide, held):
    rng, centres = np.random.default_rng(1), np.linspace(8.0, 10.0, 9)
    nodes = gaussian_nodes(np.full(9, 0.2), centres)
    node = rng.integers(9, size=20_000)
    values = centres[node] + 0.2 / too_wide * rng.standard_normal(node.size)
    values[:10] = np.nan
    found = calibration(nodes, "age", node, values, np.arange(node.size) // 20)
    assert found.coverage == pytest.approx(held, abs=0.01) and found.n == node.size - 10
    assert found.pit.sum() == found.n
    even = found.pit / found.n
    assert even.std() < 0.004 if too_wide == 1.0 else even.std() > 0.05
    assert found.bias == pytest.approx(0.0, abs=0.01)
    assert found.scatter == pytest.approx(0.2 / too_wide, rel=0.03)
    low, high = nodes.sample_value[0, np.searchsorted(LEVELS, [0.16, 0.84])]
    assert found.width == pytest.approx(0.2 * 2 * norm.ppf(0.84) / (high - low))
    assert found.rho == pytest.approx(spearmanr(centres[node[10:]], values[10:])[0])


def test_a_value_that_many_share_is_calibrated_too():
    """A third of the members are 0, as where no dust is found: no interval could hold 68 % by whole values."""
    rng = np.random.default_rng(7)

    def draw(n):
        return np.maximum(rng.uniform(-0.35, 0.65, n), 0.0)

    value = np.quantile(draw(100_000), LEVELS)
    median = value[None, 9:10]
    nodes = NodeLabels(("age",), median, value[None, None], median, median, value[None])
    values = draw(50_000)
    found = calibration(nodes, "age", np.zeros(values.size, int), values, np.arange(values.size))
    assert found.coverage == pytest.approx(0.68, abs=0.01)
    np.testing.assert_allclose(found.pit / found.n, 0.1, atol=0.01)


def test_errors_of_the_coverage_are_those_of_galaxies():
    """Baxels that all err with their galaxy say no more than one of them."""
    rng, nodes = np.random.default_rng(2), gaussian_nodes(np.array([1.0]), np.array([0.0]))
    galaxy = np.repeat(np.arange(200), 50)
    alike = rng.standard_normal(200)[galaxy]
    found = calibration(nodes, "age", np.zeros(galaxy.size, int), alike, galaxy)
    assert found.n_galaxy == 200
    assert found.coverage_error == pytest.approx(np.sqrt(0.68 * 0.32 / 200), rel=0.1)


def test_labels_without_a_node_or_a_value_do_not_count():
    nodes = gaussian_nodes(np.array([1.0, np.nan]), np.array([0.0, np.nan]))
    found = calibration(nodes, "age", np.array([0, 1, 0]), np.array([0.1, 0.1, np.nan]), np.arange(3))
    assert found.n == 1 and np.isnan(found.rho)
    none = calibration(nodes, "age", np.array([1]), np.array([0.1]), np.array([0]))
    assert none.n == 0 and np.isnan([none.coverage, none.bias, none.scatter, none.width]).all()


def test_limits_are_judged_where_there_is_enough_to_judge_by():
    enough = FEWEST_BAXELS, FEWEST_GALAXIES
    assert measure_row("a", "", 0.1, enough, at_most=0.15).holds == "yes"
    assert measure_row("a", "", 0.2, enough, at_most=0.15).holds == "no"
    assert measure_row("a", "", 0.8, enough, at_least=0.9).holds == "no"
    assert measure_row("a", "", np.nan, enough, at_least=0.9).holds == "no"
    assert measure_row("a", "", 0.1, enough).holds == "no limit"
    assert measure_row("a", "", 0.2, (FEWEST_BAXELS, FEWEST_GALAXIES - 1), at_most=0.15).holds == "too few"
    assert verdict([(0.7, 0.6, 0.76), (0.7, np.nan, 0.6)], *enough) == "no"


def spectra(rng, n):
    """Spectra of three components, one of which is the label, and noise."""
    label = rng.uniform(-1.0, 1.0, n)
    slope, line = label[:, None], np.exp(-0.5 * ((WAVE - 5007.0) / 20.0) ** 2)
    other = rng.uniform(0.5, 1.5, (2, n, 1))
    flux = 1.0 + slope * np.log(WAVE / 5000.0) + 0.3 * other[0] * line + 0.1 * other[1] * np.sin(WAVE / 300.0)
    return (flux + 0.02 * rng.standard_normal(flux.shape)).astype(np.float32), label


def test_clusters_of_components_order_a_label_that_the_spectra_show():
    rng = np.random.default_rng(3)
    parts = [spectra(rng, n) for n in (600, 200, 200)]
    flux = baselines.Samples(*(one for one, _ in parts))
    labels = baselines.Samples(*(np.stack([y, rng.standard_normal(y.size)], axis=1) for _, y in parts))
    number, rho = baselines.best_component_rho(flux, labels, 12, 1)
    assert number in baselines.OF_CLUSTERS and rho[0] > 0.8 and abs(rho[1]) < 0.3
    again = baselines.best_component_rho(flux, labels, 12, 1)
    assert again[0] == number and (again[1] == rho).all()


def test_errors_of_reconstruction_leave_masked_bins_out():
    rng = np.random.default_rng(4)
    flux, _ = spectra(rng, 120)
    mask = rng.random(flux.shape) < 0.1
    components = baselines.principal_components(flux[:80], 20, 1)
    numbers = [1, 3, 20]
    found = baselines.reconstruction_errors(components, numbers, flux[80:], flux[80:], mask[80:])
    for j, n in enumerate(numbers):
        axes = components.axes[:n].astype(float)
        made = components.mean + (flux[80:] - components.mean) @ axes.T @ axes
        slow = [np.mean((m - f)[~hidden] ** 2) for m, f, hidden in zip(made, flux[80:], mask[80:], strict=True)]
        np.testing.assert_allclose(found[:, j], slow, rtol=2e-3)
    assert found[:, 0].mean() > found[:, 1].mean() > found[:, 2].mean()
    white = components.whitened(flux[:80], 3)
    np.testing.assert_allclose(white.std(axis=0, ddof=1), 1.0, rtol=1e-3)


def write_run(folder, script, Params):
    """Spectra whose slope is the label, an untrained map of them, assignments and labels; gives inputs."""
    survey = mapped_survey(48, 15)
    flux, label = spectra(np.random.default_rng(5), survey.galaxy.size)
    survey = survey._replace(age=label)
    inputs = {name: str(folder / f"{name}.h5") for name in INPUTS}
    inputs |= {"description": str(folder / "model" / "model.json"), "arrays": str(folder / "model" / "arrays.npz")}
    write_spectra(inputs["training_spectra"], survey, flux, WAVE)
    write_labels(inputs["labels"], survey)
    small_model(flux[survey.split == Split.TRAIN], WAVE).save(folder / "model")
    return survey, Params(inputs)


def judge(folder, script, Params, inputs):
    outputs = Params(
        assignments=inputs.assignments,
        map=str(folder / "map.h5"),
        node_labels=inputs.node_labels,
    )
    script("desom_assign").main(inputs, outputs, Params())
    script("desom_maps").main(inputs, outputs, Params(min_baxels=20, n_bootstrap=20, seed=1))
    written = Params(quality=str(folder / "q.h5"), table=str(folder / "labels.csv"), map=str(folder / "map.csv"))
    script("desom_quality").main(inputs, written, Params(seed=1))
    return artefacts.read(written.quality, "desom_quality")


def rows(path):
    with path.open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def test_a_map_is_judged_on_its_test_galaxies(script, Params, tmp_path):
    survey, inputs = write_run(tmp_path, script, Params)
    found = judge(tmp_path, script, Params, inputs)
    placed = artefacts.read(inputs.assignments, "desom_assignments")
    test, train = placed["split"] == Split.TEST, placed["split"] == Split.TRAIN
    assert found["label"].tolist() == list(LABEL) and (found["n"] == test.sum()).all()
    assert found.attrs["quantisation_error"] == pytest.approx(placed["distance"][test].mean())
    assert found.attrs["mse"] == pytest.approx(placed["mse"][test].mean())
    assert found.attrs["n_empty"] == ROWS * COLUMNS - np.unique(placed["node"][train]).size
    assert 0.5 < found.attrs["trustworthiness"] <= 1.0
    # Pools apart, the median of a node is that of its training baxels.
    medians = group_medians(placed["node"][train], survey.age[train], ROWS * COLUMNS)
    assert found["rho"][0] == pytest.approx(spearmanr(medians[placed["node"][test]], survey.age[test])[0], abs=0.1)
    assert found["rho_kmeans_pca"][0] > 0.7 and np.isfinite(found["rho_kmeans_latent"]).all()
    assert (found["pit"].sum(axis=1) == found["n"]).all()
    # Of the nodes' own baxels, however many neighbours the pools take.
    of_test = group_medians(placed["node"][test], survey.age[test], ROWS * COLUMNS)
    assert found["rho_train_test"][0] == pytest.approx(spearmanr(medians, of_test, nan_policy="omit")[0], abs=1e-6)
    assert found["morans_i"][0] == pytest.approx(morans_i(medians, COLUMNS), rel=1e-5)
    # Few enough that all test spectra are compared.
    assert found["rho_of_compared"] == pytest.approx(found["rho"])
    assert 6 in found["pca_component"] and (np.diff(found["pca_mse"]) < 0).all()
    table = rows(tmp_path / "labels.csv")
    assert [row["label"] for row in table] == list(LABEL)
    assert {row["label"]: row["holds"] for row in table}["log_age_lw"] == "too few"
    assert {row["label"]: row["holds"] for row in table}["d_bpt"] == "no limit"
    measures = {(row["measure"], row["of"]): row for row in rows(tmp_path / "map.csv")}
    assert measures["topographic_error_8", ""]["at_most"] == "0.15"
    assert ("mse of principal components", "6 components") in measures
    chosen = measures["number of whitened components whose clusters are the best", "validation set"]
    assert int(chosen["n_baxel"]) == np.sum(survey.split == Split.VALIDATION)
    assert int(float(chosen["value"])) in baselines.OF_CLUSTERS


def test_only_the_first_spectra_are_taken_where_there_are_many(script, Params, tmp_path, monkeypatch):
    survey, inputs = write_run(tmp_path, script, Params)
    monkeypatch.setattr(map_spectra, "MOST", {Split.TRAIN: 100, Split.VALIDATION: 30, Split.TEST: 40})
    monkeypatch.setattr(map_spectra, "_READ", 64)
    found = judge(tmp_path, script, Params, inputs)
    assert (found["n"] == np.sum(survey.split == Split.TEST)).all()
    assert found["pca_component"].max() == 99
    # What is compared with components and clusters is of the same spectra as they.
    placed, trained = read_mapped(inputs.assignments), read_node_labels(inputs.node_labels)
    compared = map_spectra.read_spectra(inputs.training_spectra, placed, Split.TEST).row
    assert compared.size == 40 < found["n"][0]
    mse = placed.mse[compared].mean()
    assert found.attrs["mse_of_compared"] == pytest.approx(mse) and found.attrs["mse"] != pytest.approx(mse, rel=1e-4)
    node = placed.node[compared]
    own = label_values(inputs.labels, placed)["log_age_lw"][compared]
    assert found["rho_of_compared"][0] == pytest.approx(spearmanr(trained.median[node, 0], own)[0])
    table = {row["measure"]: row for row in rows(tmp_path / "map.csv") if row["measure"].startswith("mse")}
    counts = {measure: (int(row["n_baxel"]), int(row["n_galaxy"])) for measure, row in table.items()}
    few = 40, np.unique(placed.object[compared]).size
    assert counts["mse"][0] == np.sum(survey.split == Split.TEST)
    assert counts["mse, same spectra as the components"] == counts["mse of principal components"] == few
    assert float(table["mse, same spectra as the components"]["value"]) == pytest.approx(mse, rel=1e-3)


def test_without_a_model_there_is_an_empty_artefact_with_the_reason(script, Params, tmp_path):
    _, inputs = write_run(tmp_path, script, Params)
    save_empty(tmp_path / "model", "3 spectra are too few", {})
    found = judge(tmp_path, script, Params, inputs)
    assert (found.attrs["status"], found.attrs["reason"]) == ("empty", "3 spectra are too few")
    assert found["label"].size == 0
    assert (tmp_path / "labels.csv").read_text() == (tmp_path / "map.csv").read_text() == "nothing trained\n"
