"""A spectrum of one's own on the demo: what it is taken to be, its fit, place and lines, and how the page shows them."""

import shlex
from pathlib import Path

import numpy as np
import ppxf
import pytest
from astropy import units as u
from dash import Dash
from spectrum_bytes import FLUX, WAVE, csv_bytes, plain_columns

from mangrove import artefacts
from mangrove.api import open_map, read_spectrum
from mangrove.errors import MangroveError, SpectrumError
from mangrove.explorer.address import Address
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_spectrum import spectrum_figure
from mangrove.explorer.line_emulator import emulator_of
from mangrove.explorer.own_figures import labels_figure, lines_figure
from mangrove.explorer.own_lines import lines_beside
from mangrove.explorer.own_spectrum import AIR, FWHM, MAX_FITTED, POWER, VACUUM, fit_of, place_of, settings, taken
from mangrove.explorer.spectral_map import label_pdfs
from mangrove.explorer.spectrum_parts import refitted_lines, refitted_parts
from mangrove.explorer.uploads import Upload
from mangrove.explorer.views.own_parts import fit_part, labels_part, lines_part, numbers_part, place_part
from mangrove.explorer.views.your_spectrum import YOUR_SPECTRUM
from mangrove.notebook.spectrum_file import parse_spectrum
from mangrove.physics.wavelengths import SIGMA_TO_FWHM

NGC3522 = Path(ppxf.__file__).parent / "spectra" / "NGC3522_SDSS_DR18.fits"


@pytest.fixture(scope="module")
def spectrum():
    return read_spectrum(NGC3522)


@pytest.fixture(scope="module")
def about(spectrum):
    return taken(spectrum, ebv="0.02")


@pytest.fixture(scope="module")
def fit(explored, spectrum, about):
    return fit_of(explored, spectrum, about)


@pytest.fixture
def upload(spectrum, about, fit):
    mine = Upload("NGC3522.fits", spectrum)
    mine.ask(about)
    mine.fit = fit
    return mine


def bare(**columns):
    return parse_spectrum(csv_bytes(plain_columns() | columns))


def test_the_form_comes_before_the_file(spectrum):
    of_file = taken(spectrum)
    assert (of_file.z, of_file.ebv, of_file.air) == (spectrum.z, None, False) and of_file.lsf is spectrum.lsf
    given = taken(spectrum, z=" 0.01 ", ebv=0.1, resolution="2000", kind=POWER, medium=AIR)
    assert (given.z, given.ebv, given.air) == (0.01, 0.1, True)
    assert given.lsf == 2000 * u.dimensionless_unscaled
    assert taken(spectrum, resolution=2.5, kind=FWHM).lsf == pytest.approx(2.5 / SIGMA_TO_FWHM)


def test_a_doubtful_redshift_is_doubtful_until_another_is_given(spectrum):
    doubtful = spectrum._replace(z_doubtful=True)
    assert taken(doubtful).z_doubtful and taken(doubtful, z=spectrum.z).z_doubtful
    assert not taken(doubtful, z=0.1).z_doubtful


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "states no redshift: enter one"),
        ({"z": "0.02"}, "in air or in vacuum: choose one"),
        ({"z": "two"}, "no value for the redshift: a number from -0.01 to 10"),
        ({"z": "nan"}, "no value for the redshift"),
        ({"z": "1e9"}, "no value for the redshift"),
        ({"z": ["0.1"]}, "no value for the redshift"),
        ({"z": "0.1", "medium": VACUUM, "ebv": "-1"}, r"no value for E\(B-V\): a number from 0 to 10"),
        ({"z": "0.1", "medium": VACUUM, "resolution": "0"}, "no value for the resolution"),
    ],
)
def test_what_a_form_lacks_is_said(values, reason):
    with pytest.raises(SpectrumError, match=reason):
        taken(bare(), **values)


def test_what_a_fit_lacks_is_said(explored):
    """A spectrum without errors or resolution still finds its place, if it covers the map."""
    vacuum = {"z": "0.02", "medium": VACUUM}
    without_errors = parse_spectrum(csv_bytes({"wave": WAVE, "flux": FLUX}))
    wide = parse_spectrum(
        csv_bytes(
            {"wave": np.linspace(4000, 7000, MAX_FITTED + 1), **{n: np.ones(MAX_FITTED + 1) for n in ("flux", "ivar")}}
        )
    )
    for spectrum, more, reason in (
        (without_errors, {"resolution": "2000"}, "has no errors"),
        (bare(), {}, "how broad its lines are"),
        (bare(), {"z": "0", "resolution": "2000"}, "needs a positive redshift"),
        (wide, {"resolution": "2000"}, f"{MAX_FITTED + 1} pixels, and at most {MAX_FITTED} are fitted"),
        (bare(), {"z": "5", "resolution": "2000"}, "none of it within rest_range"),
    ):
        with pytest.raises(SpectrumError, match=reason):
            fit_of(explored, spectrum, taken(spectrum, **vacuum | more))


def test_the_fit_is_that_of_the_run_and_of_ngc_3522(explored, fit, spectrum, about):
    """An old galaxy at rest in its own redshift; the dispersion in SDSS's catalogue is 98 km/s."""
    chosen, stored = settings(explored), explored.attrs("fit", plateifu=explored.galaxies[0])
    assert chosen["engine"] == "batched"
    assert {n: stored[n] for n in chosen if n != "engine"} == {n: v for n, v in chosen.items() if n != "engine"}
    assert fit.ok and abs(fit["v_star"].value) < 30 and fit["sigma_star"].value == pytest.approx(100, abs=10)
    assert 9.7 < fit.labels["log_age_lw"].value.value < 10.2
    again = fit_of(explored, spectrum, about)
    assert again["v_star"] == fit["v_star"] and again["sigma_star"] == fit["sigma_star"]


def test_air_or_vacuum_makes_its_80_km_per_s(explored, fit, spectrum):
    air = fit_of(explored, spectrum, taken(spectrum, ebv="0.02", medium=AIR))
    assert (air["v_star"] - fit["v_star"]).value == pytest.approx(83, abs=4)


def test_its_place_is_that_of_the_api(explored, spectrum, about):
    found = place_of(explored, spectrum, about)
    own = open_map(explored.folder / "desom").place(
        spectrum.wave,
        spectrum.flux,
        spectrum.ivar,
        spectrum.z,
        lsf=spectrum.lsf,
        mask=spectrum.mask,
        ebv=0.02,
        air=False,
    )
    assert (found.node, found.typicality, found.flags) == (own.node, own.typicality, own.flags)


@pytest.mark.slow
def test_lines_are_predicted_from_the_continuum_that_the_workflow_would_see(explored):
    """Of a baxel of the run as an upload, the bins are those of the emulator's table."""
    name = explored.galaxies[1]
    extract = artefacts.read(explored.path("extract", plateifu=name), "extract")
    table = artefacts.read(explored.path("emulator_table"), "emulator_table")
    row = int(np.flatnonzero((table["plateifu"] == name) & (table["baxel"] == 0))[0])
    columns = {key: extract[key][0] for key in ("flux", "ivar", "mask", "lsf")}
    spectrum = parse_spectrum(csv_bytes({"wave": extract["wave"], **columns}))
    form = {"z": extract.attrs["z"], "ebv": extract.attrs["ebv_galactic"], "medium": VACUUM}
    about = taken(spectrum, **form)
    fit = fit_of(explored, spectrum, about)
    lines = lines_beside(explored, spectrum, about, fit)
    np.testing.assert_allclose(lines.flux_bins, table["flux_bins"][row], rtol=2e-3)
    assert list(lines.names) == table["line"].tolist()
    halpha = lines.names.index("Halpha_6565")
    assert lines.measured[halpha] == pytest.approx(fit.lines.loc["Halpha_6565"]["ew"].value, rel=1e-5)
    assert lines.measured[halpha] == pytest.approx(table["ew"][row, halpha], rel=0.05)
    inside = np.isfinite(lines.median)
    assert inside.all() and (lines.low < lines.median).all() and (lines.median < lines.high).all()


def test_figures_show_the_numbers(explored, fit, spectrum, about):
    figure = spectrum_figure(refitted_parts(fit), refitted_lines(fit), flux_axis="flux")
    model = next(trace for trace in figure.data if trace.name == "stars + gas")
    first, *_, last = np.flatnonzero(fit.spectrum["used"])
    inside = slice(first, last + 1)
    np.testing.assert_allclose(model.y, np.asarray(fit.spectrum["model"].value)[inside], rtol=1e-6)
    np.testing.assert_allclose(model.x, np.asarray(fit.spectrum["rest_wave"].value)[inside])
    assert figure.layout.yaxis.title.text == "flux"
    strong = fit.lines[fit.lines["flux"] > 3 * fit.lines["flux_err"]]
    assert [wave for wave, _ in refitted_lines(fit)] == pytest.approx(strong["wave"].value.tolist())
    place = place_of(explored, spectrum, about)
    node = (place.node.row - 1) * explored.attrs("desom_map")["columns"] + place.node.column - 1
    pdfs = label_pdfs(explored, node)
    drawn = labels_figure(pdfs, fit.labels, "node")
    marks = [trace for trace in drawn.data if trace.name == "your fit"]
    shown = [pdf.name for pdf in pdfs if pdf.name in fit.labels and np.isfinite(fit.labels[pdf.name].value.value)]
    assert [trace.x[1] for trace in marks] == [float(fit.labels[name].value.value) for name in shown]
    for pdf in pdfs:
        label = place.labels[pdf.name]
        assert [pdf.low, pdf.median, pdf.high] == pytest.approx(
            [label.low.value, label.median.value, label.high.value], nan_ok=True
        )


def texts(component) -> str:
    """All text of a part of a page."""
    if component is None or isinstance(component, str | int | float):
        return str(component or "")
    if isinstance(component, list | tuple):
        return " ".join(map(texts, component))
    return texts(getattr(component, "children", None))


def test_parts_say_what_they_show(explored, upload, fit):
    numbers = texts(fit_part(upload, fit))
    for name in ("v_star", "sigma_star"):
        assert f"{fit[name].value:.1f} ± {fit[f'{name}_err'].value:.1f} km/s" in numbers.replace("\N{MINUS SIGN}", "-")
    place = place_of(explored, upload.spectrum, upload.about)
    said = texts(place_part(explored, upload))
    assert f"({place.node.column}, {place.node.row})" in said and f"{100 * place.typicality:.0f} %" in said
    assert "more than 2 % of the bins have no data" in said
    assert f"{fit.labels['log_age_lw'].value.value:.3f}" in texts(labels_part(explored, upload))
    assert "11 bins from 3700 to 7000" in texts(lines_part(explored, upload, fit))


def test_parts_that_a_run_lacks_are_left_out(tmp_path, upload, fit):
    empty = ExploredRun(tmp_path)
    assert YOUR_SPECTRUM.missing(empty) == "", "a spectrum can be fitted without any run"
    for part in (lambda: place_part(empty, upload), lambda: lines_part(empty, upload, fit)):
        with pytest.raises(MangroveError, match="model"):
            part()
    assert fit_of(empty, upload.spectrum, upload.about)["v_star"].value == pytest.approx(fit["v_star"].value, abs=0.5)


def test_the_lines_of_python_give_the_same_numbers(explored, upload, fit, capsys):
    upload.name = str(NGC3522)
    code = numbers_part(explored, upload).children[1].children[1].children.children
    exec(compile(code, "shown", "exec"), {})
    printed = capsys.readouterr().out
    place = place_of(explored, upload.spectrum, upload.about)
    assert f"row={place.node.row}, column={place.node.column}" in printed and str(place.typicality) in printed
    assert str(fit["v_star"]) in printed and str(fit["sigma_star_err"]) in printed


def test_a_name_of_a_file_is_one_word_of_the_command(explored, upload):
    upload.name = "x'; touch harm; '.fits"
    command = numbers_part(explored, upload).children[2].children[1].children.children
    assert shlex.split(command)[:5] == ["mangrove", "assign", upload.name, "--model", str(explored.folder / "desom")]


def test_an_error_that_is_not_known_is_called_unknown(explored, fit, spectrum, about):
    lines = lines_beside(explored, spectrum, about, fit)
    assert emulator_of(explored) is emulator_of(explored)
    drawn = lines_figure(lines._replace(error=np.full_like(lines.error, np.nan)))
    measured = next(trace for trace in drawn.data if trace.name == "measured by your fit")
    assert [row[1] for row in measured.customdata] == ["unknown"] * len(lines.names)
    node = place_of(explored, spectrum, about).node
    pdfs = label_pdfs(explored, (node.row - 1) * explored.attrs("desom_map")["columns"] + node.column - 1)
    label = fit.labels["log_age_lw"]
    only = {"log_age_lw": label._replace(error=label.error * np.nan)}
    (mark,) = (trace for trace in labels_figure(pdfs, only, "node").data if trace.name == "your fit")
    assert "± unknown" in mark.hovertemplate and "nan" not in mark.hovertemplate


def test_the_page_takes_any_address(explored):
    for query in ({}, {"node": "x"}):
        page = YOUR_SPECTRUM.page(explored, Address("/your-spectrum", query))
        assert "Your spectrum" in texts(page)
    YOUR_SPECTRUM.register(Dash("test", suppress_callback_exceptions=True), explored)
