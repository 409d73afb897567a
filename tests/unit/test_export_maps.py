"""Exported maps in the layout of the DAP, read back by astropy and compared with the artefact 'fit' baxel by baxel."""

import json
import subprocess
import sys

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.wcs import WCS
from small_export import BINS, FRAME, HALPHA, HBETA, LINES, N_BAXEL, N_LINE, NAME, config_of, make_run

from mangrove import artefacts
from mangrove.codes import LabelFlag
from mangrove.data_model import KINDS, LABELS
from mangrove.export import dap_names
from mangrove.export.dap_names import DapPixel as Bit
from mangrove.export.products import export_run

#: Reading and writing these files gives no warning.
pytestmark = pytest.mark.filterwarnings("error")

#: HDUs with errors: the dataset of 'fit', the unit, whether it has a channel per line.
MEASURED = {
    "STELLAR_VEL": ("v_star", u.km / u.s, False),
    "STELLAR_SIGMA": ("sigma_star", u.km / u.s, False),
    "EMLINE_SFLUX": ("line_flux_sum", 1e-17 * u.erg / u.s / u.cm**2 / u.pix, True),
    "EMLINE_GFLUX": ("line_flux", 1e-17 * u.erg / u.s / u.cm**2 / u.pix, True),
    "EMLINE_GEW": ("line_ew", u.AA, True),
    "EMLINE_GVEL": ("v_gas", u.km / u.s, True),
    "EMLINE_GSIGMA": ("sigma_gas", u.km / u.s, True),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps") / "one"
    make_run(folder)
    return folder


@pytest.fixture
def maps(run):
    with fits.open(run / "export" / "maps" / f"{NAME}-MAPS.fits.gz") as hdus:
        yield hdus


def of_fit(run):
    return artefacts.read(run / KINDS["fit"].path.format(plateifu=NAME), "fit")


@pytest.mark.parametrize("name", MEASURED)
def test_values_and_errors_are_those_of_the_fit(run, maps, name):
    fit, (dataset, unit, per_line) = of_fit(run), MEASURED[name]
    value, ivar = maps[name].data, maps[f"{name}_IVAR"].data
    channels = N_LINE if per_line else 1
    assert value.shape == ivar.shape == ((N_LINE, *BINS.shape) if per_line else BINS.shape)
    for y, x in np.ndindex(BINS.shape):
        for k in range(channels):
            place = (k, y, x) if per_line else (y, x)
            if BINS[y, x] < 0:
                assert np.isnan(value[place]) and ivar[place] == 0
                continue
            row = (BINS[y, x], k) if fit[dataset].ndim == 2 else BINS[y, x]
            np.testing.assert_equal(value[place], np.float32(fit[dataset][row]))
            error = fit[f"{dataset}_err"][row]
            assert ivar[place] == (pytest.approx(error**-2.0, rel=1e-5) if np.isfinite(error) else 0)
    assert u.Unit(maps[name].header["BUNIT"], format="fits") == unit
    of_ivar = u.Unit(maps[f"{name}_IVAR"].header["BUNIT"], format="fits")
    assert of_ivar.to(unit**-2) == pytest.approx(1.0)


def test_masks_say_what_the_flags_say(maps):
    unused = {"field": Bit.NOCOV, "star": Bit.FORESTAR, "masked": Bit.LOWCOV, "faint": Bit.NOVALUE}
    for name in MEASURED:
        mask = np.atleast_3d(maps[f"{name}_MASK"].data.T).T
        for channel in mask:
            spaxels = dict(zip(unused, channel[BINS < 0], strict=True))
            assert spaxels == {where: bit | Bit.DONOTUSE for where, bit in unused.items()}, name
    bits = {name: at_baxels(maps[f"{name}_MASK"].data) for name in MEASURED}
    lost = Bit.FITFAILED | Bit.NOVALUE | Bit.DONOTUSE
    assert bits["STELLAR_VEL"].tolist() == [0, 0, lost, 0, Bit.UNRELIABLE]
    assert bits["STELLAR_SIGMA"].tolist() == [0, 0, lost, 0, 0]
    missing, bound = Bit.NOVALUE | Bit.DONOTUSE, Bit.NEARBOUND | Bit.DONOTUSE
    odd = Bit.MULTICOMP | Bit.UNRELIABLE
    assert bits["EMLINE_GFLUX"][HALPHA].tolist() == [0, 0, lost, missing, odd]
    assert bits["EMLINE_SFLUX"][HALPHA].tolist() == [0, 0, lost, missing, 0]
    assert bits["EMLINE_GVEL"][HALPHA].tolist() == [0, bound, lost, missing, odd]
    assert bits["EMLINE_GFLUX"][HBETA].tolist() == [0, 0, lost, 0, 0]
    assert bits["EMLINE_GEW"][HBETA].tolist() == [0, 0, lost, Bit.MATHERROR | Bit.NOVALUE | Bit.DONOTUSE, 0]


def at_baxels(image):
    """Values of the baxels, shape (..., n_baxel), each the same on all its spaxels."""
    values = []
    for baxel in range(N_BAXEL):
        on_spaxels = image[..., baxel == BINS]
        assert np.all(on_spaxels == on_spaxels[..., :1])
        values.append(on_spaxels[..., 0])
    return np.stack(values, axis=-1)


def test_every_flag_has_a_mask_bit():
    for flag in LabelFlag:
        assert dap_names.baxel_mask([flag], [1.0])[0] != 0, flag
    assert dap_names.baxel_mask([0], [1.0])[0] == 0


def test_bins_and_signal_to_noise(run, maps):
    steps = maps["BINID"]
    assert steps.data.shape == (5, *BINS.shape)
    for k in (0, 1, 2, 3):
        np.testing.assert_array_equal(steps.data[k], BINS)
    assert np.all(steps.data[4] == -1)
    assert [steps.header[f"C{k}"] for k in (1, 5)] == ["Binned spectra", "Spectral indices"]
    fit = of_fit(run)
    plain = {"BIN_SNR": "snr", "BIN_AREA": "area", "RCHI2": "chi2_reduced"}
    for name, dataset in plain.items():
        np.testing.assert_array_equal(at_baxels(maps[name].data), fit[dataset])
        assert np.isnan(maps[name].data[BINS < 0]).all()
    np.testing.assert_array_equal(at_baxels(maps["BIN_LWELLCOO"].data), [fit["radius"], fit["radius_re"]])
    extract = artefacts.read(run / KINDS["extract"].path.format(plateifu=NAME), "extract")
    np.testing.assert_array_equal(maps["SPX_MFLUX"].data, extract["signal"])
    known = extract["noise"] > 0
    np.testing.assert_allclose(
        maps["SPX_SNR"].data[known], extract["signal"][known] / extract["noise"][known], rtol=1e-6
    )
    np.testing.assert_allclose(maps["SPX_MFLUX_IVAR"].data[known], extract["noise"][known] ** -2.0, rtol=1e-6)
    assert np.all(maps["SPX_SNR"].data[~known] == 0) and np.all(maps["SPX_MFLUX_IVAR"].data[~known] == 0)


def test_taking_off_the_corrections_as_for_the_dap_changes_nothing(maps):
    assert maps["STELLAR_SIGMACORR"].data.shape == BINS.shape
    assert maps["EMLINE_INSTSIGMA"].data.shape == maps["EMLINE_GSIGMA"].data.shape
    assert not maps["STELLAR_SIGMACORR"].data.any() and not maps["EMLINE_INSTSIGMA"].data.any()


def test_channels_have_the_names_of_the_dap_beside_ours(maps):
    for name in (
        f"{name}{end}" for name, (*_, per_line) in MEASURED.items() if per_line for end in ("", "_IVAR", "_MASK")
    ):
        header = maps[name].header
        assert header[f"C{HALPHA + 1:02d}"] == "Ha-6564" and header[f"N{HALPHA + 1:02d}"] == "Halpha_6565"
        assert header[f"C{HBETA + 1:02d}"] == "Hb-4862" and header[f"W{HBETA + 1:02d}"] == LINES.wave[HBETA]
        assert header["C01"] == "OII-3727" and f"C{N_LINE + 1:02d}" not in header


def test_hdus_are_linked_as_in_the_dap(maps):
    for name in MEASURED:
        ends = {"SCIDATA": name, "ERRDATA": f"{name}_IVAR", "QUALDATA": f"{name}_MASK"}
        kinds = {"SCIDATA": "DATA", "ERRDATA": "ERROR", "QUALDATA": "QUALITY"}
        for part, hdu in ends.items():
            found = {card: maps[hdu].header.get(card) for card in ends}
            assert found == ends | {part: None}
            assert maps[hdu].header["HDUCLAS2"] == kinds[part]
            assert maps[hdu].header["MASKNAME"] == "MANGA_DAPPIXMASK"


@pytest.mark.parametrize("end", ["MAPS.fits.gz", "labels.fits"])
def test_every_image_has_meaning_unit_and_celestial_frame(run, end):
    path = run / "export" / "maps" / f"{NAME}-{end}"
    with fits.open(path) as hdus:
        for hdu in hdus[1:]:
            assert hdu.header["MEANING"]
            u.Unit(hdu.header.get("BUNIT", ""), parse_strict="raise")
            found = WCS(hdu.header)
            assert found.has_celestial
            for x, y in ((0, 0), (2.5, 1), (-3, 7)):
                np.testing.assert_allclose(
                    found.celestial.pixel_to_world_values(x, y), FRAME.pixel_to_world_values(x, y), rtol=0, atol=1e-9
                )
        names = [hdu.name for hdu in hdus[1:] if "BUNIT" in hdu.header]
    for name in names:
        assert CCDData.read(path, hdu=name).unit is not None


def test_equal_inputs_give_equal_bytes(run, tmp_path):
    for path in export_run(run, config_of(run), tmp_path):
        assert path.read_bytes() == (run / "export" / path.relative_to(tmp_path)).read_bytes(), path
    with fits.open(tmp_path / "maps" / f"{NAME}-MAPS.fits.gz", checksum=True) as hdus:
        hdus.verify("exception")
        assert all("CHECKSUM" in hdu.header for hdu in hdus)


@pytest.mark.parametrize("command", ["export", "verify", "digest"])
def test_commands_are_silent_where_warnings_are_errors(run, tmp_path, command):
    """The whole program, imports included."""
    noted = {"config": config_of(run).model_dump(mode="json")}
    (run / "provenance.json").write_text(json.dumps(noted), encoding="utf-8")
    options = ["--out", str(tmp_path)] if command == "export" else []
    program = "from mangrove.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, command, str(run), *options], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr + done.stdout


def test_files_name_run_and_galaxy(run, maps):
    header = maps[0].header
    assert (header["PLATEIFU"], header["MANGAID"], header["DRPVER"], header["RUN"]) == (NAME, "1-1", "v3_1_1", "one")
    assert header["LABHASH"] == artefacts.read(run / LABELS.path, "labels").content_hash
    assert json.loads(artefacts.read(run / LABELS.path, "labels").attrs["inputs"])
