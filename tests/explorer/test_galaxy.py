"""The page of a galaxy without a browser: its numbers against the artefacts and the run as notebooks read it."""

import json
import shlex
import shutil
import threading

import h5py
import numpy as np
import pytest
from plotly.utils import PlotlyJSONEncoder

from mangrove import cli
from mangrove.api import open_run
from mangrove.codes import BptClass, LabelFlag
from mangrove.explorer import galaxy_refit
from mangrove.explorer.address import Address
from mangrove.explorer.bpt_figure import bpt_figure
from mangrove.explorer.catalogue import catalogue, survey_source
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.figure_events import rows_of
from mangrove.explorer.fingerprint_figure import fingerprint_figure
from mangrove.explorer.galaxy_data import seen_galaxy
from mangrove.explorer.galaxy_maps import as_unit, bpt_map, kinematic_maps, quantity_titles, shown_map
from mangrove.explorer.galaxy_neighbours import kin_of
from mangrove.explorer.galaxy_refit import RefitSettings, chosen_settings, degrees_with, is_asked, libraries
from mangrove.explorer.galaxy_selection import selection_of
from mangrove.explorer.galaxy_spectrum import spectrum_figure, stored_label_rows
from mangrove.explorer.line_cube_maps import line_images, line_images_figure, spaxel_table
from mangrove.explorer.map_figure import (
    OUTLINE,
    clicked_baxel,
    image_figure,
    map_figure,
    maps_figure,
    outline,
    spaxel_axes,
)
from mangrove.explorer.node_figure import selected_nodes
from mangrove.explorer.node_index import grid_of
from mangrove.explorer.placed_baxel import baxels_on, placed_baxel
from mangrove.explorer.spectrum_parts import detected_lines, stored_parts
from mangrove.explorer.style import TEMPLATE
from mangrove.explorer.views.galaxy import GALAXY
from mangrove.explorer.views.galaxy_code import code_of as page_code
from mangrove.explorer.views.galaxy_sky import head
from mangrove.notebook.runs import MAPPED, MAPPED_OF_LINES
from mangrove.report.galaxy_images import picture_of
from mangrove.report.sky_frame import on_spaxels, sky_frame

NAME, FAINT = "9001-1902", "9004-1901"


@pytest.fixture(scope="module")
def run(demo_run):
    return open_run(demo_run)


@pytest.fixture(scope="module")
def seen(explored):
    return seen_galaxy(explored, NAME)


def page_of(run: ExploredRun, path: str, search: str = "") -> str:
    """All that a page holds, as text."""
    return json.dumps(GALAXY.page(run, Address.parsed(path, search)), cls=PlotlyJSONEncoder)


def test_every_map_has_the_numbers_of_the_run(seen, run):
    assert set(quantity_titles()) == {*MAPPED, *MAPPED_OF_LINES}
    for name, line in (
        ("log_age_lw", None),
        ("v_star", None),
        ("snr", None),
        ("line_flux", "OIII_5008"),
        ("line_ew", "Halpha_6565"),
    ):
        figure = map_figure(seen.bins, shown_map(seen, name, line or "Halpha_6565"), None, seen.centres)
        expected = run.map(NAME, name, line)
        np.testing.assert_allclose(figure.data[0].z, expected.values, rtol=1e-6)


def test_codes_and_flags_are_named(seen, run):
    classes, codes = bpt_map(seen), run.map(NAME, "bpt_class").values
    figure = map_figure(seen.bins, classes, None, seen.centres)
    named = codes[np.isfinite(codes) & (codes != BptClass.NONE)]
    assert np.isfinite(figure.data[0].z).sum() == named.size
    assert len(classes.words) == np.unique(named).size
    flags = run.labels(NAME)["log_ssfr_flag"]
    texts = shown_map(seen, "log_ssfr_flag", "").texts
    assert [text == "no flag" for text in texts] == [bits == 0 for bits in flags]
    worst = int(np.argmax(flags))
    assert all(bit.word.replace("_", " ") in texts[worst] for bit in LabelFlag if flags[worst] & bit)


def test_maps_stand_side_by_side_each_on_its_own_axes(seen):
    maps, frame = kinematic_maps(seen), sky_frame(seen.bins)
    figure = maps_figure(seen.bins, maps, 5, seen.centres)
    titles = {title.text: title.x for title in figure.layout.annotations}
    assert list(titles) == [one.title for one in maps.values()]
    edge = 0.0
    for k, one in enumerate(maps.values()):
        drawn, edges, points = figure.data[2 * k], figure.data[OUTLINE + 2 * k], figure.data[2 * len(maps) + k]
        np.testing.assert_allclose(drawn.z, on_spaxels(seen.bins, one.values), rtol=1e-6)
        assert list(edges.x) == outline(seen.bins, frame, 5)[0] and len(points.x) == seen.n_baxel
        assert {(trace.xaxis, trace.yaxis) for trace in (drawn, edges, points)} == {(drawn.xaxis, drawn.yaxis)}
        x, y = (figure.layout[f"{name[0]}axis{name[1:]}"] for name in (drawn.xaxis, drawn.yaxis))
        assert (tuple(x.range), tuple(y.range)) == (frame.shown[:2], frame.shown[2:]) and y.scaleanchor == drawn.xaxis
        assert x.domain[0] >= edge and x.domain[0] < titles[one.title] < x.domain[1] < drawn.colorbar.x
        edge = drawn.colorbar.x
    assert edge < 1.01


def test_a_figure_that_is_drawn_alone_looks_as_the_page(seen):
    figure = map_figure(seen.bins, shown_map(seen, "v_star", ""), 0, seen.centres)
    assert figure.layout.template.layout == TEMPLATE.layout


def test_north_is_up_and_east_left(explored, demo_run, seen):
    x, y = spaxel_axes(seen.bins, sky_frame(seen.bins))
    with h5py.File(demo_run / f"spectra/extract/{NAME}.h5") as file:
        about = dict(file.attrs)
        ra, dec, column, row = (file[name][0] for name in ("ra", "dec", "x", "y"))
        others = tuple(file[name][-1] for name in ("ra", "dec", "x", "y"))
    east = (others[0] - ra) * np.cos(np.radians(dec)) * 3600
    on_map = [np.interp(at, np.arange(x.size), x) for at in (column, others[2])]
    assert on_map[1] - on_map[0] == pytest.approx(east, abs=0.05)
    on_map = [np.interp(at, np.arange(y.size), y) for at in (row, others[3])]
    assert on_map[1] - on_map[0] == pytest.approx((others[1] - dec) * 3600, abs=0.05)
    assert np.interp(about["x_centre"], np.arange(x.size), x) == pytest.approx(0.0, abs=1e-6)
    left, right, bottom, top = sky_frame(seen.bins).shown
    assert left > right and top > bottom


def test_a_click_finds_the_baxel_of_a_spaxel_and_its_edge(seen):
    x, y = spaxel_axes(seen.bins, sky_frame(seen.bins))
    bin_id = seen.bins["bin_id"]
    row, column = (int(index[0]) for index in np.nonzero(bin_id == 5))
    click = {"points": [{"x": float(x[column]), "y": float(y[row]), "z": 1.0}]}
    assert clicked_baxel(seen.bins, click) == 5
    row, column = (int(index[0]) for index in np.nonzero(bin_id < 0))
    assert clicked_baxel(seen.bins, {"points": [{"x": float(x[column]), "y": float(y[row])}]}) is None
    for nonsense in (None, {}, {"points": []}, {"points": [{"x": "a", "y": None}]}, "x"):
        assert clicked_baxel(seen.bins, nonsense) is None
    frame = sky_frame(seen.bins)
    xs, _ = outline(seen.bins, frame, 5)
    inside = np.pad(bin_id == 5, 1)
    edges = np.sum(inside[1:] != inside[:-1]) + np.sum(inside[:, 1:] != inside[:, :-1])
    assert len(xs) == 3 * edges and outline(seen.bins, frame, None) == ([], [])


def test_a_lasso_gives_baxels(seen):
    points = {
        "points": [
            {"customdata": 3},
            {"customdata": 1},
            {"customdata": 3},
            {"customdata": 10**9},
            {"x": 1},
            {"customdata": "a"},
        ]
    }
    assert rows_of(points, seen.n_baxel) == [1, 3]
    assert rows_of(None, 5) == []
    # What the browser has in hand, in which Dash looks up a point: a list, not a packed array.
    for figure in (map_figure(seen.bins, bpt_map(seen), 0, seen.centres), bpt_figure(seen, 0)):
        sent = json.loads(json.dumps(figure, cls=PlotlyJSONEncoder))["data"]
        assert any(isinstance(trace.get("customdata"), list) for trace in sent if trace.get("mode") == "markers")


def test_a_galaxy_is_read_once_until_its_files_change(demo_run, tmp_path):
    spectra = tmp_path / "again" / "spectra"
    for part in ("labels.h5", f"extract/{NAME}.h5", f"fit/{NAME}.h5"):
        (spectra / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(demo_run / "spectra" / part, spectra / part)
    run = ExploredRun(spectra.parent)
    first = seen_galaxy(run, NAME)
    assert seen_galaxy(run, NAME) is first and first.has_maps
    (spectra / "extract" / f"{NAME}.h5").unlink()
    assert not seen_galaxy(run, NAME).has_maps


def test_lines_are_found_by_name(seen):
    baxel = int(np.argmax((seen.rows["line_flux"] > 3 * seen.rows["line_flux_err"]).sum(axis=1)))
    turned = seen._replace(
        lines={
            name: values[::-1] if name == "line" else values[:, ::-1] if values.ndim == 2 else values
            for name, values in seen.lines.items()
        }
    )
    assert detected_lines(seen, baxel) == detected_lines(turned, baxel)[::-1] != []


def test_what_is_not_known_is_not_a_number(explored, seen):
    about = dict(seen.about) | {"z": np.nan}
    assert "nan" not in json.dumps(head(explored, seen._replace(about=about)), cls=PlotlyJSONEncoder)


def test_a_fit_does_not_wait_for_other_programs(monkeypatch):
    own = RefitSettings("mastar", "calzetti", 8)
    going, ended = threading.Event(), threading.Event()

    def compiled(arguments, settings):
        going.set()
        assert ended.wait(20)

    monkeypatch.setattr(galaxy_refit, "_compile", compiled)
    monkeypatch.setattr(galaxy_refit, "fitted", lambda **arguments: arguments)
    monkeypatch.setattr(galaxy_refit, "_PREPARATION", galaxy_refit._Preparation())
    galaxy_refit._PREPARATION.begin({}, [own])
    assert going.wait(20)
    other = own._replace(polynomial_degree=2)
    assert galaxy_refit.refit({}, other)["polynomial_degree"] == 2
    # The one that is being compiled is waited for, as that is sooner ready than another.
    waiting = threading.Thread(target=galaxy_refit.refit, args=({}, own))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    ended.set()
    waiting.join(20)
    assert not waiting.is_alive()


def test_kinematics_share_a_scale_about_the_stars(seen, run):
    shown, labels = kinematic_maps(seen), run.labels(NAME)
    np.testing.assert_array_equal(shown["v_star"].values, labels["v_star"])
    assert np.mean(shown["v_star"].limits) == pytest.approx(np.nanmedian(labels["v_star"]), abs=1e-3)
    assert shown["v_gas"].limits == shown["v_star"].limits


def test_the_spectrum_shows_the_stored_fit(seen, run):
    found = run.spectrum(NAME, 2)
    parts = stored_parts(found)
    used = found.used.values
    expected = (found.flux - found.model).values[used] * np.sqrt(found.ivar.values[used])
    np.testing.assert_allclose(parts.residual[used], expected, rtol=1e-4)
    assert np.isnan(parts.residual[~used]).all()
    figure = spectrum_figure(parts, [(6564.61, "Hα")])
    by_name = {trace.name: trace for trace in figure.data}
    shown = found.isel(wave=parts.fitted)
    np.testing.assert_allclose(by_name["stars"].y, shown.stars.values, rtol=1e-5)
    np.testing.assert_allclose(by_name["stars + gas"].x, shown.rest_wave.values)
    masked = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    inside = ~shown.used.values.astype(bool)
    assert len(masked) == np.sum(np.diff(np.concatenate([[0], inside.astype(int)])) == 1)


def test_components_of_the_gas_add_up(run):
    found = run.spectrum(NAME, 2)
    np.testing.assert_allclose(
        np.nansum(found.component_gas.values, axis=0), np.nan_to_num(found.gas.values), atol=1e-9
    )


def test_labels_stand_with_errors_and_flags(seen, run):
    labels = run.labels(NAME)
    rows = {row[0]: row for row in stored_label_rows(seen, 4)}
    value, error = (float(part) for part in rows["light-weighted age"][1].split(" ± "))
    assert value == pytest.approx(labels["log_age_lw"][4], abs=0.01) and error == pytest.approx(
        labels["log_age_lw_err"][4], rel=0.1
    )
    assert all(
        bit.word.replace("_", " ") in rows["specific star formation rate"][3]
        for bit in LabelFlag
        if labels["log_ssfr_flag"][4] & bit
    )
    assert rows["light-weighted age"][2] == "log age [yr]"


def test_the_node_of_a_baxel(explored, run):
    places = run.assignments(NAME)
    for row in places[places["node"] >= 0][:5]:
        found = placed_baxel(explored, NAME, int(row["baxel"]))
        assert (found.node, found.column, found.row) == (row["node"], row["column"], row["row"])


def test_fingerprint_is_coloured_by_radius(run):
    found = run.fingerprint(NAME)
    z = fingerprint_figure(found).data[1].z
    np.testing.assert_array_equal(np.isfinite(z), (found.counts.values > 0) & np.isfinite(found.mean_radius.values))
    np.testing.assert_allclose(z[np.isfinite(z)], found.mean_radius.values[np.isfinite(z)])


def test_a_lasso_on_a_fingerprint_takes_the_baxels_of_its_nodes(explored, run):
    places = run.assignments(NAME)
    nodes = sorted({int(node) for node in places["node"] if node >= 0})[:2]
    columns = explored.attrs("desom_map")["columns"]
    points = [{"x": node % columns + 1, "y": node // columns + 1} for node in nodes]
    assert selected_nodes(grid_of(explored, "desom_map"), {"points": points}) == nodes
    expected = sorted(places["baxel"][np.isin(places["node"], nodes)].tolist())
    assert baxels_on(explored, NAME, nodes) == expected and expected
    drawn = fingerprint_figure(run.fingerprint(NAME)).data[2]
    shown = {(int(row["column"]), int(row["row"])) for row in places if row["node"] >= 0}
    assert set(zip(drawn.x.tolist(), drawn.y.tolist(), strict=True)) == shown


def test_galaxies_alike_are_those_of_the_run(explored, run):
    measures = kin_of(explored, NAME)
    assert len(measures) == 3
    for measure, network in zip(measures, ("ae", "vae"), strict=False):
        assert [kin.plateifu for kin in measure.found] == list(run.neighbours(NAME, network)["plateifu"])
    assert [kin.plateifu for kin in measures[2].found] == list(run.galaxies_like(NAME, n=8)["plateifu"])
    assert "no node" in kin_of(explored, FAINT)[2].lacks or kin_of(explored, FAINT)[2].found == []


def test_an_address_is_read_and_nonsense_left_alone(seen):
    first = selection_of(seen, Address("/galaxy/x"))
    assert first.baxel == int(np.argmin(seen.rows["radius"])) and (first.quantity, first.line) == (
        "line_flux",
        "Halpha_6565",
    )
    chosen = selection_of(seen, Address("/galaxy/x", {"baxel": "3", "map": "v_star", "line": "OIII_5008"}))
    assert chosen == (3, "v_star", "OIII_5008")
    assert selection_of(seen, Address("/galaxy/x", {"baxel": "999", "map": "../x", "line": "-"})) == first


def test_settings_of_a_fit_come_from_lists_alone():
    own = RefitSettings("mastar", "calzetti", 7)
    assert degrees_with(own) == [2, 4, 6, 7, 8, 10, 12] and next(iter(libraries(own))) == "mastar"
    asked = Address("/galaxy/x", {"templates": "/etc/passwd", "dust": "polynomial", "degree": "4"})
    assert is_asked(asked) and not is_asked(Address("/galaxy/x", {"baxel": "1"}))
    assert chosen_settings(asked, own) == ("mastar", "polynomial", 4)
    assert chosen_settings(Address("/galaxy/x", {"degree": "7.9", "dust": "smc"}), own) == own


def test_pages_open_for_every_galaxy_and_for_none(explored):
    for name in (NAME, FAINT):
        assert name in page_of(explored, f"/galaxy/{name}")
    assert "too faint" in page_of(explored, f"/galaxy/{FAINT}")
    unknown = page_of(explored, "/galaxy/9001-1903")
    assert "This run has no galaxy 9001-1903" in unknown and f"/galaxy/{NAME}" in unknown
    assert "galaxy-choice" in page_of(explored, "/galaxy")


def test_only_real_galaxies_link_to_marvin(explored, demo_run, tmp_path):
    assert survey_source(explored) == "simulated" and "marvin" not in page_of(explored, f"/galaxy/{NAME}")
    spectra = tmp_path / "real" / "spectra"
    for part in ("labels.h5", f"extract/{NAME}.h5", f"fit/{NAME}.h5"):
        (spectra / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(demo_run / "spectra" / part, spectra / part)
    page = page_of(ExploredRun(tmp_path / "real"), f"/galaxy/{NAME}")
    assert f"https://dr17.sdss.org/marvin/galaxy/{NAME}/" in page
    assert "https://data.sdss.org/sas/dr17/manga/spectro/redux/v3_1_1/9001/images/1902.png" in page
    assert catalogue(ExploredRun(tmp_path / "real")) == {}


def test_without_a_fit_the_page_says_so(demo_run, tmp_path):
    spectra = tmp_path / "nofit" / "spectra"
    (spectra / "extract").mkdir(parents=True)
    shutil.copy(demo_run / "spectra/labels.h5", spectra)
    shutil.copy(demo_run / f"spectra/extract/{NAME}.h5", spectra / "extract")
    page = page_of(ExploredRun(tmp_path / "nofit"), f"/galaxy/{NAME}")
    assert "cannot be shown" in page and "light-weighted age" in page


def test_line_cubes_alone_give_images_of_the_lines(demo_run, tmp_path):
    spectra = tmp_path / "cubes" / "spectra"
    spectra.mkdir(parents=True)
    shutil.copy(demo_run / "spectra/line_cube_set.h5", spectra)
    run = ExploredRun(tmp_path / "cubes")
    images = line_images(run, NAME)
    with h5py.File(spectra / "line_cube_set.h5") as file:
        k = file["plateifu"].asstr()[:].tolist().index(NAME)
        line = file["line"].asstr()[:].tolist().index("Halpha_6565")
        wave, flux, valid = (file[name][k, line] for name in ("window_wave", "flux", "valid"))
    expected = np.sum(flux * np.gradient(wave)[:, None, None] * (valid > 0), axis=0)
    inside = valid.any(axis=0)
    np.testing.assert_allclose(images["Halpha_6565"][inside], expected[inside], rtol=1e-5)
    assert np.isnan(images["Halpha_6565"][~inside]).all()
    assert "galaxy-lines" in page_of(run, f"/galaxy/{NAME}")


def test_a_lasso_on_images_of_lines_gives_the_fluxes_of_its_spaxels(demo_run, tmp_path):
    spectra = tmp_path / "cubes" / "spectra"
    spectra.mkdir(parents=True)
    shutil.copy(demo_run / "spectra/line_cube_set.h5", spectra)
    run = ExploredRun(tmp_path / "cubes")
    images = line_images(run, NAME)
    figure = line_images_figure(run, NAME, images)
    points = figure.data[3]
    chosen = [0, len(points.x) // 2, len(points.x) - 1]
    selection = {"points": [{"customdata": points.customdata[k]} for k in chosen]}
    table = spaxel_table(run, NAME, selection)
    # A lasso holds the places of its points: the flux there is that of the image below them.
    image, second = figure.data[2], list(images)[1]
    for row, k in zip(table, chosen, strict=True):
        column = np.argmin(abs(np.asarray(image.x) - points.x[k]))
        line = np.argmin(abs(np.asarray(image.y) - points.y[k]))
        assert (row["x"], row["y"]) == (points.x[k], points.y[k]) and (row["column"], row["row"]) == (column, line)
        np.testing.assert_array_equal(row[second], images[second][line, column])
    assert set(table.colnames) == {"column", "row", "x", "y", *images}
    assert table["x"].unit == "arcsec" and table[second].unit.is_equivalent("erg / (s cm2 pix)")
    inside = np.any([np.isfinite(image) for image in images.values()], axis=0)
    assert len(points.x) == inside.sum()
    # What a browser may send besides: nothing of it is a spaxel.
    strange = {"points": [{"customdata": part} for part in (-1, 10**9, "3", None, 1.5)]}
    assert len(spaxel_table(run, NAME, strange)) == 0 and spaxel_table(run, "1-2", selection) is None


def code_of(run: ExploredRun, name: str, **query: str) -> list[str]:
    """The Python lines and the commands that a page shows."""
    shown = page_code(run, seen_galaxy(run, name), Address(f"/galaxy/{name}", query))
    return [block.children[1].children.children for block in shown.children[1:]]


def test_the_lines_of_code_run(explored, capsys):
    python, commands = code_of(explored, NAME, baxel="2")
    exec(python, {})
    assert "baxel" in python and capsys.readouterr().out
    for command in commands.splitlines():
        program, *arguments = shlex.split(command)
        assert program == "mangrove"
        with pytest.raises(SystemExit, match=r"^0$"):
            cli.app(arguments)
        assert f"nearest to {NAME}" in capsys.readouterr().out
    assert len(commands.splitlines()) == 2
    exec(code_of(explored, FAINT)[0], {})


def test_the_lines_of_code_give_the_images_of_line_cubes(demo_run, tmp_path, capsys):
    # A name that would end a quoted text.
    spectra = tmp_path / "it's" / "spectra"
    spectra.mkdir(parents=True)
    shutil.copy(demo_run / "spectra/line_cube_set.h5", spectra)
    run = ExploredRun(spectra.parent)
    (python,) = code_of(run, NAME)
    exec(python, {})
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for line, image in line_images(run, NAME).items():
        assert float(printed[line]) == pytest.approx(np.nansum(image), rel=1e-5)


def test_units_have_their_powers_raised():
    assert as_unit("1e-17 erg s-1 cm-2 spaxel-1") == (
        "10<sup>−17</sup> erg s<sup>−1</sup> cm<sup>−2</sup> spaxel<sup>−1</sup>"
    )


def test_the_picture_has_its_colours_and_lies_as_the_maps(seen):
    picture = picture_of(seen.bins)
    image, _, spaxels = image_figure(seen.bins, picture, None, seen.centres).data[:3]
    column = int(np.argmin(np.abs(np.asarray(spaxels.x) - image.x0)))
    np.testing.assert_array_equal(np.asarray(image.z)[3, 0], picture[3, column])
    assert image.y0 == pytest.approx(spaxels.y[0]) and image.dx > 0
