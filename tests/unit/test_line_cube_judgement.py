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
from mangrove.validation.line_cube_baselines import reconstruction_errors
from mangrove.validation.line_cube_components import component_models, fit_components
from mangrove.validation.line_cube_latents import copy_distances, rare_kind_fraction, same_kind_fraction
from mangrove.validation.line_cube_limits import measure_rows, score_rows
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


def test_a_rare_anomaly_has_fewer_of_its_kind_around_it(rng):
    """Places without information give each anomaly its share of the galaxies; a place of its own gives it all."""
    kind = np.array([""] * 150 + ["a"] * 50 + ["b"] * 50)
    place = rng.normal(size=(250, 3))
    assert same_kind_fraction(place, kind, "a") == pytest.approx(49 / 249, abs=0.05)
    # Seven of 157 galaxies are the most that are no more than one in twenty.
    assert rare_kind_fraction(place, kind, "a", seed=1) == pytest.approx(6 / 156, abs=0.02)
    place[kind == "b"] += 100
    assert rare_kind_fraction(place, kind, "b", seed=1) == 1.0
    few = (kind == "b") | (np.arange(250) < 90)
    assert np.isnan(rare_kind_fraction(place[few], kind[few], "b", seed=1))


@pytest.fixture(scope="module")
def whole_cubes():
    """Cubes with data everywhere."""
    cubes = small_cubes(8)
    return Cubes(np.where(cubes.valid, cubes.flux, 0.1).astype("f4"), np.full_like(cubes.ivar, 25.0), cubes.flux > -9)


def components_file(path, script, Params, line_cubes, lines=(), n_component=5):
    """The artefact 'line_cube_components' of an artefact 'line_cube_set', as the rule makes it."""
    params = Params({"lines": list(lines), "n_component": n_component, "seed": 1, "code": "c"})
    script("line_cube_components").main(Params(line_cube_set=line_cubes), Params(components=path), params)
    return path


@pytest.mark.parametrize(("name", "n_turn"), [("pca", 1), ("pca_turned", 8)])
def test_baselines_are_components_of_the_cubes_and_of_their_flips_and_turns(
    tmp_path, whole_cubes, script, Params, name, n_turn
):
    cubes = write_line_cubes(tmp_path / "cubes.h5", whole_cubes, split=[Split.TRAIN] * 6 + [Split.TEST] * 2)
    path = components_file(tmp_path / "components.h5", script, Params, cubes)
    model = component_models(path)[name]
    scaled = [one / np.abs(one).mean() for one in whole_cubes.flux]
    images = np.array([dihedral(one, k).ravel() for one in scaled[:6] for k in range(n_turn)])
    pca = PCA(5, svd_solver="full").fit(images)
    stored = artefacts.read(path, "line_cube_components")
    i = stored["baseline"].tolist().index(name)
    assert stored["deviation"][i] == pytest.approx(np.sqrt(pca.explained_variance_ * (1 - 1 / len(images))), rel=1e-3)
    expected = pca.inverse_transform(pca.transform(np.reshape(scaled, (8, -1))))
    expected = expected.reshape(whole_cubes.flux.shape) * np.abs(whole_cubes.flux).mean(
        axis=(1, 2, 3, 4), keepdims=True
    )
    assert model.reconstruct(whole_cubes) == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


def test_components_are_of_the_named_lines_and_zero_where_there_are_no_more(tmp_path, script, Params):
    cubes = write_line_cubes(tmp_path / "cubes.h5", small_cubes(8), split=[Split.TRAIN] * 3 + [Split.TEST] * 5)
    found, _ = fit_components(cubes, {"lines": [LINES[2], LINES[0]], "n_component": 4, "seed": 1})
    assert found["line"].tolist() == [LINES[2], LINES[0]]
    # Three cubes differ in two directions.
    assert (found["deviation"] > 0).sum(axis=1).tolist() == [2, 4]
    assert not found["direction"][0, 2:].any()
    length = np.sqrt((found["direction"].reshape(2, 4, -1) ** 2).sum(axis=2))
    assert length == pytest.approx(np.array([[1, 1, 0, 0], [1, 1, 1, 1]]), abs=1e-5)


def test_without_training_galaxies_there_are_no_components(tmp_path, script, Params):
    cubes = write_line_cubes(tmp_path / "cubes.h5", small_cubes(2), split=[Split.TEST] * 2)
    found = artefacts.read(components_file(tmp_path / "c.h5", script, Params, cubes), "line_cube_components")
    assert found.attrs["status"] == "empty" and "training galaxies" in found.attrs["reason"]
    assert not found["direction"].any()


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


def test_invariant_latents_of_copies_differ_by_their_noise(tmp_path):
    path = write_line_cubes(tmp_path / "cubes.h5", small_cubes(32))
    found = copy_distances(small_autoencoder(), LineCubes.open(path), np.arange(32), seed=1)
    assert 0.7 * found.noise < found.turned < 1.1 * found.noise < found.galaxies


def test_without_noise_the_invariant_latents_of_copies_are_the_same(tmp_path):
    cubes = small_cubes(16)
    path = write_line_cubes(tmp_path / "cubes.h5", cubes._replace(ivar=1e10 * cubes.ivar))
    found = copy_distances(small_autoencoder(), LineCubes.open(path), np.arange(16), seed=1)
    assert found.turned < 1e-3 * found.galaxies


#: Whole blocks of 16, so that the network is compiled once.
N_NORMAL, N_PLANTED = 32, 4


@pytest.fixture(scope="module")
def judged(tmp_path_factory, script, Params):
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
        components=components_file(folder / "components.h5", script, Params, survey, n_component=4),
        held_out=write_line_cubes(folder / "held_out.h5", cubes, names=names),
        held_out_truth=folder / "truth_in.h5",
    )
    outputs = Params(truth=folder / "truth.h5", scores=folder / "scores.csv", measures=folder / "measures.csv")
    params = Params({"network": "ae", "seed": 1, "code": "c"})
    script("autoencoder_truth").main(inputs, outputs, params)
    return inputs, outputs, params, artefacts.read(outputs.truth, "autoencoder_truth")


def test_the_judgement_finds_what_stands_out(judged):
    truth = judged[-1]
    assert truth["model"].tolist() == ["ae", "pca", "pca_turned"] and truth["score"].tolist() == list(SCORES)
    assert truth["planted"].tolist() == list(ANOMALIES)
    assert np.all(truth["auc"][:, :, 0] > 0.95)
    assert np.all(truth["bin_count"].sum(axis=1) == N_PLANTED)
    normal = truth["anomaly"] == ""
    for m in range(3):
        for s in range(len(SCORES)):
            expected = spearmanr(truth["value"][m, normal, s], truth["log_flux"][normal]).statistic
            assert truth["flux_rho"][m, s] == pytest.approx(expected, abs=1e-6)
        # The planted spaxel is no part of what the model knows.
        assert np.median(truth["error_true"][m, normal]) < np.median(truth["error_true"][m, ~normal])


def test_tables_are_those_of_the_artefact_with_a_verdict_on_the_recommended_score(judged):
    _, outputs, _, truth = judged
    rows = pd.read_csv(outputs.scores)
    assert len(rows) == 3 * len(SCORES) * len(ANOMALIES)
    limited = rows[rows.holds != "no limit"]
    assert set(limited.model) == {"ae"} and set(limited.score) == {SCORES[0]} and len(limited) == len(ANOMALIES)
    assert rows.auc.to_numpy() == pytest.approx(truth["auc"].transpose(0, 2, 1).ravel(), abs=1e-3)
    worse = dict(truth.data) | {"auc": np.full_like(truth["auc"], 0.87)}
    holds = {row.anomaly: row.holds for row in score_rows(worse) if row.holds != "no limit"}
    assert holds == {"double_nucleus": "yes", "offset_agn": "yes", "blueberry": "no", "sky_residual": "no"}
    measures = pd.read_csv(outputs.measures).set_index(["measure", "of"])
    normal = truth["anomaly"] == ""
    ae, *others = (np.median(truth["error_true"][m, normal]) for m in range(3))
    for name, error in zip(("pca", "pca_turned"), others, strict=True):
        assert measures.loc[("error_true", name), "value"] == pytest.approx(error, rel=1e-3)
        # A network on its first weights reconstructs nothing.
        assert ae > error and measures.loc[(f"error_true over that of {name}", "ae"), "holds"] == "worse"


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.98, "better"), (0.9901, "equal"), (0.999999, "equal"), (1.0, "equal"), (1.0099, "equal"), (1.02, "worse")],
)
def test_a_network_is_better_than_components_only_beyond_a_margin(judged, factor, verdict):
    """A network that learns nothing beyond the components that it starts from is their equal, whatever the rounding."""
    truth = judged[-1]
    data = dict(truth.data)
    for name in ("error_noisy", "error_excess", "error_true"):
        data[name] = np.stack([factor * data[name][2], 3 * data[name][2], data[name][2]])
    found = {row.measure: (row.value, row.holds) for row in measure_rows(data, truth.attrs)}
    for name in ("error_excess", "error_true"):
        assert found[f"{name} over that of pca_turned"] == (pytest.approx(factor, rel=1e-5), verdict)
        assert found[f"{name} over that of pca"] == (pytest.approx(factor / 3, rel=1e-5), "better")
    assert "error_noisy over that of pca" not in found


@pytest.mark.parametrize(
    ("noise", "turned", "holds"), [(1.0, 1.1, "yes"), (2.0, 2.0, "yes"), (1.0, 1.11, "no"), (0.0, 0.0, "no")]
)
def test_copies_agree_up_to_a_limit(judged, noise, turned, holds):
    attrs = {"copy_noise": noise, "copy_turned": turned, "copy_galaxies": 9.0}
    rows = [row for row in measure_rows(judged[-1].data, attrs) if row.at_most == 1.1]
    assert [row.holds for row in rows] == [holds]


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
