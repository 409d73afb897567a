"""The figures of the map of spectra, on a small map that is not square and whose labels are known."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from smooth_map import MIN_BAXELS, make_maps, no_rows, write, write_empty

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import label_values, read_mapped
from mangrove.codes import Split, TrainingCut
from mangrove.report import desom_labels, desom_pairs, desom_quality, desom_spectra, node_values, overview
from mangrove.report.desom_fingerprint import fingerprint_figure
from mangrove.report.desom_run import run_figures
from mangrove.report.map_training import Cooling, training_figure
from mangrove.report.node_places import NodePlaces

ROWS, COLUMNS = 5, 4
PARAMS = {
    "gamma": 5e-4,
    "temperature_start": 6.0,
    "temperature_end": 0.7,
    "cooling_iterations": 300,
    "pretraining": 0,
}
WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


@pytest.fixture(scope="module")
def paths(tmp_path_factory, Params):
    return Params(make_maps(tmp_path_factory.mktemp("maps"), ROWS, COLUMNS))


@pytest.fixture(scope="module")
def read(paths):
    kinds = {"map": "desom_map", "assignments": "desom_assignments", "quality": "desom_quality"}
    return cache(lambda name: artefacts.read(paths[name], kinds.get(name, name)))


def mesh(axes):
    """Colours of a map of nodes, shape (rows, columns), bottom row first."""
    (found,) = [one for one in axes.collections if type(one).__name__ == "QuadMesh"]
    return np.ma.filled(found.get_array(), np.nan)


def node_at(column, row):
    """Index of a node by its name."""
    return (row - 1) * COLUMNS + column - 1


def texts_by_place(axes):
    return {(round(x), round(y)): text.get_text() for text in axes.texts for x, y in [text.get_position()]}


def test_every_figure_of_the_rule_is_written_and_has_a_caption(paths, script, Params, tmp_path):
    outputs = {name: str(tmp_path / f"{name}.png") for name in run_figures(paths, PARAMS)}
    script("desom_figures").main(paths, Params(outputs), PARAMS, str(tmp_path / "log"))
    assert all(Path(path).read_bytes()[:4] == b"\x89PNG" for path in outputs.values())
    rules = (WORKFLOW.parent / "rules" / "desom.smk").read_text(encoding="utf-8")
    rule = rules[rules.index("rule desom_figures:") : rules.index("rule galaxy_map_figures:")]
    assert set(outputs) == set(re.findall(r'"(\w+)": \(', rule))
    for name in outputs:
        assert (WORKFLOW / "report" / f"desom_{name}.rst").read_text(encoding="utf-8").strip()


def test_a_run_without_a_map_says_why(tmp_path, Params):
    paths = Params(write_empty(tmp_path, "fewer spectra than nodes"))
    for make in run_figures(paths, PARAMS).values():
        (axes,) = make().axes
        assert axes.texts[0].get_text() == "no result: fewer spectra than nodes"


def test_labels_stand_on_their_nodes_with_row_1_at_the_bottom(read):
    table = read("node_labels")
    figure = desom_labels.labels_figure(table)
    by_title = {axes.get_title(): axes for axes in figure.axes}
    age, metallicity = by_title["light-weighted age"], by_title["light-weighted metallicity"]
    assert age.get_ylim() == (0.5, ROWS + 0.5) and age.get_xlim() == (0.5, COLUMNS + 0.5)
    assert (age.get_xlabel(), age.get_ylabel()) == ("column", "row")
    for column, row in ((1, 1), (4, 1), (1, 5), (2, 3)):
        expected = table["median"][node_at(column, row)]
        assert mesh(age)[row - 1, column - 1] == pytest.approx(expected[0])
        assert mesh(metallicity)[row - 1, column - 1] == pytest.approx(expected[1])
    # Old to the right, rich in metals at the top.
    assert (mesh(age)[:, -1] > mesh(age)[:, 0] + 0.5).all()
    assert (mesh(metallicity)[-1] > mesh(metallicity)[0] + 0.3).all()


def test_nodes_of_one_odd_galaxy_set_no_colours():
    ages = np.append(np.linspace(8.9, 9.9, 34), [7.4, 7.4])
    assert node_values.label_limits("log_age_lw", ages) == pytest.approx((8.9, 9.9), abs=0.1)
    assert node_values.label_limits("log_age_lw", np.full(4, 9.0))[1] >= 9.05


def test_pooled_nodes_are_hatched(read):
    table = read("node_labels")
    axes = desom_labels.labels_figure(table).axes[0]
    (hatched,) = [one for one in axes.collections if one.get_hatch()]
    centres = {tuple(np.floor(path.vertices[:4].mean(axis=0)).astype(int)) for path in hatched.get_paths()}
    pooled = np.flatnonzero(table["n_own"][:, 0] < MIN_BAXELS)
    assert 0 < len(pooled) < ROWS * COLUMNS
    assert centres == {(k % COLUMNS + 1, k // COLUMNS + 1) for k in pooled}


def test_prototypes_stay_in_their_cells(read):
    spectra = read("map")
    axes = desom_spectra.prototypes_figure(spectra).axes[0]
    curves = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) == len(spectra["wave"])]
    assert len(curves) == ROWS * COLUMNS
    for k, curve in enumerate(curves):
        middle = np.array([k % COLUMNS + 1, k // COLUMNS + 1])
        assert (np.abs(curve - middle) <= 0.5).all()
        # Old prototypes, in the last column, rise to the red; young ones, in the first, fall.
        rises = curve[-1, 1] > curve[0, 1]
        assert rises == (k % COLUMNS >= 2) or k % COLUMNS == 1
    empty = int(np.sum(spectra["n_baxel"][:, Split.TRAIN] == 0))
    assert f"of {ROWS * COLUMNS} nodes; {empty} node" in axes.get_title()


def test_templates_are_drawn_where_there_are_spectra(read):
    spectra = read("map")
    axes = desom_spectra.templates_figure(spectra, read("node_labels")).axes[0]
    full = np.flatnonzero(spectra["n_baxel"][:, Split.TRAIN])
    curves = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) == len(spectra["wave"])]
    assert [round(curve[:, 0].mean()) for curve in curves] == [k % COLUMNS + 1 for k in full]
    assert mesh(axes).ravel()[full] == pytest.approx(read("node_labels")["median"][full, 0])
    assert np.isnan(mesh(axes)).sum() == ROWS * COLUMNS - full.size


def test_occupation_counts_and_marks_empty_nodes(read):
    spectra = read("map")
    train, test = desom_quality.occupation_figure(spectra, read("quality")).axes[:2]
    for axes, split in ((train, Split.TRAIN), (test, Split.TEST)):
        count = spectra["n_baxel"][:, split]
        found = texts_by_place(axes)
        assert all(found[k % COLUMNS + 1, k // COLUMNS + 1] == (f"{n}" if n else "") for k, n in enumerate(count))
        assert axes.get_title().startswith(f"{count.sum()} baxels of ")
    crosses = {(round(x), round(y)) for line in train.lines for x, y in line.get_xydata()}
    empty = np.flatnonzero(spectra["n_baxel"][:, Split.TRAIN] == 0)
    assert crosses == {(k % COLUMNS + 1, k // COLUMNS + 1) for k in empty} and (COLUMNS, ROWS) in crosses


def test_training_and_test_medians_share_a_scale_and_their_correlation_is_told(read):
    table = read("node_labels")
    figure = desom_labels.train_test_figure(table, read("quality"))
    n = len(node_values.MAIN)
    train, test, against = figure.axes[0], figure.axes[n], figure.axes[2 * n]
    assert mesh(train).ravel() == pytest.approx(table["median"][:, 0])
    assert mesh(test).ravel() == pytest.approx(table["test_median"][:, 0], nan_ok=True)
    assert train.collections[0].get_clim() == test.collections[0].get_clim()
    both = np.isfinite(table["test_median"][:, 0]) & np.isfinite(table["own_median"][:, 0])
    rho = spearmanr(table["own_median"][both, 0], table["test_median"][both, 0])[0]
    assert against.get_title().startswith(f"ρ = {rho:.3f}\n{both.sum()} nodes")


def places(rows, columns):
    row, column = np.divmod(np.arange(rows * columns), columns)
    return NodePlaces(rows, columns, row, column)


def test_pairs_are_the_farthest_and_the_nearest_of_well_occupied_nodes():
    count = np.array([[90, 5, 80], [70, 75, 2], [60, 0, 95]]).ravel()
    found = desom_pairs.chosen_pairs(places(3, 3), count, least=50)
    # (1, 1) with (3, 3), 90 and 95, beats (3, 1) with (1, 3), 80 and 60; of neighbours (1, 2) and (2, 2) 70.
    assert found.far == (0, 8) and found.near in {(0, 3), (3, 4)}
    assert desom_pairs.chosen_pairs(places(1, 3), np.array([4, 0, 2]), least=50).far == (0, 2)
    assert desom_pairs.chosen_pairs(places(1, 3), np.array([4, 0, 0]), least=50) is None


def test_distributions_of_a_pair_are_densities_with_median_and_scatter(read):
    table, spectra = read("node_labels"), read("map")
    figure = desom_pairs.pairs_figure(spectra, table)
    found = desom_pairs.chosen_pairs(places(ROWS, COLUMNS), spectra["n_baxel"][:, Split.TRAIN], MIN_BAXELS)
    age = figure.axes[1]
    assert age.get_xlabel() == "log age [yr]"
    for text, node in zip(age.texts, found.far, strict=True):
        median, scatter = map(
            float, text.get_text().removesuffix(", pooled").replace("\N{MINUS SIGN}", "-").split(" ± ")
        )
        assert text.get_text().endswith("pooled") == (table["n_own"][node, 0] < MIN_BAXELS)
        low, _, high = node_values.interval(table, node, "log_age_lw")
        assert median == pytest.approx(table["median"][node, 0], abs=0.006)
        assert scatter == pytest.approx(0.5 * (high - low), abs=0.006)
    outlines = [one for one in age.patches if not one.get_fill()]
    for stairs in outlines:
        assert np.sum(stairs.get_data().values * np.diff(stairs.get_data().edges)) == pytest.approx(1.0)
    first, last = found.far
    name = f"node ({first % COLUMNS + 1}, {first // COLUMNS + 1})"
    assert name in figure.axes[0].get_legend().texts[0].get_text() and first != last


def test_samples_come_from_test_galaxies_all_over_the_map(read, paths):
    assigned, spectra = read("assignments"), read("map")
    chosen = desom_spectra.samples(assigned, places(ROWS, COLUMNS))
    rows = np.array([one.row for one in chosen])
    assert (assigned["split"][rows] == Split.TEST).all() and (assigned["cut"][rows] == TrainingCut.KEPT).all()
    usable = (assigned["split"] == Split.TEST) & (assigned["cut"] == TrainingCut.KEPT)
    assert assigned["typicality"][rows[-1]] == assigned["typicality"][usable].min()
    assert len(set(assigned["node"][rows])) >= 4
    flux = desom_spectra.flux_of(paths.training_spectra, assigned, rows.tolist())
    noise = np.std(flux - spectra["prototype_flux"][assigned["node"][rows]], axis=1)
    assert noise == pytest.approx(1 / assigned["snr"][rows], rel=0.15)


def test_a_map_without_test_galaxies_shows_others(read):
    assigned = read("assignments")
    data = {**assigned.data, "split": np.zeros_like(assigned["split"])}
    only = artefacts.Artefact(assigned.kind, data, assigned.attrs, "")
    assert len(desom_spectra.samples(only, places(ROWS, COLUMNS))) > 1


def test_calibration_shows_test_labels_against_node_medians(read, paths):
    mapped, quality, table = read_mapped(paths.assignments), read("quality"), read("node_labels")
    labels = label_values(paths.labels, mapped)
    figure = desom_quality.calibration_figure(mapped, labels, table, quality)
    upper, lower = figure.axes[0], figure.axes[len(node_values.MAIN)]
    assert np.mean([bar.get_height() for bar in upper.patches]) == pytest.approx(1.0)
    assert f"{100 * quality['coverage'][0]:.0f} % in 16-84 %" in upper.get_title()
    assert f"ρ = {quality['rho'][0]:.3f}" in lower.get_title()
    points = lower.lines[0].get_xydata()
    assigned, every = read("assignments"), read("labels")
    test = (assigned["split"] == Split.TEST) & (assigned["cut"] == TrainingCut.KEPT)
    # The factory writes both tables in one order.
    assert points[:, 0] == pytest.approx(every["log_age_lw"][test])
    assert points[:, 1] == pytest.approx(table["median"][assigned["node"][test], 0])


def test_reconstruction_is_told_as_a_ratio_to_as_many_components(read, paths):
    quality = read("quality")
    figure = desom_quality.reconstruction_figure(read_mapped(paths.assignments), read("map"), quality)
    n_latent = read("map")["prototype_latent"].shape[1]
    ratio = quality.attrs["mse_of_compared"] / quality["pca_mse"][quality["pca_component"].tolist().index(n_latent)]
    title = figure.axes[0].get_title()
    assert f"as many components ({n_latent}): {ratio:.2f}" in title and "noisy test spectra" in title
    points = figure.axes[1].lines[0].get_xydata()
    assert points[:, 1] == pytest.approx(1.5 / points[:, 0] ** 2 + 1e-3, rel=1e-5)


def test_fits_of_templates_leave_out_nodes_without(read):
    table, fits = read("node_labels"), read("template_labels")
    axes = desom_labels.template_labels_figure(table, fits).axes[0]
    usable = np.isfinite(fits["value"][:, 0])
    points = axes.lines[0].get_xydata()
    assert points[:, 0] == pytest.approx(table["own_median"][usable, 0])
    assert points[:, 1] == pytest.approx(fits["value"][usable, 0])
    assert f"{usable.sum()} nodes, bias " in axes.get_title() and usable.sum() < usable.size


def test_fingerprint_of_the_richest_galaxy(read):
    prints = read("fingerprints")
    figure = fingerprint_figure(prints)
    k = int(np.argmax(prints["n_baxel"]))
    found = texts_by_place(figure.axes[0])
    for node, n in enumerate(prints["counts"][k]):
        assert found[node % COLUMNS + 1, node // COLUMNS + 1] == (f"{n}" if n else "")
    assert mesh(figure.axes[0]).ravel() == pytest.approx(prints["mean_radius"][k], nan_ok=True)
    assert figure.get_suptitle().startswith(f"{prints['plateifu'][k]}: {prints['n_baxel'][k]} baxels on ")


def test_training_shows_the_parts_and_the_temperature():
    history = [
        {"step": step, "reconstruction": 0.1 / step, "som": 20.0, "loss": 0.3, "validation_loss": 0.2}
        for step in (1, 6, 11)
    ]
    figure = training_figure(history, 0.01, Cooling(8.0, 0.5, 11, pretraining=0))
    parts = {line.get_label(): line.get_ydata() for line in figure.axes[1].lines}
    assert parts["reconstruction"] == pytest.approx([0.1, 0.1 / 6, 0.1 / 11])
    assert parts["0.01 x distances on the map"] == pytest.approx([0.2] * 3)
    assert figure.axes[2].lines[0].get_ydata() == pytest.approx([8.0, 2.0, 0.5])
    assert np.isnan(Cooling(8.0, 0.5, 11, pretraining=5).at([3, 5])).tolist() == [True, False]


def test_first_page_tells_of_the_maps(paths, read, tmp_path):
    quality = read("quality")
    second = {"rows": 3, "columns": 3, "n_empty": 1, "topographic_error_8": np.nan}
    galaxies = write(tmp_path, "galaxy_map", no_rows("galaxy_map"), **second)
    first, other = overview.map_numbers(paths.quality, galaxies)
    assert (first.what, first.number) == ("nodes of the map of spectra", f"{ROWS * COLUMNS}")
    assert first.of_which.startswith(f"{quality.attrs['n_empty']} empty in training, topographic error 0.080, ")
    assert f"rank correlation {quality['rho'][0]:.3f} of ages" in first.of_which
    assert other == ("nodes of the map of galaxies", "9", "1 empty in training")
    without = write_empty(tmp_path)
    assert overview.map_numbers(without["quality"], without["galaxy_map"]) == []
