"""The map of spectra against the truth of a small simulated survey without cubes."""

import csv
from dataclasses import fields

import numpy as np
import pytest
from mapped_survey import MappedSurvey, write_labels
from scipy.stats import spearmanr
from small_extract import params_of_training
from small_map import COLUMNS, ROWS, small_model

from mangrove import artefacts
from mangrove.analysis.node_distributions import group_medians
from mangrove.codes import Split
from mangrove.data_model import LABEL
from mangrove.models.training.model_folder import save_empty
from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus
from mangrove.survey.target import Target
from mangrove.validation.map_limits import MeasureRow

SEED, N_BAXEL = 1, 12
NAMES = spectra_plateifus(14)
TRAINING = params_of_training(n_wave=256, min_snr=1.0, seed=3, test_fraction=0.3)
PARAMS = {**TRAINING, "noiseless": True, "seed": SEED, "code": "test"}


def simulate(folder, script, Params):
    paths = {}
    for name in NAMES:
        galaxy = design_various_galaxy(name, SEED)
        about = {f.name: getattr(galaxy, f.name, -9999.0) for f in fields(Target)}
        about |= {"plateifu": name, "z": galaxy.redshift, "ebv": galaxy.ebv_galactic, "r_e": 5.0}
        outputs = Params(extract=str(folder / "extract" / f"{name}.h5"), truth=str(folder / "truth" / f"{name}.h5"))
        params = Params({**about, "release": "dr17", "n_baxel": N_BAXEL, "seed": SEED})
        script("simulate_spectra").main(Params(), outputs, params)
        paths[name] = outputs
    return [one.extract for one in paths.values()], [one.truth for one in paths.values()]


@pytest.fixture(scope="module")
def run(script, Params, tmp_path_factory):
    """Inputs of the rule: spectra, an untrained map, assignments, labels that are the true ages."""
    folder = tmp_path_factory.mktemp("truth")
    extracts, truths = simulate(folder, script, Params)
    inputs = {name: str(folder / f"{name}.h5") for name in ("training_spectra", "assignments", "labels", "node_labels")}
    inputs |= {"description": str(folder / "model" / "model.json"), "arrays": str(folder / "model" / "arrays.npz")}
    inputs = Params({**inputs, "extracts": extracts, "truths": truths, "map": str(folder / "map.h5")})
    script("training_spectra").main(inputs, inputs, TRAINING)
    spectra = artefacts.read(inputs.training_spectra, "training_spectra")
    small_model(spectra["flux"], spectra["wave"]).save(folder / "model")
    script("desom_assign").main(inputs, inputs, Params())
    write_labels(inputs.labels, survey_of(inputs), names=NAMES)
    script("desom_maps").main(inputs, inputs, Params(min_baxels=5, n_bootstrap=10, seed=1))
    return inputs


def survey_of(inputs):
    """The baxels as assigned; their age is the true one of their spaxel."""
    placed = artefacts.read(inputs.assignments, "desom_assignments")
    age = np.full(placed["galaxy"].size, np.nan)
    for g, path in enumerate(inputs.truths):
        truth = artefacts.read(path, "truth")["log_age_lw"].ravel()
        rows = placed["galaxy"] == g
        age[rows] = truth[placed["baxel"][rows]]
    return MappedSurvey(*(placed[name] for name in ("galaxy", "baxel", "node", "split")), age)


def table_of(script, Params, run, folder, **changed):
    outputs = Params(table=str(folder / "truth.csv"))
    script("desom_truth").main(Params({**run, **changed}), outputs, Params(PARAMS))
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as f:
        return {(row["measure"], row["of"]): row for row in csv.DictReader(f)}


@pytest.fixture(scope="module")
def table(script, Params, run, tmp_path_factory):
    return table_of(script, Params, run, tmp_path_factory.mktemp("table"))


def kept(run):
    survey, placed = survey_of(run), artefacts.read(run.assignments, "desom_assignments")
    use = (placed["cut"] == 0) & (placed["node"] >= 0)
    return MappedSurvey(*(column[use] for column in survey)), placed["mangaid"]


def test_truth_is_compared_with_the_median_truth_of_its_node(run, table):
    survey, mangaid = kept(run)
    test, train = survey.split == Split.TEST, survey.split == Split.TRAIN
    medians = group_medians(survey.node[train], survey.age[train], ROWS * COLUMNS)[survey.node[test]]
    known = np.isfinite(medians)
    row = table["rho of truth and true median of the node", "log_age_lw"]
    assert float(row["value"]) == pytest.approx(spearmanr(medians[known], survey.age[test][known])[0], abs=1e-3)
    assert (int(row["n_baxel"]), row["at_least"]) == (test.sum(), "0.9")
    assert int(row["n_galaxy"]) == np.unique(mangaid[survey.galaxy[test]]).size
    # Fourteen galaxies give no verdict.
    assert row["holds"] == "too few"
    assert {of for _, of in table} == {*LABEL, "S/N 15-25", "S/N 33-48"}


def test_true_and_fitted_labels_stand_side_by_side(table):
    """The labels of this run are the truth, so that both agree."""
    for measure in ("rho of {} label and fitted median of the node", "part of the {} labels in the 16-84 % interval"):
        true, fitted = (table[measure.format(what), "log_age_lw"] for what in ("true", "fitted"))
        assert float(true["value"]) == pytest.approx(float(fitted["value"]), abs=1e-3)
    assert table["part of the true labels in the 16-84 % interval", "log_age_lw"]["at_most"] == "0.76"
    assert table["part of the true labels in the 16-84 % interval", "d_bpt"]["holds"] == "no limit"


def test_reconstructions_are_judged_without_noise(table):
    noise = {}
    for of in ("S/N 15-25", "S/N 33-48"):
        rows = {measure: float(row["value"]) for (measure, one), row in table.items() if one == of}
        noise[of] = rows["mse of the noisy spectra: the noise"]
        network = rows["mse of the reconstruction against the noiseless spectra"]
        (best,) = (value for measure, value in rows.items() if "best number of components (" in measure)
        assert rows["reconstruction over best number of components"] == pytest.approx(network / best, rel=1e-2)
        # The untrained network gives nothing back; components follow the spectra, some of the noise left out.
        assert best < noise[of] < network
        excess = rows["mse of the reconstruction against the noisy spectra minus the noise"]
        assert excess == pytest.approx(network, rel=0.1)
    # Twice the S/N, a quarter of the noise.
    assert 2.0 < noise["S/N 15-25"] / noise["S/N 33-48"] < 8.0


def test_without_noiseless_spectra_the_labels_are_compared_alone(script, Params, run, tmp_path, monkeypatch):
    monkeypatch.setitem(PARAMS, "noiseless", False)
    assert {of for _, of in table_of(script, Params, run, tmp_path)} == set(LABEL)


def test_without_a_model_the_table_is_empty(script, Params, run, tmp_path):
    save_empty(tmp_path / "model", "too few", {})
    assert not table_of(script, Params, run, tmp_path, description=str(tmp_path / "model" / "model.json"))
    assert (tmp_path / "truth.csv").read_text().strip() == ",".join(MeasureRow._fields)
