"""Figures of the map of galaxies, and the table of repeats, from a small map of which all is known."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
from attributes import attributes_of
from matplotlib.figure import Figure
from small_export import random_data

from mangrove import artefacts
from mangrove.codes import SpaxelStatus, Split
from mangrove.report import galaxy_map
from mangrove.report.galaxy_map_nodes import chosen_nodes, members
from mangrove.report.galaxy_map_repeats import nearness
from mangrove.report.galaxy_map_run import NAMES
from mangrove.report.galaxy_pictures import galaxy_picture
from mangrove.report.node_places import NodePlaces

#: Of the map of galaxies, and of the map of spectra.
ROWS, COLUMNS, SPECTRA = 2, 3, (3, 4)
PARAMS = {"gamma": 8e-6, "temperature_start": 3.0, "temperature_end": 0.5, "cooling_iterations": 20}
#: Node of each galaxy; the first and the last two are one galaxy.
NODE = np.array([0, 0, 0, 5, 5, 2, -1, 4, 5])
MANGAID = np.array(["1-0", "1-1", "1-2", "1-3", "1-4", "1-5", "1-6", "1-0", "1-0"])


class Outputs(dict):
    """Files of a rule, by name and as attributes."""

    __getattr__ = dict.get


def write(folder, kind, sizes, attrs, **given):
    path = folder / f"{kind}.h5"
    data = random_data(kind, sizes, **given)
    artefacts.write(path, kind, data, artefacts.Provenance(), attributes_of(kind, **attrs))
    return path


def write_extract(folder, name, bands, wcs="CTYPE1  = 'RA---TAN'"):
    rng = np.random.default_rng(0)
    status = np.full((6, 8), SpaxelStatus.BINNED)
    status[:, 0] = SpaxelStatus.OUTSIDE_FIELD
    given = {"band": np.array(bands), "image": rng.uniform(1, 5, (len(bands), 6, 8)), "spaxel_status": status}
    data = random_data("extract", {"spaxel_y": 6, "spaxel_x": 8, "baxel": 1}, **given)
    artefacts.write(folder / f"{name}.h5", "extract", data, artefacts.Provenance(), attributes_of("extract", wcs=wcs))
    return folder / f"{name}.h5"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    n, n_node, n_spectra = NODE.size, ROWS * COLUMNS, SPECTRA[0] * SPECTRA[1]
    names = np.array([f"8485-{1901 + i}" for i in range(n)])
    counts = np.random.default_rng(1).poisson(3.0, (n, n_spectra))
    counts[6], counts[7] = 0, 2 * counts[0]
    split = np.array([Split.TRAIN] * 6 + [Split.TEST] * 3)
    common = {"plateifu": names, "mangaid": MANGAID, "split": split}
    grid = {"rows": ROWS, "columns": COLUMNS}
    row, column = np.divmod(np.arange(n_node), COLUMNS)
    spectra_row, spectra_column = np.divmod(np.arange(n_spectra), SPECTRA[1])
    first, second = np.array([[0, 7], [0, 8], [7, 8]]).T
    occupied = np.bincount(NODE[NODE >= 0], minlength=n_node)
    fraction = np.where(occupied[:, None] > 0, [0.25, 0.75], np.nan)
    paths = {
        "fingerprints": write(
            folder,
            "fingerprints",
            {"plateifu": n, "node": n_spectra},
            {"rows": SPECTRA[0], "columns": SPECTRA[1]},
            **common,
            counts=counts,
            n_baxel=counts.sum(axis=1),
            normalised=counts / np.maximum(counts.max(axis=1, keepdims=True), 1),
            node_row=spectra_row,
            node_column=spectra_column,
        ),
        "assignments": write(
            folder,
            "galaxy_map_assignments",
            {"plateifu": n},
            grid,
            **common,
            node=NODE,
            repeat_first=first,
            repeat_second=second,
            repeat_distance=np.array([1, 2, 1]),
        ),
        "map": write(
            folder,
            "galaxy_map",
            {"node": n_node, "spectrum_node": n_spectra},
            grid,
            node_row=row,
            node_column=column,
            prototype_fingerprint=np.arange(n_node * n_spectra).reshape(n_node, -1) / (n_node * n_spectra),
            n_galaxy=np.stack([occupied, 0 * occupied, 0 * occupied], axis=1),
            example=np.array([names[0], "", names[5], "", names[7], names[3]]),
            morphology=np.array(["E", "Sb"]),
            morphology_fraction=fraction,
            n_morphology=4 * occupied,
            n_sersic=occupied,
        ),
    }
    metrics = [{"epoch": k, "step": 10 * (k + 1), "loss": 0.1, "reconstruction": 0.09, "som": 3.0} for k in range(3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    # The last galaxy has no extract, one has no images.
    bands = {name: ["g", "r", "i"] if k else [] for k, name in enumerate(names[:-1])}
    extracts = [write_extract(folder, name, own) for name, own in bands.items()]
    return SimpleNamespace(**paths, metrics=folder / "metrics.jsonl", extracts=extracts)


def run(script, inputs, folder):
    outputs = Outputs({name: folder / f"{name}.png" for name in NAMES}, repeats=folder / "repeats.csv")
    script("galaxy_map_figures").main(inputs, outputs, PARAMS)
    with (folder / "repeats.csv").open(encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_figures_and_repeats_of_a_run(script, inputs, tmp_path):
    rows = run(script, inputs, tmp_path)
    assert all((tmp_path / f"{name}.png").stat().st_size > 5000 for name in NAMES)
    assert [(row["plateifu_1"], row["plateifu_2"], row["steps"], row["place"]) for row in rows] == [
        ("8485-1901", "8485-1908", "1", "adjacent"),
        ("8485-1901", "8485-1909", "2", "apart"),
        ("8485-1908", "8485-1909", "1", "adjacent"),
    ]
    # Twice as many baxels on the same nodes are the same fingerprint.
    assert float(rows[0]["overlap"]) == pytest.approx(1.0) and rows[0]["spectra_node_1"] == rows[0]["spectra_node_2"]
    assert (rows[0]["node_1"], rows[0]["node_2"]) == ("(1, 1)", "(2, 2)")
    # Of the 25 pairs of different galaxies with a node.
    apart = [
        max(abs(NODE[i] // 3 - NODE[j] // 3), abs(NODE[i] % 3 - NODE[j] % 3))
        for i in range(9)
        for j in range(i)
        if MANGAID[i] != MANGAID[j] and min(NODE[i], NODE[j]) >= 0
    ]
    assert len(apart) == 25
    assert float(rows[0]["chance"]) == pytest.approx(np.mean(np.array(apart) <= 1), rel=1e-3)
    near, by_chance = nearness(artefacts.read(inputs.assignments, "galaxy_map_assignments")).near
    assert near == 2 and by_chance == pytest.approx(np.mean(np.array(apart) <= 1))


def test_a_run_without_a_map_says_why(script, inputs, tmp_path):
    nothing = {"rows": 0, "columns": 0, "status": "empty", "reason": "no galaxy to train on has a fingerprint"}
    sizes = dict.fromkeys(("node", "repeat", "latent", "spectrum_node", "plateifu", "split"), 0)
    empty = SimpleNamespace(**vars(inputs))
    empty.map = write(tmp_path, "galaxy_map", sizes, nothing)
    empty.assignments = write(tmp_path, "galaxy_map_assignments", sizes, nothing)
    assert run(script, empty, tmp_path) == []
    assert all((tmp_path / f"{name}.png").stat().st_size > 1000 for name in NAMES)


def test_nodes_without_a_galaxy_have_no_colour(inputs):
    """Zero is no low value: dark cells would look like galaxies, and hide their crosses."""
    nodes, assigned = (
        artefacts.read(inputs.map, "galaxy_map"),
        artefacts.read(inputs.assignments, "galaxy_map_assignments"),
    )
    train, others = galaxy_map.occupation_figure(nodes, assigned).axes[:2]
    wanted = NodePlaces(2, 3, nodes["node_row"], nodes["node_column"]).laid_out(nodes["n_galaxy"][:, Split.TRAIN])
    drawn = np.ma.filled(train.collections[0].get_array().astype(float), np.nan).reshape(2, 3)
    np.testing.assert_array_equal(drawn, np.where(wanted > 0, wanted, np.nan))
    assert train.lines[0].get_xdata().size == np.sum(wanted == 0) > 0
    assert "no value" in [text.get_text() for text in others.texts]


def test_a_fingerprint_lies_in_the_cell_of_its_node_the_right_way_up():
    places = NodePlaces(2, 3, np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2]))
    prints = np.zeros((6, 12))
    # Of the node in column 3 and row 1, the place in column 2 and row 3 of 3 x 4.
    prints[2, 2 * 4 + 1] = 1.0
    axes = Figure().subplots()
    galaxy_map.draw_mosaic(axes, places, prints, (3, 4), 1.0)
    (image,) = axes.images
    row, column = np.argwhere(image.get_array() == 1.0)[0]
    left, right, bottom, top = image.get_extent()
    x = left + (column + 0.5) * (right - left) / 12
    y = bottom + (row + 0.5) * (top - bottom) / 6
    assert (x, y) == pytest.approx((2.5 + 1.5 / 4, 0.5 + 2.5 / 3))
    assert image.origin == "lower"


def test_nodes_of_the_figure_have_galaxies_and_are_far_from_each_other():
    row, column = np.divmod(np.arange(25), 5)
    places, count = NodePlaces(5, 5, row, column), np.full(25, 3)
    count[[0, 1, 24, 20]] = [30, 20, 13, 14]
    # Node 4 is as far from the first as node 20, and has too few galaxies; node 1 is next to the first.
    assert chosen_nodes(count, places) == [0, 24, 20]
    assert chosen_nodes(np.array([0, 2, 0]), NodePlaces(1, 3, np.zeros(3, int), np.arange(3))) == [1]
    assert chosen_nodes(np.zeros(3, int), places) == []


def test_the_galaxies_nearest_to_the_prototype_come_first():
    data = {"node": np.array([1, 0, 1, 1]), "distance": np.array([0.5, 0.1, 0.2, 0.9])}
    assigned = artefacts.Artefact("galaxy_map_assignments", data, {}, "")
    assert members(assigned, 1).tolist() == [2, 0, 3]


def test_pictures_are_square_and_show_the_field_of_view(inputs, tmp_path):
    datasets = ["image", "band", "signal", "spaxel_status"]
    colour, grey = (artefacts.read(inputs.extracts[k], "extract", datasets) for k in (1, 0))
    for extract in (colour, grey):
        axes = Figure().subplots()
        galaxy_picture(axes, extract)
        assert axes.images[0].get_array().shape == (6, 8, 3)
        # The first of eight columns lies outside: seven columns and half a pixel more on either side of six rows.
        assert axes.get_xlim() == (0.5, 7.5) and axes.get_ylim() == (-1.0, 6.0)
    # Simulated spectra without cubes lie nowhere on the sky.
    invented = artefacts.read(write_extract(tmp_path, "a", [], wcs=""), "extract", datasets)
    for nothing in (None, invented):
        axes = Figure().subplots()
        galaxy_picture(axes, nothing)
        assert not axes.images and axes.texts[0].get_text() == "no image"
