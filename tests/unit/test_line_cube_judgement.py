"""The judgement of autoencoders by planted anomalies: areas under curves, controls, baselines, tables."""

import numpy as np
import pandas as pd
import pytest
from attributes import attributes_of
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from small_autoencoder import LINES, small_autoencoder, small_cubes, write_line_cubes

from mangrove import artefacts
from mangrove.analysis.anomaly_scores import SCORES
from mangrove.codes import Split
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import dihedral
from mangrove.models.training.model_folder import save_empty
from mangrove.survey.simulation.design import design_galaxy
from mangrove.survey.simulation.line_cube_survey import ANOMALIES
from mangrove.validation.line_cube_baselines import ComponentModel, reconstruction_errors
from mangrove.validation.line_cube_latents import copy_distances, same_kind_fraction
from mangrove.validation.line_cube_limits import score_rows
from mangrove.validation.line_cube_roc import auc_error, matched_auc, nearest_controls, strength_bin, strength_edges
from mangrove.validation.planted_galaxies import planted_rows


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def everyone(n, m):
    return np.tile(np.arange(m), (n, 1))


def test_with_all_normal_galaxies_the_area_is_the_ordinary_one(rng):
    high, low = rng.normal(0.7, 1, 31).round(1), rng.normal(0, 1, 47).round(1)
    truth = np.r_[np.ones(31), np.zeros(47)]
    expected = roc_auc_score(truth, np.r_[high, low])
    assert matched_auc(high, low, everyone(31, 47)) == pytest.approx(expected, abs=1e-12)


def test_error_of_the_area_is_that_of_repeated_samples(rng):
    index = everyone(40, 60)
    samples = [(rng.normal(1, 1, 40), rng.normal(0, 1, 60)) for _ in range(60)]
    found = [(matched_auc(high, low, index), auc_error(high, low, index, 1)) for high, low in samples]
    assert np.mean([error for _, error in found]) == pytest.approx(np.std([auc for auc, _ in found]), rel=0.25)


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
    assert matched_auc(planted[:, 0], normal[:, 0], everyone(60, 400)) > 0.75
    assert matched_auc(planted[:, 0], normal[:, 0], controls.index) == pytest.approx(0.5, abs=0.06)


def test_galaxies_without_a_score_do_not_count(rng):
    high, low = rng.normal(1, 1, 10), rng.normal(0, 1, 12)
    index = everyone(11, 13)
    with_gaps = matched_auc(np.r_[high, np.nan], np.r_[low, np.nan], index)
    assert with_gaps == pytest.approx(matched_auc(high, low, everyone(10, 12)))
    assert np.isnan(matched_auc(np.full(3, np.nan), low, everyone(3, 12)))


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


@pytest.fixture(scope="module")
def whole_cubes():
    """Cubes with data everywhere."""
    cubes = small_cubes(8)
    return Cubes(np.where(cubes.valid, cubes.flux, 0.1).astype("f4"), np.full_like(cubes.ivar, 25.0), cubes.flux > -9)


def test_components_are_those_of_the_flips_and_turns_over_their_mean_flux(tmp_path, whole_cubes):
    path = write_line_cubes(tmp_path / "cubes.h5", whole_cubes, split=[Split.TRAIN] * 6 + [Split.TEST] * 2)
    model = ComponentModel.fitted(LineCubes.open(path), 5, seed=1)
    scaled = [one / np.abs(one).mean() for one in whole_cubes.flux]
    images = np.array([dihedral(one, k).ravel() for one in scaled[:6] for k in range(8)])
    pca = PCA(5, svd_solver="full").fit(images)
    expected = pca.inverse_transform(pca.transform(np.reshape(scaled, (8, -1))))
    expected = expected.reshape(whole_cubes.flux.shape) * np.abs(whole_cubes.flux).mean(
        axis=(1, 2, 3, 4), keepdims=True
    )
    assert model.reconstruct(whole_cubes) == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


def test_errors_of_reconstruction_are_parts_of_the_squared_flux(rng):
    cubes = small_cubes(2)
    noiseless, guess = (cubes.flux + rng.normal(0, s, cubes.flux.shape).astype("f4") for s in (0.02, 0.1))
    found = reconstruction_errors(cubes, guess, noiseless)
    for i in range(2):
        use = cubes.valid[i]
        flux, noise = cubes.flux[i][use].astype(float), 1 / cubes.ivar[i][use].astype(float)
        residual = flux - guess[i][use]
        assert found.noisy[i] == pytest.approx((residual**2).sum() / (flux**2).sum())
        assert found.excess[i] == pytest.approx((residual**2 - noise).sum() / (flux**2 - noise).sum())
        true = noiseless[i][use].astype(float)
        assert found.true[i] == pytest.approx(((true - guess[i][use]) ** 2).sum() / (true**2).sum())


def test_invariant_latents_of_copies_differ_by_their_noise(tmp_path, quick_jax):
    path = write_line_cubes(tmp_path / "cubes.h5", small_cubes(8))
    found = copy_distances(small_autoencoder(), LineCubes.open(path), np.arange(8), seed=1)
    assert found.turned == pytest.approx(found.noise, rel=0.6)
    assert 0 < found.noise < found.galaxies


#: Whole blocks of 16, so that the network is compiled once.
N_NORMAL, N_PLANTED = 32, 4


@pytest.fixture(scope="module")
def judged(tmp_path_factory, script, Params, quick_jax):
    """A judgement of an untrained network: galaxies with a bright spaxel for each anomaly, the stronger the brighter."""
    folder = tmp_path_factory.mktemp("judged")
    anomaly = [""] * N_NORMAL + [name for name in ANOMALIES for _ in range(N_PLANTED)]
    cubes = small_cubes(len(anomaly), seed=5)
    strength = np.where(np.array(anomaly) == "", np.nan, np.geomspace(1, 100, len(anomaly)))
    noiseless = cubes.flux.copy()
    for i in np.flatnonzero(np.isfinite(strength)):
        for values in (cubes.flux, noiseless):
            values[i, 1, 2, 1, 1] += 50 * strength[i] * np.abs(cubes.flux[i]).mean()
    survey = write_line_cubes(
        folder / "survey.h5", small_cubes(48, seed=6), split=[Split.TRAIN] * 16 + [Split.VALIDATION] * 32
    )
    names = [f"5000-{1901 + i}" for i in range(len(anomaly))]
    truth = {
        "plateifu": names,
        "kind": ["passive"] * len(names),
        "anomaly": anomaly,
        "strength": strength,
        "sky_line": np.full(len(names), np.nan),
        "line": LINES,
        "line_flux": np.zeros((len(names), len(LINES))),
        "noiseless": noiseless,
    }
    attrs = attributes_of("line_cube_truth")
    artefacts.write(
        folder / "truth_in.h5",
        "line_cube_truth",
        {k: np.array(v) for k, v in truth.items()},
        artefacts.Provenance(),
        attrs,
    )
    small_autoencoder().save(folder / "model")
    inputs = Params(
        line_cube_set=survey,
        description=folder / "model/model.json",
        arrays=folder / "model/arrays.npz",
        held_out=write_line_cubes(folder / "held_out.h5", cubes, names=names),
        held_out_truth=folder / "truth_in.h5",
    )
    outputs = Params(truth=folder / "truth.h5", scores=folder / "scores.csv", measures=folder / "measures.csv")
    params = Params({"network": "ae", "seed": 1, "code": "c"})
    script("autoencoder_truth").main(inputs, outputs, params)
    return inputs, outputs, params, artefacts.read(outputs.truth, "autoencoder_truth")


def test_the_judgement_finds_what_stands_out(judged):
    truth = judged[-1]
    assert truth["model"].tolist() == ["ae", "pca"] and truth["score"].tolist() == list(SCORES)
    assert truth["planted"].tolist() == list(ANOMALIES)
    assert np.all(truth["auc"][:, :, 0] > 0.95)
    assert np.all(truth["bin_count"].sum(axis=1) == N_PLANTED)
    normal = truth["anomaly"] == ""
    for m in range(2):
        for s in range(len(SCORES)):
            expected = spearmanr(truth["value"][m, normal, s], truth["log_flux"][normal]).statistic
            assert truth["flux_rho"][m, s] == pytest.approx(expected, abs=1e-6)
    # The planted spaxel is no part of what the components know.
    assert np.median(truth["error_true"][1, normal]) < np.median(truth["error_true"][1, ~normal])


def test_tables_are_those_of_the_artefact_with_a_verdict_on_the_recommended_score(judged):
    _, outputs, _, truth = judged
    rows = pd.read_csv(outputs.scores)
    assert len(rows) == 2 * len(SCORES) * len(ANOMALIES)
    limited = rows[rows.holds != "no limit"]
    assert set(limited.model) == {"ae"} and set(limited.score) == {SCORES[0]} and len(limited) == len(ANOMALIES)
    assert rows.auc.to_numpy() == pytest.approx(truth["auc"].transpose(0, 2, 1).ravel(), abs=1e-3)
    worse = dict(truth.data) | {"auc": np.full_like(truth["auc"], 0.87)}
    holds = {row.anomaly: row.holds for row in score_rows(worse) if row.holds != "no limit"}
    assert holds == {"double_nucleus": "yes", "offset_agn": "yes", "blueberry": "no", "sky_residual": "no"}
    measures = pd.read_csv(outputs.measures).set_index(["measure", "of"])
    normal = truth["anomaly"] == ""
    ae, pca = (np.median(truth["error_true"][m, normal]) for m in range(2))
    assert measures.loc[("error_true", "ae"), "holds"] == ("yes" if ae <= pca else "no")
    assert measures.loc[("error_true", "ae"), "at_most"] == pytest.approx(pca, rel=1e-3)


def test_without_a_model_the_judgement_is_empty_and_says_why(judged, tmp_path, script, Params):
    inputs, _, params, _ = judged
    save_empty(tmp_path / "model", "too few galaxies", {})
    outputs = Params(**{name: tmp_path / f"{name}.x" for name in ("truth", "scores", "measures")})
    again = Params(**{**inputs, "description": tmp_path / "model/model.json", "arrays": tmp_path / "model/arrays.npz"})
    script("autoencoder_truth").main(again, outputs, params)
    found = artefacts.read(outputs.truth, "autoencoder_truth")
    assert not found.ok and "too few" in found.attrs["reason"] and not found["plateifu"].size
    assert pd.read_csv(outputs.scores).empty and pd.read_csv(outputs.measures).empty


def test_unusual_galaxies_of_the_simulated_survey_are_listed():
    names = ["9007-1901", "9005-1901", "9005-1902", "9006-1901"]
    assert [design_galaxy(name, 1).role or design_galaxy(name, 1).kind for name in names[1:]] == list(ANOMALIES[:3])
    data = {
        "plateifu": np.array(names),
        "score": np.array(["one", "two"]),
        "value": np.arange(8.0).reshape(4, 2),
        "percentile": 10 * np.arange(8.0).reshape(4, 2),
    }
    rows = planted_rows(artefacts.Artefact("anomalies", data, {}, ""), 1)
    assert [(r.plateifu, r.anomaly, r.score, r.value, r.percentile) for r in rows[:3]] == [
        ("9005-1901", "double_nucleus", "one", 2.0, 20.0),
        ("9005-1901", "double_nucleus", "two", 3.0, 30.0),
        ("9005-1902", "offset_agn", "one", 4.0, 40.0),
    ]
    assert len(rows) == 6 and rows[-1].anomaly == "blueberry"
