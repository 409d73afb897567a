"""The view of the emulator: what it predicts and shows, and that it does not break."""

import json
import shlex

import h5py
import numpy as np
import pytest
from astropy.table import Table
from plotly.utils import PlotlyJSONEncoder
from small_explored import LINES, emulator_run
from typer.testing import CliRunner

from mangrove.cli import app as cli
from mangrove.codes import PredictionFlag
from mangrove.explorer.address import Address
from mangrove.explorer.app import page_at
from mangrove.explorer.continuum_table import continuum, presets, shown_rows
from mangrove.explorer.downloads import csv_text, fits_bytes
from mangrove.explorer.emulator_choice import (
    code_of,
    input_of,
    map_choices,
    map_colour,
    moved,
    slider_values,
)
from mangrove.explorer.emulator_figures import bpt_figure, continuum_figure, ew_ratios, lines_figure, map_figure
from mangrove.explorer.emulator_parts import number_table, selected_table, verdict
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.line_emulator import N_DRAW, draws, predict, predicted_rows
from mangrove.explorer.views.emulator import EMULATOR
from mangrove.models.emulator.emulator import load
from mangrove.models.emulator.prediction_files import predict_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return emulator_run(tmp_path_factory.mktemp("emulator"))


@pytest.fixture(scope="module")
def run(folder):
    return ExploredRun(folder)


@pytest.fixture(scope="module")
def bright_run(tmp_path_factory):
    """A run whose emulator uses the luminosity."""
    return ExploredRun(emulator_run(tmp_path_factory.mktemp("bright"), luminosity=True))


@pytest.fixture(scope="module")
def table(folder):
    with h5py.File(folder / "emulator" / "table.h5") as f:
        return {name: f[name].asstr()[...] if f[name].dtype.kind == "O" else f[name][...] for name in f}


def at(**query) -> Address:
    return Address("/emulator", {key: str(value) for key, value in query.items()})


def text_of(part) -> str:
    return json.dumps(part, cls=PlotlyJSONEncoder, ensure_ascii=False)


def test_a_row_is_that_of_the_table(run, table):
    found = continuum(run, 5)
    assert found.flux_bins.tolist() == table["flux_bins"][5].tolist()
    assert found.ew.tolist() == table["ew"][5].tolist()
    assert found.ew_error == pytest.approx(0.2)
    assert (found.plateifu, found.baxel) == (table["plateifu"][5], table["baxel"][5])
    assert np.isnan(continuum(run, 3).ew[0]) and np.isnan(continuum(run, 3).ew_error[0])


def test_predictions_are_those_of_the_package(run, folder, table):
    model = load(folder / "emulator" / "model")
    for row in (0, 5):
        expected = model(table["flux_bins"][row])
        found = predict(run, table["flux_bins"][row], None)
        assert found.listed == pytest.approx(np.asarray(expected.ew), rel=1e-5)
        assert found.median == pytest.approx(np.sinh(np.asarray(expected.mixture.median())), rel=1e-4)
        for bound, own in zip(expected.mixture.interval(0.68), (found.low, found.high), strict=True):
            assert own == pytest.approx(np.sinh(np.asarray(bound)), rel=1e-4)
        assert found.flag == int(expected.flag)


def test_predictions_with_luminosity_are_those_of_the_package(bright_run):
    model = load(bright_run.folder / "emulator" / "model")
    asked = input_of(bright_run, at(row=4, luminosity=40.5))
    assert asked.log_luminosity == 40.5 and not asked.is_preset
    expected = model(asked.flux_bins, np.float32(40.5))
    assert predict(bright_run, asked.flux_bins, 40.5).listed == pytest.approx(np.asarray(expected.ew), rel=1e-5)
    own = input_of(bright_run, at(row=4))
    assert own.log_luminosity == pytest.approx(continuum(bright_run, 4).log_luminosity)


def test_draws_scatter_as_the_interval_says(run, table):
    found, draw = predict(run, table["flux_bins"][5], None), draws(run, table["flux_bins"][5], None)
    assert draw.shape == (N_DRAW, len(LINES))
    inside = ((draw > found.low) & (draw < found.high)).mean(axis=0)
    assert inside == pytest.approx(0.68, abs=4 * np.sqrt(0.68 * 0.32 / N_DRAW))
    assert np.array_equal(draw, draws(run, table["flux_bins"][5], None))


def test_rows_of_the_map_are_predicted_alike(run, table):
    shown = shown_rows(run)
    assert shown.flux_bins.tolist() == table["flux_bins"][shown.row].tolist()
    k = int(np.flatnonzero(shown.row == 5)[0])
    assert predicted_rows(run)[k] == pytest.approx(predict(run, table["flux_bins"][5], None).listed, rel=1e-4)


def test_presets_go_from_the_weakest_to_the_strongest(run, table):
    rows = [row for _, row in presets(run, "Halpha_6565")]
    ew = table["ew"][rows, LINES.index("Halpha_6565")]
    known = table["ew"][:-1, LINES.index("Halpha_6565")]
    assert (np.diff(ew) > 0).all() and ew[0] == known.min() and ew[-1] == known.max()


def test_sliders_stand_where_the_preset_is_and_their_moves_are_in_the_address(run, table):
    asked = input_of(run, at(row=5))
    stand = slider_values(run, asked)
    assert stand == pytest.approx((table["flux_bins"][5] / table["flux_bins"][5].mean()), abs=6e-4)
    assert moved(run, at(row=5), stand) == at(row=5)
    there = moved(run, at(row=5), [stand[0], stand[1] + 0.2, None])
    found = input_of(run, there)
    assert not found.is_preset and found.preset.row == 5
    expected = (table["flux_bins"][5] / table["flux_bins"][5].mean()).astype(float)
    expected[1] = stand[1] + 0.2
    assert found.flux_bins / table["flux_bins"][5].mean() == pytest.approx(expected, abs=1e-4)
    assert moved(run, there, slider_values(run, found)) == there
    # A bin that is moved leaves the sliders of the others where they are.
    assert slider_values(run, found)[::2] == stand[::2]


def test_the_slider_of_the_luminosity_is_in_the_address(bright_run):
    stand = slider_values(bright_run, input_of(bright_run, at(row=5)))
    there = moved(bright_run, at(row=5), [*stand[:-1], stand[-1] + 0.1])
    assert set(there.query) == {"row", "luminosity"}
    found = input_of(bright_run, there)
    assert found.log_luminosity == pytest.approx(stand[-1] + 0.1, abs=1e-3)
    assert found.flux_bins.tolist() == continuum(bright_run, 5).flux_bins.tolist()


@pytest.mark.parametrize(
    "query",
    [
        {"row": "-1"},
        {"row": "10000000000000"},
        {"row": "2.5", "flux": "1,2"},
        {"flux": "nan,1,1"},
        {"flux": "1,-1,1"},
        {"flux": "1e400,1,1"},
        {"flux": "a,b,c", "left": "Halpha_6565", "right": "../../etc"},
        {"luminosity": "40"},
    ],
)
def test_nonsense_in_the_address_is_ignored(run, query):
    asked = input_of(run, Address("/emulator", query))
    assert asked.is_preset and asked.preset.row == dict(presets(run, "Halpha_6565"))["median"]
    assert "emulator-continuum" in text_of(page_at(run, Address("/emulator", query)))


def test_a_continuum_outside_the_training_is_flagged(run):
    address = at(row=5, flux="0.01,1,20")
    asked = input_of(run, address)
    found = predict(run, asked.flux_bins, None)
    assert found.flag & PredictionFlag.STRANGE_COLOUR
    said = text_of(verdict(found, asked, address))
    assert PredictionFlag.STRANGE_COLOUR.meaning in said and "/emulator?row=5" in said


def test_a_row_without_flux_has_no_prediction_and_is_shown_as_unknown(run):
    asked = input_of(run, at(row=39))
    found = predict(run, asked.flux_bins, None)
    assert np.isnan(found.listed).all() and found.flag & PredictionFlag.BAD_FLUX
    shown = text_of(number_table(found, asked))
    assert "nan" not in shown.lower().replace("nance", "") and "\N{EN DASH}" in shown
    assert all(np.isfinite(slider_values(run, asked)))
    for figure in (
        lines_figure(found, asked.preset, True),
        bpt_figure(found, draws(run, asked.flux_bins, None), shown_rows(run), asked.preset),
    ):
        assert figure.data
    assert "no prediction" in text_of(verdict(found, asked, at(row=39)))


def test_sliders_work_from_a_row_without_flux(run):
    stand = slider_values(run, input_of(run, at(row=39)))
    there = moved(run, at(row=39), [*stand[:-1], stand[-1] + 0.3])
    found = input_of(run, there)
    assert not found.is_preset and slider_values(run, found) == pytest.approx([*stand[:-1], stand[-1] + 0.3])
    assert np.isfinite(predict(run, found.flux_bins, None).listed).all()


def test_the_lines_of_an_unknown_luminosity_are_python(bright_run, capsys):
    asked = input_of(bright_run, at(row=5, flux="0.9,1,1.1"))
    exec(code_of(bright_run, asked._replace(log_luminosity=float("nan")))[0], {})
    assert "nan" in capsys.readouterr().out


def test_figures_hold_the_numbers(run, table):
    asked = input_of(run, at(row=5))
    found = predict(run, asked.flux_bins, None)
    median, listed, measured = lines_figure(found, asked.preset, True).data
    assert np.sinh(median.y) == pytest.approx(found.median) and np.sinh(listed.y) == pytest.approx(found.listed)
    assert np.sinh(measured.y) == pytest.approx(table["ew"][5], rel=1e-6)
    assert np.sinh(np.array(median.y) + median.error_y.array) == pytest.approx(found.high)
    assert np.sinh(np.array(measured.y) - measured.error_y.arrayminus) == pytest.approx(table["ew"][5] - 0.2, rel=1e-5)
    stairs = continuum_figure(table["bin_edge"], asked.flux_bins, asked.preset).data[1]
    assert np.reshape(stairs.y, (-1, 2)).mean(axis=1) == pytest.approx(
        table["flux_bins"][5] / table["flux_bins"][5].mean()
    )
    assert f"{found.listed[2]:.2f}" in text_of(number_table(found, asked))


def test_the_bpt_diagram_shows_the_ratios_of_the_prediction(run):
    asked = input_of(run, at(row=5))
    found = predict(run, asked.flux_bins, None)
    figure = bpt_figure(found, draws(run, asked.flux_bins, None), shown_rows(run), asked.preset)
    hbeta, oiii, halpha, nii = found.median
    assert figure.data[-1].x == pytest.approx([np.log10(nii / halpha)])
    assert figure.data[-1].y == pytest.approx([np.log10(oiii / hbeta)])
    assert np.isnan(ew_ratios(np.array([[1.0, 1.0, 0.0, 1.0]]), LINES)[0]).all()


@pytest.mark.parametrize("of", ["measured", "predicted"])
def test_maps_show_the_line_at_the_places_of_the_embedding(run, folder, table, of):
    shown, colour = shown_rows(run), map_colour(run, f"Hbeta_4863.{of}")
    unknown, known, ring = map_figure(shown, colour, 5).data
    with h5py.File(folder / "emulator" / "embedding.h5") as f:
        place = dict(zip(f["row"][...].tolist(), f["place"][...].tolist(), strict=True))
    assert [[x, y] for x, y in zip(known.x, known.y, strict=True)] == [place[row] for row in known.customdata]
    assert [ring.x[0], ring.y[0]] == place[5]
    if of == "measured":
        assert list(unknown.customdata) == [3]
        assert np.sinh(known.marker.color) == pytest.approx(table["ew"][list(known.customdata), 0], rel=1e-5)


def test_every_choice_of_colour_can_be_drawn(run):
    for option in map_choices(run):
        assert map_figure(shown_rows(run), map_colour(run, option["value"]), 0).data
        assert "$" not in option["label"] and "\\" not in option["label"]


@pytest.mark.parametrize("luminosity", [False, True])
def test_a_selection_leaves_as_a_table_from_which_lines_can_be_predicted(run, bright_run, tmp_path, luminosity):
    run = bright_run if luminosity else run
    made = selected_table(run, [5, 8, 10**7])
    assert sorted(made["row"].tolist()) == [5, 8]
    with h5py.File(run.folder / "emulator" / "table.h5") as f:
        assert made["Hbeta_4863_ew"].tolist() == [f["ew"][row, 0] for row in made["row"]]
    assert str(made["Hbeta_4863_ew_predicted"].unit) == "Angstrom" and "erg" in str(made["flux_1"].unit)
    assert len(csv_text(made).splitlines()) == 3
    (tmp_path / "selection.fits").write_bytes(fits_bytes(made))
    lines = predict_file(run.folder / "emulator" / "model", tmp_path / "selection.fits", tmp_path / "lines.fits")
    assert lines["Hbeta_4863_ew"].tolist() == pytest.approx(made["Hbeta_4863_ew_predicted"].tolist(), rel=1e-4)


def test_without_a_map_of_the_inputs_the_rest_is_there(tmp_path):
    run = ExploredRun(emulator_run(tmp_path, mapped=False))
    page = text_of(page_at(run, at(row=2)))
    assert "no map of the emulator's inputs" in page and "emulator-lines" in page


def test_a_run_without_emulator_says_what_to_do(tmp_path):
    assert "emulator.enabled" in text_of(page_at(ExploredRun(tmp_path), Address("/emulator")))


def test_a_run_whose_emulator_was_not_trained_says_why(tmp_path):
    from mangrove.models.training import model_folder

    folder = emulator_run(tmp_path)
    model_folder.save_empty(folder / "emulator" / "model", "no line measured in 50 rows", {})
    assert "no line measured in 50 rows" in EMULATOR.missing(ExploredRun(folder))


@pytest.mark.parametrize("query", [{"row": 17}, {"row": 17, "flux": ",".join(["0.8"] * 5 + ["1.1"] * 6)}])
def test_the_lines_that_give_the_same_numbers_run(explored, query):
    asked = input_of(explored, at(**query))
    found = predict(explored, asked.flux_bins, asked.log_luminosity)
    names = {}
    exec(code_of(explored, asked)[0], names)
    assert [float(names["listed"][line]) for line in found.line] == pytest.approx(found.listed.tolist(), rel=1e-4)
    assert names["high"] == pytest.approx(found.high, rel=1e-3)


def test_the_command_gives_the_same_numbers(explored, tmp_path):
    asked = input_of(explored, at(row=17))
    command = code_of(explored, asked)[1].replace("lines.fits", str(tmp_path / "lines.fits"), 1)
    words = shlex.split(command, comments=True)
    assert words[0] == "mangrove" and CliRunner().invoke(cli, words[1:]).exit_code == 0
    written = Table.read(tmp_path / "lines.fits")[17]
    found = predict(explored, asked.flux_bins, None)
    for k, line in enumerate(found.line):
        assert written[f"{line}_ew"] == pytest.approx(found.listed[k], rel=1e-4)
        assert written[f"{line}_ew_p84"] == pytest.approx(found.high[k], rel=1e-3)
