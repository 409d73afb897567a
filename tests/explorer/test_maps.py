"""The maps of spectra and of galaxies: what is shown of them, against the artefacts."""

import base64
import io

import h5py
import numpy as np
import pytest
from astropy import units as u
from dash import Dash
from mapped_survey import COLUMNS, N_NODE
from matplotlib.image import imread
from small_maps import GALAXY_NODE, N_GALAXY, write_maps

from mangrove import artefacts
from mangrove.codes import SpaxelStatus
from mangrove.data_model import LABEL
from mangrove.errors import OutputError
from mangrove.explorer import galaxy_map, node_tables, spectral_map
from mangrove.explorer.address import Address
from mangrove.explorer.app import create_app, page_at
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_map_figures import fingerprints_figure, morphology_figure
from mangrove.explorer.mathtext import as_components, as_html
from mangrove.explorer.node_figure import clicked_node, mosaic_figure, nodes_figure, selected_nodes
from mangrove.explorer.node_index import grid_of, node_rows, rows_by_node
from mangrove.explorer.spectral_figures import pdf_figure, spectra_figure
from mangrove.explorer.text_table import Linked, text_table
from mangrove.explorer.thumbnails import thumbnail
from mangrove.report.galaxy_images import colour_image
from mangrove.report.label_style import STYLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_maps(folder)
    return folder


@pytest.fixture
def run(folder):
    return ExploredRun(folder)


@pytest.fixture
def read(folder):
    """Function that reads a dataset of the run without mangrove."""

    def read(path, name):
        with h5py.File(folder / path) as f:
            return f[name].asstr()[...] if f[name].dtype.kind == "O" else f[name][...]

    return read


def parts_of(page):
    """The page and everything on it, in order."""
    children = getattr(page, "children", None)
    yield page
    for child in children if isinstance(children, list | tuple) else [children]:
        if child is not None:
            yield from parts_of(child)


def words_of(page):
    return " ".join(part for part in parts_of(page) if isinstance(part, str))


def test_rows_by_node_are_those_of_a_search():
    node = np.random.default_rng(2).integers(-1, 7, 500)
    found = rows_by_node(node, 7)
    for k in range(7):
        np.testing.assert_array_equal(found.of(k), np.flatnonzero(node == k))
    np.testing.assert_array_equal(found.of_all([5, 2]), np.flatnonzero(np.isin(node, [2, 5])))
    np.testing.assert_array_equal(found.count, np.bincount(node[node >= 0], minlength=7))
    assert found.of_all([]).size == 0
    assert rows_by_node(np.full(3, -1), 2).count.tolist() == [0, 0]


def test_the_number_of_baxels_of_a_node_is_that_of_its_splits_and_of_those_cut(run, read):
    node, cut, split = (read("desom/assignments.h5", name) for name in ("node", "cut", "split"))
    for k in range(N_NODE):
        counts = spectral_map.baxel_counts(run, k)
        here = node == k
        of_split = [np.sum(here & (cut == 0) & (split == s)) for s in range(3)]
        assert [counts.train, counts.validation, counts.test] == of_split
        assert (counts.cut, counts.total) == (np.sum(here & (cut != 0)), np.sum(here))


def test_galaxies_of_a_node_come_by_the_number_of_their_baxels_with_the_nearest_of_these(run, read):
    node, galaxy, baxel, distance = (
        read("desom/assignments.h5", name) for name in ("node", "galaxy", "baxel", "distance")
    )
    names = read("desom/assignments.h5", "plateifu")
    found = spectral_map.galaxies_on(run, [7])
    assert np.all(np.diff(found.n_here) <= 0)
    for plateifu, n_here, n_baxel, nearest in zip(
        found.plateifu, found.n_here, found.n_baxel, found.nearest, strict=True
    ):
        own = names[galaxy] == plateifu
        assert n_here == np.sum(own & (node == 7)) and n_baxel == np.sum(own & (node >= 0))
        rows = np.flatnonzero(own & (node == 7))
        assert nearest == baxel[rows[np.argmin(distance[rows])]]
    assert set(found.plateifu) == set(names[galaxy[node == 7]])


def test_labels_of_a_node_are_its_quantiles_and_a_density_of_unit_integral(run, read):
    pdfs = spectral_map.label_pdfs(run, 3)
    assert [pdf.name for pdf in pdfs] == ["log_age_lw", "ebv_star"]
    for k, pdf in enumerate(pdfs):
        value, level = read("desom/node_labels.h5", "value")[3, k], read("desom/node_labels.h5", "quantile")
        expected = np.interp([0.16, 0.5, 0.84], level, value)
        np.testing.assert_allclose([pdf.low, pdf.median, pdf.high], expected, rtol=1e-6)
        assert np.sum(pdf.density * np.diff(pdf.edge)) == pytest.approx(1.0)
        assert (pdf.n_pooled, pdf.pool_radius) == (45, 2)
    unknown = spectral_map.label_pdfs(run, N_NODE - 1)[0]
    assert np.isnan([unknown.low, unknown.median, unknown.high]).all()


def test_colours_are_the_medians_grey_where_unknown_and_hatched_where_neighbours_were_added(run, read):
    shown = spectral_map.node_colours(run, "log_age_lw")
    np.testing.assert_array_equal(shown.values, read("desom/node_labels.h5", "median")[:, 0])
    assert np.isnan(shown.values[-1]) and not shown.hatched[-1] and shown.hatched[:-1].all()
    assert shown.texts[-1] == "no baxel with this label"
    assert "with its neighbours'" in shown.texts[0]
    occupied = spectral_map.node_colours(run, spectral_map.OCCUPATION)
    np.testing.assert_array_equal(occupied.values, read("desom/map.h5", "n_baxel").sum(axis=1))


def test_cells_of_the_figure_lie_at_column_and_row_from_the_bottom(run):
    places, shown = grid_of(run, "desom_map"), spectral_map.node_colours(run, spectral_map.OCCUPATION)
    figure = nodes_figure(places, shown, {6: "red"})
    ground, cells, centres = figure.data
    for node, value in enumerate(shown.values):
        row, column = divmod(node, COLUMNS)
        assert cells.z[row][column] == value
        assert (cells.x[column], cells.y[row]) == (column + 1, row + 1) == (centres.x[node], centres.y[node])
        assert cells.text[row][column].startswith(f"node ({column + 1}, {row + 1})<br>")
    assert ground.hoverinfo == "skip"
    frames = {(shape.x0, shape.y0, shape.x1, shape.y1) for shape in figure.layout.shapes}
    assert frames == {(1.5, 1.5, 2.5, 2.5)}


@pytest.mark.parametrize(
    ("click", "node"),
    [
        ({"points": [{"x": 2, "y": 3}]}, 11),
        ({"points": [{"x": 5.4, "y": 0.6}]}, 4),
        ({"points": [{"x": 6, "y": 1}]}, None),
        ({"points": [{"x": 0, "y": -3}]}, None),
        ({"points": [{"x": "a", "y": None}, "b", {}]}, None),
        ({"points": [{"x": float("nan"), "y": 1}]}, None),
        ({"points": []}, None),
        ({"points": 7}, None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_a_click_is_a_node_of_the_map_or_none(run, click, node):
    assert clicked_node(grid_of(run, "desom_map"), click) == node


def test_a_lasso_takes_each_node_once(run):
    points = [{"x": 1, "y": 1}, {"x": 3, "y": 2}, {"x": 3, "y": 2}, {"x": 99, "y": 1}]
    assert selected_nodes(grid_of(run, "desom_map"), {"points": points}) == [0, 7]
    assert selected_nodes(grid_of(run, "desom_map"), None) == []


def test_the_table_of_baxels_has_their_places_and_labels_with_units(run, read):
    node, galaxy, baxel = (read("desom/assignments.h5", name) for name in ("node", "galaxy", "baxel"))
    names = read("desom/assignments.h5", "plateifu")
    table = node_tables.baxel_table(run, [2, 13])
    rows = np.flatnonzero(np.isin(node, [2, 13]))
    assert table["plateifu"].tolist() == names[galaxy[rows]].tolist()
    assert table["baxel"].tolist() == baxel[rows].tolist() and table["node"].tolist() == node[rows].tolist()
    assert {(row["node"], row["column"], row["row"]) for row in table} == {(2, 3, 1), (13, 4, 3)}
    np.testing.assert_array_equal(table["distance"], read("desom/assignments.h5", "distance")[rows])
    of_label = {
        (name, number): age
        for name, number, age in zip(
            read("spectra/labels.h5", "plateifu")[read("spectra/labels.h5", "galaxy")],
            read("spectra/labels.h5", "baxel"),
            read("spectra/labels.h5", "log_age_lw"),
            strict=True,
        )
    }
    assert table["log_age_lw"].tolist() == [of_label[row["plateifu"], row["baxel"]] for row in table]
    assert table["log_age_lw"].unit == u.dex(u.yr) and table["log_age_lw_err"].unit == u.dex
    assert set(LABEL) <= set(table.colnames)
    assert set(table["split"]) <= {"train", "validation", "test"} and set(table["cut"]) <= {"kept", "low_snr"}


def test_the_table_of_baxels_keeps_no_column_of_labels_in_memory(run, monkeypatch):
    asked = []
    column = run.column
    monkeypatch.setattr(run, "column", lambda kind, name: asked.append((kind, name)) or column(kind, name))
    assert len(node_tables.baxel_table(run, [2, 13]))
    assert {name for kind, name in asked if kind == "labels"} == {"n_baxel_of_galaxy", "plateifu"}
    assert len(node_tables.baxel_table(run, [])) == 0


def test_a_table_too_large_for_a_browser_is_refused_with_the_reason(run, monkeypatch):
    monkeypatch.setattr(node_tables, "MOST_DOWNLOADED", 5)
    with pytest.raises(OutputError, match="select fewer nodes"):
        node_tables.baxel_table(run, range(N_NODE))


def test_the_table_of_galaxies_counts_their_baxels_on_all_selected_nodes(run, read):
    node, galaxy = (read("desom/assignments.h5", name) for name in ("node", "galaxy"))
    table = node_tables.galaxy_table(run, [0, 1, 2])
    count = np.bincount(galaxy[np.isin(node, [0, 1, 2])], minlength=N_GALAXY)
    names = read("desom/assignments.h5", "plateifu")
    assert dict(zip(table["plateifu"], table["n_baxel_selected"], strict=True)) == {
        str(name): n for name, n in zip(names, count, strict=True) if n
    }


def test_galaxies_of_a_node_of_their_map_come_nearest_first(run, read):
    found = galaxy_map.galaxies_of(run, 4)
    names, node = (read("galaxy_map/assignments.h5", name) for name in ("plateifu", "node"))
    distance = read("galaxy_map/assignments.h5", "distance")
    assert set(found.plateifu) == set(names[node == 4])
    np.testing.assert_array_equal(found.distance, np.sort(distance[node == 4]))
    assert found.plateifu[0] == names[1]
    assert sorted(node_tables.mapped_galaxy_table(run, [4, 0])["plateifu"]) == sorted(names[np.isin(node, [0, 4])])
    assert galaxy_map.most_populated(run) == 4


def test_the_mean_fingerprint_is_that_of_the_galaxies_of_the_node(run, read):
    prints = read("desom/fingerprints.h5", "normalised")
    mean = galaxy_map.mean_fingerprint(run, 4)
    np.testing.assert_allclose(mean.ravel(), prints[GALAXY_NODE == 4].mean(axis=0), rtol=1e-6)
    assert mean.shape == (4, 5)
    assert np.isnan(galaxy_map.mean_fingerprint(run, 3)).all()
    decoded = galaxy_map.fingerprints_of_nodes(run)
    np.testing.assert_array_equal(decoded[2, 1, 3], read("galaxy_map/map.h5", "prototype_fingerprint")[2, 8])


def test_hubble_types_that_no_galaxy_has_are_no_choice(run):
    choices = galaxy_map.map_choices(run)
    assert "type-E" in choices and "type-S0" not in choices
    shown = galaxy_map.map_colours(run, "type-Sa")
    assert shown.values[4] == 0.75 and np.isnan(np.delete(shown.values, 4)).all()
    assert shown.texts[4] == "75 % of 4 galaxies with a type"
    sersic = galaxy_map.map_colours(run, "sersic_n")
    assert sersic.values[4] == 6.5 and np.isnan(sersic.values[3])


def test_prototypes_stand_in_their_cells_the_right_way_up(run):
    places, prints = grid_of(run, "galaxy_map"), galaxy_map.fingerprints_of_nodes(run)
    image = mosaic_figure(places, prints, "weight", {}).data[1]
    x = image.x0 + image.dx * np.arange(image.z.shape[1])
    y = image.y0 + image.dy * np.arange(image.z.shape[0])
    # Row 3 and column 5 of the fingerprint of node (2, 1).
    at = np.argmin(abs(y - (0.5 + 2.5 / 4))), np.argmin(abs(x - (1.5 + 4.5 / 5)))
    assert image.z[at] == prints[1, 2, 4]


def test_figures_of_a_node_hold_its_numbers(run, read):
    spectra = spectral_map.spectra_of(run, 8)
    figure = spectra_figure({"a": spectra}, {"a": "red"}, "flux")
    prototype, band, template = figure.data
    np.testing.assert_array_equal(prototype.y, read("desom/map.h5", "prototype_flux")[8])
    np.testing.assert_array_equal(template.y, read("desom/map.h5", "template_flux")[8])
    upper = read("desom/map.h5", "template_flux")[8] + read("desom/map.h5", "template_scatter")[8]
    np.testing.assert_array_equal(band.y[: upper.size], upper)
    assert "vacuum (Å)" in figure.layout.xaxis2.title.text
    bars = pdf_figure({"a": spectral_map.label_pdfs(run, 8)}, {"a": "red"}).data[0]
    assert np.sum(np.multiply(bars.y, bars.width)) == pytest.approx(1.0)
    types = morphology_figure(galaxy_map.morphology_of(run, 4)).data[0]
    assert dict(zip(types.x, types.y, strict=True)) == {"E": 0.25, "S0": 0.0, "Sa": 0.75}
    prints = fingerprints_figure(*(galaxy_map.fingerprints_of_nodes(run)[:2]))
    assert prints.data[1].z[3][2] == galaxy_map.fingerprints_of_nodes(run)[1, 3, 2]


def test_the_prototype_of_a_node_without_galaxies_stands_alone(run):
    prototype, nothing = galaxy_map.fingerprints_of_nodes(run)[2], galaxy_map.mean_fingerprint(run, 2)
    figure = fingerprints_figure(prototype, nothing)
    (cells,) = figure.data
    np.testing.assert_array_equal(cells.z, prototype)
    assert [note.text for note in figure.layout.annotations] == ["prototype"]


@pytest.mark.parametrize("path", ["/spectral-map", "/galaxy-map"])
@pytest.mark.parametrize(
    "search",
    ["", "?node=3&label=ebv_star&show=n_galaxy", "?node=-1&with=x", "?node=99999999999&label=<b>&show=type-", "?node=²",
     "?node=0&with=1&label=n_baxel&show=sersic_ba", "?node=5&node=2", "?galaxy=9000-1901&colour=score", "?node=19&with=19"],
)  # fmt: skip
def test_a_page_takes_what_it_knows_of_an_address(run, path, search):
    page = page_at(run, Address.parsed(path, search))
    assert any(getattr(part, "id", "") == f"{path[1:]}-nodes" for part in parts_of(page))
    assert "Galaxies of node" in words_of(page) or "No galaxy" in words_of(page)


def test_a_node_without_anything_says_so(run):
    empty = words_of(page_at(run, Address.parsed("/galaxy-map", "?node=2")))
    assert "No galaxy lies on node (3, 1)." in empty and "median Sérsic index n unknown" in empty
    page = page_at(run, Address.parsed("/galaxy-map", "?node=0"))
    assert "No galaxy of this node has a Hubble type" in words_of(page)


@pytest.mark.parametrize("address", ["/spectral-map?node=3", "/galaxy-map?node=4", "/galaxy-map?node=2"])
def test_the_python_of_a_page_gives_its_numbers(run, address, capsys):
    path, _, search = address.partition("?")
    page = page_at(run, Address.parsed(path, search))
    (code,) = [part.children for part in parts_of(page) if type(part).__name__ == "Code"]
    found = {}
    exec(code, found)
    if path == "/spectral-map":
        assert len(found["here"]) == spectral_map.baxel_counts(run, 3).total
        assert found["labels"].label.item() == "log_age_lw"
        np.testing.assert_array_equal(found["spectra"].template_flux, spectral_map.spectra_of(run, 3).template)
    else:
        assert found["here"].plateifu.size == node_rows(run, "galaxy_map_assignments").of(found["node"]).size
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", ["/spectral-map", "/galaxy-map"])
def test_the_python_of_a_page_runs_for_a_folder_with_a_quote(tmp_path, path):
    folder = tmp_path / 'a "run"'
    write_maps(folder)
    page = page_at(ExploredRun(folder), Address.parsed(path, ""))
    (code,) = [part.children for part in parts_of(page) if type(part).__name__ == "Code"]
    exec(code, {})


def test_without_a_map_a_page_says_what_is_missing(tmp_path):
    run = ExploredRun(tmp_path)
    assert "desom.enabled: true" in words_of(page_at(run, Address.parsed("/spectral-map", "")))
    assert "desom.enabled: true" in words_of(page_at(run, Address.parsed("/galaxy-map", "")))


def test_a_map_without_its_assignments_names_what_is_missing(tmp_path):
    write_maps(tmp_path)
    (tmp_path / "desom" / "assignments.h5").unlink()
    (tmp_path / "desom" / "fingerprints.h5").unlink()
    run = ExploredRun(tmp_path)
    spectra, galaxies = (words_of(page_at(run, Address.parsed(path, ""))) for path in ("/spectral-map", "/galaxy-map"))
    assert "desom/assignments.h5 does not exist" in spectra
    assert "desom/fingerprints.h5 does not exist" in galaxies


def test_without_labels_nodes_show_how_many_baxels_they_have(tmp_path):
    write_maps(tmp_path)
    (tmp_path / "desom" / "node_labels.h5").unlink()
    (tmp_path / "spectra" / "labels.h5").unlink()
    run = ExploredRun(tmp_path)
    assert list(spectral_map.choices(run)) == [spectral_map.OCCUPATION]
    assert "There are no labels on the nodes" in words_of(page_at(run, Address.parsed("/spectral-map", "?label=d_bpt")))
    table = node_tables.baxel_table(run, [0])
    assert "log_age_lw" not in table.colnames and len(table)


def test_both_views_are_served(folder):
    assert isinstance(create_app(folder), Dash)


def test_mathematics_of_labels_becomes_html():
    assert as_html(STYLE["log_sfr_density"].axis) == (
        "log Σ<sub>SFR</sub> [M<sub>☉</sub> yr<sup>−1</sup> kpc<sup>−2</sup>]"
    )
    assert as_html(STYLE["ebv_star"].axis) == "E(B−V) (mag)"
    text, sub, more = as_components(r"log $M/L_r$ (dex)")
    assert (text, sub.children, more) == ("log M/L", "r", " (dex)")
    assert not any("$" in as_html(style.axis) or "\\" in as_html(style.axis) for style in STYLE.values())


def test_what_has_no_picture_has_none(run):
    assert thumbnail(run, "9000-1901") == "" and thumbnail(run, "../../etc/passwd") == ""


def test_a_table_shows_text_as_text_and_links_within_the_explorer():
    name = '<b onclick="x">{alert(1)}&'
    page = text_table(["galaxy", "n"], [[Linked(name, "/galaxy/9000-1901"), "1"], [name, "2"]], 1)
    shown = "&lt;b onclick=&quot;x&quot;&gt;&#123;alert(1)&#125;&amp;"
    assert f'<td><dccLink href="/galaxy/9000-1901">{shown}</dccLink></td><td class="number">1</td>' in page.children
    assert f"<td>{shown}</td>" in page.children and "{" not in page.children


def test_a_thumbnail_is_the_picture_of_the_field_with_row_one_at_the_bottom(explored):
    name = explored.galaxies[0]
    kind, _, text = thumbnail(explored, name).partition(",")
    assert kind == "data:image/png;base64"
    shown = imread(io.BytesIO(base64.b64decode(text)))[::-1, :, :3]
    extract = artefacts.read(explored.path("extract", plateifu=name), "extract", ["image", "band", "spaxel_status"])
    inside = extract["spaxel_status"] != SpaxelStatus.OUTSIDE_FIELD
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    field = colour_image(extract)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.testing.assert_allclose(shown, field / 255.0, atol=0.01)
