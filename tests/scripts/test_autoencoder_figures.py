"""The figures and tables of an autoencoder of line cubes, on a small run whose anomalies are known."""

import csv
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from small_autoencoder_run import FLAGS, LINES, N_NEIGHBOUR, SCORES, make_run, write_empty, write_truth

from mangrove import artefacts
from mangrove.report import autoencoder_embedding, autoencoder_reconstruction, autoencoder_scores, line_images, overview
from mangrove.report.autoencoder_run import AutoencoderRun
from mangrove.report.autoencoder_sample import by_rank, most_anomalous
from mangrove.report.autoencoder_training import training_figure
from mangrove.report.autoencoder_truth import truth_figure

ROOT = Path(__file__).resolve().parents[2]
N, N_AGN = 24, 7
KINDS = {"embedding": "latent_embedding"}
TABLES = {"anomalous", "active"}
#: Of the rule, in a run without baxels.
PARAMS = {"keep_best": False, "extracts": ""}


def made(folder, Params, **options):
    """Paths of a run, and a function that reads its artefacts."""
    paths = Params(make_run(folder, **options))
    return paths, cache(lambda name: artefacts.read(paths[name], KINDS.get(name, name)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, Params):
    return made(tmp_path_factory.mktemp("whole"), Params, n=N, n_agn=N_AGN)


@pytest.fixture(scope="module")
def bare(tmp_path_factory, Params):
    """Neither baxels, nor AGN, nor a map of the latents."""
    return made(tmp_path_factory.mktemp("bare"), Params, n=5, n_agn=0, baxels=False, umap=False, network="vae")


@pytest.fixture(scope="module")
def figures(whole):
    """Figures of the whole run by name, drawn once."""
    drawn = AutoencoderRun(whole[0], False, whole[0].extracts).figures()
    return cache(lambda name: drawn[name]())


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def texts(figure):
    """Texts beside panels, the figure's title apart."""
    return [text.get_text() for text in figure.texts if text.get_text() != figure.get_suptitle()]


def images(figure):
    """Arrays of the pictures, panel by panel."""
    return [np.ma.filled(axes.images[0].get_array(), np.nan) for axes in figure.axes if axes.images]


def test_every_output_of_the_rule_is_written_and_has_a_caption(bare, script, Params, tmp_path):
    paths, _ = bare
    names = set(AutoencoderRun(paths, False, paths.extracts).figures())
    outputs = {name: str(tmp_path / f"{name}.{'csv' if name in TABLES else 'png'}") for name in names | TABLES}
    script("autoencoder_figures").main(paths, Params(outputs), PARAMS, str(tmp_path / "log"))
    assert all(Path(outputs[name]).read_bytes()[:4] == b"\x89PNG" for name in names)
    rules = (ROOT / "rules" / "convlstm.smk").read_text(encoding="utf-8")
    rule = rules[rules.index("rule autoencoder_figures:") :]
    assert names == set(re.findall(r'^ +"(\w+)": \(', rule, re.MULTILINE))
    for name in names | TABLES:
        assert (ROOT / "workflow" / "report" / f"autoencoder_{name}.rst").read_text(encoding="utf-8").strip()


def test_a_run_without_a_model_says_why(tmp_path, script, Params):
    paths = Params(write_empty(tmp_path / "run", "fewer galaxies than two"))
    run = AutoencoderRun(paths, True, paths.extracts)
    for make in run.figures().values():
        (axes,) = make().axes
        assert axes.texts[0].get_text() == "no result: fewer galaxies than two"
    assert run.anomaly_rows() == [] and run.agn_rows() == []
    lists = ([paths[name]] for name in ("anomalies", "neighbours", "agn"))
    assert overview.autoencoder_numbers(*lists) == []


def test_flux_of_a_line_is_the_sum_over_its_window_where_there_are_data():
    wave = np.array([[5000.0, 5002.0, 5004.0]])
    flux = np.array([1.0, 4.0, 1.0])[None, :, None, None] * np.ones((1, 3, 1, 2))
    valid = np.ones(flux.shape, bool)
    valid[0, 1, 0, 0] = False
    cube = line_images.GalaxyCube(("a",), flux, np.full(flux.shape, 0.25), valid, wave)
    assert line_images.line_flux(cube, flux) == pytest.approx(np.array([[[4.0, 12.0]]]))
    # Each pixel of 2 Angstrom has an error of 2 x 2.
    assert line_images.residual_significance(cube, np.zeros(flux.shape)) == pytest.approx(
        np.array([[[4.0 / np.sqrt(2 * 16.0), 12.0 / np.sqrt(3 * 16.0)]]])
    )
    assert line_images.mean_spectrum(cube, flux) == pytest.approx(np.array([[1.0, 4.0, 1.0]]))
    none = cube._replace(valid=np.zeros(flux.shape, bool))
    assert all(np.isnan(of(none, flux)).all() for of in (line_images.line_flux, line_images.mean_spectrum))
    assert np.isnan(line_images.residual_significance(none, flux)).all()


def test_lines_that_are_shown_keep_their_order_and_prefer_the_strong_ones():
    names = ["OII_3727", "Heta_3836", "Hbeta_4863", "OIII_5008", "Halpha_6565"]
    assert line_images.chosen_lines(names, 3) == ["OII_3727", "OIII_5008", "Halpha_6565"]
    assert line_images.chosen_lines(["Heta_3836"], 3) == ["Heta_3836"]


def test_reconstruction_shows_typical_and_anomalous_galaxies(whole, figures):
    _, read = whole
    judged = read("anomalies")
    typical, extreme = autoencoder_reconstruction.typical_and_extreme(judged)
    assert extreme == by_rank(judged)[:2]
    assert np.abs(judged["percentile"][typical, 0] - 50).max() <= 100 / N + 1e-4
    words = texts(figures("reconstruction"))
    assert [word.split(":")[0] for word in words] == ["typical"] * 2 + ["anomalous"] * 2
    assert f"{judged['plateifu'][extreme[0]]}    score {judged['value'][extreme[0], 0]:.3g}, percentile 96" in words[2]
    # The second one has a cause.
    assert words[3].endswith("\ncropped field")


def test_residuals_of_a_reconstruction_are_in_expected_errors_on_a_symmetric_scale(whole, figures):
    paths, read = whole
    judged = read("anomalies")
    _, (worst, _) = autoencoder_reconstruction.typical_and_extreme(judged)
    cubes = artefacts.read(paths.line_cube_set, "line_cube_set")
    halpha = LINES.index("Halpha_6565")
    reconstruction = judged["reconstruction"][judged["shown"].tolist().index(worst), halpha]
    step = np.gradient(cubes["window_wave"][worst, halpha])[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.sum(step**2 / cubes["ivar"][worst, halpha], axis=0))
        expected = np.sum((cubes["flux"][worst, halpha] - reconstruction) * step, axis=0) / error
    expected[cubes["valid"][worst, halpha, 0] == 0] = np.nan
    found = [image for image in images(figures("reconstruction")) if np.allclose(image, expected, 1e-4, equal_nan=True)]
    assert len(found) == 1
    diverging = [
        axes.images[0]
        for axes in figures("reconstruction").axes
        if axes.images and axes.images[0].get_cmap().name == "RdBu_r"
    ]
    assert len(diverging) == 4 * len(LINES)
    assert all(-image.get_clim()[0] == image.get_clim()[1] >= 3 for image in diverging)


def test_input_and_reconstruction_have_one_scale(figures):
    shown = [axes.images[0] for axes in figures("reconstruction").axes if axes.images]
    flux = [image.get_clim() for image in shown if image.get_cmap().name == "viridis"]
    # Per galaxy and line the three pictures follow each other.
    assert flux[: 2 * len(LINES)][::2] == flux[: 2 * len(LINES)][1::2] and all(low == 0 for low, _ in flux)


def test_scores_of_classes_stand_beside_all_galaxies(whole, figures):
    _, read = whole
    agn, judged = read("agn"), read("anomalies")
    figure = figures("scores")
    upper, lower = figure.axes
    assert sum(bar.get_height() for bar in upper.patches) == N
    median = np.median(agn["percentile"][:, 0])
    assert figure.get_suptitle().endswith(f"{N_AGN} AGN, at percentile {median:.0f} of all galaxies in the median")
    labels = [label.get_text() for label in lower.get_yticklabels()]
    counts = [int(agn[flag].sum()) for flag in FLAGS]
    words = ("all galaxies", "AGN", "infrared", "X-ray", "radio", "broad lines")
    assert labels == [f"{word} ({n})" for word, n in zip(words, [N, N_AGN, *counts], strict=True)]
    points = [line.get_xdata() for line in lower.lines if line.get_marker() == "o"]
    assert sorted(points[0]) == pytest.approx(sorted(judged["value"][:, 0]))
    assert sorted(points[3]) == pytest.approx(sorted(agn["value"][agn["agn_bat"] == 1, 0]))
    assert lower.get_xlabel() == "score 'relative' (standard deviations)"


def test_a_run_without_agn_shows_the_most_anomalous_galaxies_and_says_so(bare):
    paths, read = bare
    drawn = AutoencoderRun(paths, False, paths.extracts).figures()
    assert "no AGN known among the galaxies" in drawn["scores"]().get_suptitle()
    figure = drawn["galaxies"]()
    assert "no AGN known among the galaxies: the 5 most anomalous galaxies instead" in figure.get_suptitle()
    assert "flux of H$\\alpha$ with its continuum" in figure.get_suptitle()
    assert all("no known AGN" in word for word in texts(figure)) and len(texts(figure)) == 5
    # Residuals by spaxel stand where there are no classes.
    assert titles(figure).count("no baxels; residual / error") == 5
    assert most_anomalous(read("anomalies"), read("agn"), 2).galaxy == by_rank(read("anomalies"))[:2]


def test_agn_come_first_and_other_galaxies_fill_up(whole):
    _, read = whole
    judged, agn = read("anomalies"), read("agn")
    shown = most_anomalous(judged, agn, 6)
    assert shown.galaxy == agn["galaxy"][:6].tolist() and shown.words == "the 6 most anomalous AGN"
    shown = most_anomalous(judged, agn, N_AGN + 2)
    others = [k for k in by_rank(judged) if k not in agn["galaxy"]]
    assert shown.galaxy == [*agn["galaxy"], *others[:2]]
    assert shown.words.endswith("and the 2 most anomalous galaxies without a known AGN")


def test_classes_of_the_baxels_lie_on_the_bins_of_their_galaxy(whole, figures):
    paths, read = whole
    agn, labels = read("agn"), read("labels")
    name = str(agn["plateifu"][0])
    extract = artefacts.read(Path(paths.extracts, f"{name}.h5"), "extract", ["bin_id"])
    rows = labels["galaxy"] == labels["plateifu"].tolist().index(name)
    kind = np.where(np.isfinite(labels["d_bpt"][rows]), labels["bpt_class"][rows], np.nan)
    expected = np.where(extract["bin_id"] >= 0, kind[extract["bin_id"]], np.nan)
    axes = figures("galaxies").axes[titles(figures("galaxies")).index("BPT class")]
    assert np.ma.filled(axes.images[0].get_array().astype(float), np.nan) == pytest.approx(expected, nan_ok=True)


def test_bars_of_the_lines_are_the_scores_of_the_galaxy(whole, figures):
    _, read = whole
    judged, galaxy = read("anomalies"), read("agn")["galaxy"][0]
    panels = [axes for axes in figures("galaxies").axes if axes.get_title().startswith("lines")]
    assert len(panels) == 6
    assert [bar.get_width() for bar in panels[0].patches] == pytest.approx(judged["line_value"][galaxy, 0])
    assert panels[0].lines[0].get_xdata() == pytest.approx(np.nanmedian(judged["line_value"][:, 0], axis=0))
    assert f"AGN: {'infrared, X-ray'}" in texts(figures("galaxies"))[0]


def test_a_line_without_data_says_so(bare):
    figure = AutoencoderRun(bare[0], False, bare[0].extracts).figures()["galaxies"]()
    notes = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert notes.count("no data") == 1


def test_strips_show_the_nearest_galaxies_in_their_order(whole, figures):
    _, read = whole
    near, agn = read("neighbours"), read("agn")
    names = near["plateifu"]
    figure = figures("neighbours")
    written = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert len(written) == 4 * (1 + N_NEIGHBOUR)
    query = int(agn["galaxy"][1])
    for row, space in ((2, "latent"), (3, "umap")):
        strip = written[row * (1 + N_NEIGHBOUR) : (row + 1) * (1 + N_NEIGHBOUR)]
        assert [one[0] for one in strip] == [names[query], *names[near[f"{space}_neighbour"][query]]]
        assert strip[1][1].split()[0] == f"{near[f'{space}_distance'][query, 0]:.3g}"
    assert f"{100 * near['overlap'][query]:.0f} % of the neighbours in both" in figure.axes[2 * 7].get_title(loc="left")


def test_strips_without_a_map_say_so(bare):
    figure = AutoencoderRun(bare[0], False, bare[0].extracts).figures()["neighbours"]()
    assert [text.get_text() for axes in figure.axes for text in axes.texts].count("no map") == 2


@pytest.mark.parametrize("row", [0, 2])
def test_galaxies_on_the_map_are_coloured_by_score_and_marked_by_class(whole, figures, row):
    _, read = whole
    judged, agn, embedded = read("anomalies"), read("agn"), read("embedding")
    by_score, by_class = [axes for axes in figures("embedding").axes if axes.get_xlabel().startswith("UMAP")][
        row : row + 2
    ]
    assert sorted(by_score.collections[0].get_array()) == pytest.approx(sorted(judged["percentile"][:, 0]))
    assert hasattr(by_score, "get_zlabel") == (row == 0)
    every, *classes = by_class.collections
    assert [len(marks.get_offsets()) for marks in classes] == [int(agn[flag].sum()) for flag in FLAGS]
    assert len(every.get_offsets()) == N
    if row:
        assert np.asarray(classes[0].get_offsets()) == pytest.approx(
            embedded["umap_2d"][agn["galaxy"][agn["agn_wise"] == 1]]
        )


def test_few_galaxies_lie_on_their_components(bare):
    paths, read = bare
    figure = AutoencoderRun(paths, False, paths.extracts).figures()["embedding"]()
    assert "too few galaxies for UMAP: principal components" in figure.get_suptitle()
    flat = [axes for axes in figure.axes if axes.get_xlabel() == "component 1"][2]
    found = np.asarray(flat.collections[0].get_offsets())
    order = np.argsort(read("anomalies")["percentile"][:, 0])
    assert found == pytest.approx(read("embedding")["principal"][order, :2], rel=1e-5)


def test_latents_that_do_not_differ_have_no_map(bare):
    _, read = bare
    flat = read("embedding")
    data = {**flat.data, "principal": np.empty((5, 0)), "explained": np.empty(0)}
    flat = artefacts.Artefact(flat.kind, data, {**flat.attrs, "reason": "a single galaxy"}, "")
    figure = autoencoder_embedding.embedding_figure(read("anomalies"), flat, read("agn"))
    assert figure.axes[0].texts[0].get_text() == "no map of the latents: a single galaxy"
    panels = autoencoder_embedding.components_figure(read("latents"), flat, read("neighbours")).axes
    assert [axes.texts[0].get_text() for axes in panels] == [
        "no component",
        "no map by UMAP",
        "no map with another seed",
    ]


def test_components_and_neighbours_in_numbers(whole, figures):
    _, read = whole
    explained = np.cumsum(read("embedding")["explained"])
    variance, shared, seeds = figures("components").axes
    assert variance.lines[0].get_ydata() == pytest.approx(100 * explained)
    assert variance.get_title() == f"5 components explain {100 * explained[-1]:.1f} %; 6 of 8 latents active"
    assert sum(bar.get_height() for bar in shared.patches) == N
    assert (
        shared.get_title() == f"mean {read('neighbours')['overlap'].mean():.2f} of 6 neighbours; trustworthiness 0.90"
    )
    assert shared.lines[0].get_xdata()[0] == pytest.approx(N_NEIGHBOUR / (N - 1))
    assert [bar.get_height() for bar in seeds.patches] == pytest.approx([0.7, 0.8])
    assert "60 % of its nearest neighbours" in figures("components").get_suptitle()


def test_correlation_with_brightness_stands_over_each_score(whole, figures):
    _, read = whole
    flux, value = read("latents")["flux_scale"], read("anomalies")["value"]
    assert len(figures("brightness").axes) == len(SCORES)
    for k, axes in enumerate(figures("brightness").axes):
        rho = float(re.search(r"ρ = ([−\d.]+)", axes.get_title())[1].replace("−", "-"))
        assert rho == pytest.approx(spearmanr(flux, value[:, k])[0], abs=0.006)
        assert axes.lines[0].get_xydata() == pytest.approx(np.stack([flux, value[:, k]], axis=1))
    assert (
        "erg" in figures("brightness").axes[1].get_ylabel() and "erg" not in figures("brightness").axes[0].get_ylabel()
    )


def test_scores_below_zero_and_far_above_are_drawn(whole):
    _, read = whole
    value = read("anomalies")["value"].copy()
    value[:, 0] = np.append(np.linspace(-1.0, 1.0, N - 1), 60.0)
    judged = artefacts.Artefact("anomalies", {**read("anomalies").data, "value": value}, read("anomalies").attrs, "")
    upper, lower = autoencoder_scores.scores_figure(judged, read("agn")).axes
    assert sum(bar.get_height() for bar in upper.patches) == N and lower.get_xscale() == "asinh"
    axes = autoencoder_scores.brightness_figure(judged, read("latents")).axes[0]
    assert axes.lines[0].get_ydata() == pytest.approx(value[:, 0]) and axes.get_yscale() == "asinh"


def test_scores_of_many_galaxies_are_a_density(whole):
    _, read = whole
    rng, n = np.random.default_rng(0), autoencoder_scores.DENSITY_FROM + 1
    value = rng.normal(0, 1, (n, len(SCORES)))
    value[0] = 500.0
    data = {"value": value, "plateifu": np.full(n, "a"), "score": read("anomalies")["score"]}
    judged = artefacts.Artefact("anomalies", data, read("anomalies").attrs, "")
    latents = artefacts.Artefact("latents", {"flux_scale": rng.uniform(1, 2, n)}, {}, "")
    axes = autoencoder_scores.brightness_figure(judged, latents).axes[0]
    outside = int(re.search(r"; (\d+) galax\w+ outside", axes.get_title())[1])
    assert 0 < outside < 10 and np.sum(axes.collections[0].get_array()) == n - outside and not axes.lines


def test_no_panel_is_empty(figures, bare):
    drawn = AutoencoderRun(bare[0], False, bare[0].extracts).figures()
    for name, make in drawn.items():
        for figure in (figures(name), make()):
            for axes in figure.axes:
                if axes.get_visible() and axes.axison:
                    shown = [*axes.images, *axes.lines, *axes.patches, *axes.collections, *axes.texts]
                    assert shown, (name, axes.get_title())


def test_parts_of_the_loss_are_those_of_the_variational_network():
    rows = [
        {"epoch": k, "loss": 0.5 - 0.1 * k, "validation_loss": [0.5, 0.3, 0.4][k], "reconstruction": 0.4}
        for k in range(3)
    ]
    (axes,) = training_figure(rows, keep_best=True).axes
    assert axes.lines[0].get_ydata() == pytest.approx([0.5, 0.4, 0.3])
    assert "kept: epoch 2, lowest validation loss" in [text.get_text() for text in axes.get_legend().texts]
    start = {"epoch": -1, "step": 0, "validation_loss": 0.2}
    (axes,) = training_figure([start, *rows], keep_best=True).axes
    assert "kept: the start, lowest validation loss" in [text.get_text() for text in axes.get_legend().texts]
    training, validation, kept = (line.get_xydata().tolist() for line in axes.lines)
    assert training[0] == [1, 0.5] and validation[:2] == [[0, 0.2], [1, 0.5]] and kept[0][0] == 0
    _, parts = training_figure([row | {"divergence": 2.0 + row["epoch"]} for row in rows], keep_best=False).axes
    assert parts.lines[1].get_ydata() == pytest.approx([2, 3, 4])


def test_tables_name_galaxies_with_their_reasons(whole, script, Params, tmp_path):
    paths, read = whole
    judged, agn = read("anomalies"), read("agn")
    run = AutoencoderRun(paths, False, paths.extracts)
    rows = run.anomaly_rows()
    assert [row.plateifu for row in rows] == [judged["plateifu"][k] for k in by_rank(judged)]
    assert rows[1].causes == "cropped field" and rows[0].reason == judged["reason"][by_rank(judged)[0]]
    assert {row.plateifu for row in rows if row.agn} == set(agn["plateifu"])
    first = run.agn_rows()[0]
    assert (first.classes, first.bpt_class) == ("infrared, X-ray", "seyfert")
    assert first.score == pytest.approx(agn["value"][0, 0])


def test_tables_without_a_row_have_their_columns(bare, script, Params, tmp_path):
    outputs = {
        name: str(tmp_path / name) for name in [*AutoencoderRun(bare[0], False, bare[0].extracts).figures(), *TABLES]
    }
    script("autoencoder_figures").main(bare[0], Params(outputs), PARAMS)
    with Path(outputs["active"]).open(encoding="utf-8") as f:
        assert next(csv.reader(f))[:2] == ["plateifu", "classes"]


def test_first_page_tells_of_the_autoencoders(whole, bare):
    both = [[paths[name] for paths, _ in (whole, bare)] for name in ("anomalies", "neighbours", "agn")]
    first, second = overview.autoencoder_numbers(*both)
    median = np.median(whole[1]("agn")["percentile"][:, 0])
    words = "1 with a cause that is not the galaxy, trustworthiness of the UMAP 0.900"
    assert first == (
        "galaxies scored by the autoencoder ae",
        f"{N}",
        f"{words}, {N_AGN} AGN at percentile {median:.0f} in the median",
    )
    assert second == ("galaxies scored by the autoencoder vae", "5", "1 with a cause that is not the galaxy")


def test_planted_anomalies_by_strength_for_the_network_beside_components(script, Params, tmp_path):
    path = write_truth(tmp_path)
    truth = artefacts.read(path, "autoencoder_truth")
    figure = truth_figure(truth)
    assert len(figure.axes) == len(truth["planted"])
    for i, axes in enumerate(figure.axes):
        curves = [line for line in axes.lines if line.get_marker() == "o"]
        assert len(curves) == 3 * len(SCORES)
        for k, line in enumerate(curves):
            model, score = divmod(k, len(SCORES))
            assert line.get_ydata() == pytest.approx(truth["bin_auc"][model, i, score])
            assert line.get_linestyle() == ("-", "--", ":")[model]
            edge = np.log10(truth["strength_edge"][i])
            assert np.log10(line.get_xdata()) == pytest.approx((edge[1:] + edge[:-1]) / 2)
        assert axes.get_xscale() == "log"
        words = [f"{one} {truth['auc'][m, i, 0]:.2f} ± 0.02" for m, one in enumerate(("ae", "PCA", "PCA turned"))]
        assert ", ".join(words) in axes.get_title().replace("\n", " ")
        assert axes.get_xlabel() == "strength (20 galaxies)"
    assert "against 50 normal ones" in figure.get_suptitle()
    picture = tmp_path / "truth.png"
    script("autoencoder_truth_figures").main(Params(truth=path), Params(strength=str(picture)), Params())
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_anomalies_of_which_none_is_planted_have_no_curve(tmp_path):
    truth = artefacts.read(write_truth(tmp_path), "autoencoder_truth")
    truth.data["bin_auc"][:, 0], truth.data["bin_count"][0] = np.nan, 0
    first = truth_figure(truth).axes[0]
    assert first.texts[0].get_text() == "none planted"
    nothing = {**truth.data, "planted": np.empty(0, str)}
    (axes,) = truth_figure(artefacts.Artefact(truth.kind, nothing, truth.attrs, "")).axes
    assert axes.texts[0].get_text() == "no result: no anomaly was planted"
