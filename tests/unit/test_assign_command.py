"""New spectra on a map of spectra: from files of every kind to a node, its labels, tables and JSON."""

import json
from pathlib import Path

import h5py
import numpy as np
import ppxf
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from small_map import (
    COLUMNS,
    EBV,
    GALAXIES,
    ROWS,
    WAVE,
    make_map,
    small_model,
    write_node_labels,
    write_random_map,
)
from typer.testing import CliRunner

from mangrove import artefacts
from mangrove.api import open_map, read_spectrum
from mangrove.cli import app
from mangrove.codes import TrainingCut
from mangrove.errors import ArtefactError, ModelError, SpectrumError
from mangrove.notebook.placement_files import _label_line
from mangrove.physics.night_sky import night_sky
from mangrove.physics.wavelengths import SIGMA_TO_FWHM

NGC3522 = Path(ppxf.__file__).parent / "spectra" / "NGC3522_SDSS_DR18.fits"
GALAXY, Z = 2, GALAXIES[2][2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, script, Params):
    path = tmp_path_factory.mktemp("run") / "desom"
    path.mkdir()
    make_map(path, script, Params)
    return path


@pytest.fixture(scope="module")
def spectrum_map(folder):
    return open_map(folder)


@pytest.fixture(scope="module")
def baxel(folder):
    """A baxel of the survey as observed, and its row among the assignments."""
    found = artefacts.read(folder / "assignments.h5", "desom_assignments")
    row = np.flatnonzero((found["galaxy"] == GALAXY) & (found["cut"] == TrainingCut.KEPT))[3]
    extract = artefacts.read(folder / f"extract/{GALAXIES[GALAXY][0]}.h5", "extract")
    i = found["baxel"][row]
    columns = {name: extract[name][i] for name in ("flux", "ivar", "mask", "lsf")}
    return {"wave": WAVE, **columns}, {name: found[name][row] for name in ("node", "second_node", "distance", "mse")}


def fits_table(path, spectrum):
    table = Table({**spectrum, "wave": spectrum["wave"] * u.AA})
    table.meta["Z"] = Z
    table.write(path)


def other_units(path, spectrum):
    """Errors in place of inverse variances, nanometres, Jansky: the shape per frequency is another one."""
    flux = (spectrum["flux"] * u.Unit("1e-17 erg s-1 cm-2 Angstrom-1")).to(
        u.mJy, u.spectral_density(spectrum["wave"] * u.AA)
    )
    error = flux / spectrum["flux"] / np.sqrt(spectrum["ivar"])
    table = Table({"Wavelength": spectrum["wave"] / 10 * u.nm, "FLUX": flux, "ERROR": error, "MASK": spectrum["mask"]})
    table.meta["REDSHIFT"] = Z
    table.write(path)


def one_row(path, spectrum):
    Table({**{name: values[None] for name, values in spectrum.items()}, "z": [Z]}).write(path)


def sdss(path, spectrum):
    """As spec-*.fits: the mask's bit 16 (NEARBADPIXEL) informs, bit 24 (NODATA) leaves no data."""
    columns = {
        "flux": spectrum["flux"],
        "loglam": np.log10(spectrum["wave"]),
        "ivar": spectrum["ivar"],
        "and_mask": np.where(spectrum["mask"] != 0, 1 << 24, 1 << 16).astype(np.int32),
        "wdisp": spectrum["lsf"] / spectrum["wave"] / np.log(10) / 1e-4,
    }
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(Table(columns), name="COADD")]
    fits.HDUList([*hdus, fits.BinTableHDU(Table({"CLASS": ["GALAXY"], "Z": [Z]}), name="SPECOBJ")]).writeto(path)


def hdf5(path, spectrum):
    with h5py.File(path, "w") as f:
        group = f.create_group("spectrum")
        for name, values in spectrum.items():
            group[name] = values
        group["wave"].attrs["units"] = "Angstrom"
        f.attrs["z"] = Z


def hdf5_table(path, spectrum):
    Table({**spectrum}).write(path, path="table", format="hdf5")
    with h5py.File(path, "a") as f:
        f["redshift"] = Z


def csv(path, spectrum):
    """Nanometres, errors, flux in W/m2/um: 1e-17 erg/s/cm2/Angstrom are 1e-16 of these."""
    columns = [spectrum["wave"] / 10, 1e-16 * spectrum["flux"], 1e-16 * spectrum["ivar"] ** -0.5]
    rows = np.column_stack([*columns, spectrum["mask"], spectrum["lsf"]])
    header = f"# z = {Z}\nwave [nm], flux [W/m2/um], error [W/m2/um], mask, lsf [Angstrom]"
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%.17g")


def blanks(path, spectrum):
    """As numpy.savetxt writes columns, whose names are a comment."""
    names = ("wave", "flux", "ivar", "mask", "lsf")
    header = f"redshift: {Z}\n{' '.join(names)}"
    np.savetxt(path, np.column_stack([spectrum[name] for name in names]), header=header, fmt="%.17g")


def ecsv(path, spectrum):
    table = Table({**spectrum, "wave": (spectrum["wave"] * u.AA).to(u.um)})
    table.meta["Z"] = Z
    table.write(path)


WRITERS = {
    "table.fits": fits_table,
    "units.fits": other_units,
    "row.fits": one_row,
    "spec-1.fits": sdss,
    "plain.h5": hdf5,
    "table.hdf5": hdf5_table,
    "table.csv": csv,
    "columns.txt": blanks,
    "table.ecsv": ecsv,
}


def place(spectrum_map, spectrum, z=Z, **options):
    """Place a spectrum given as columns, as observed through the Milky Way's dust."""
    arrays = {name: spectrum[name] for name in ("wave", "flux", "ivar")}
    return spectrum_map.place(**arrays, z=z, **{"mask": spectrum["mask"], "lsf": spectrum["lsf"], "ebv": EBV} | options)


@pytest.mark.parametrize("name", WRITERS)
def test_a_baxel_of_the_training_gets_its_node_from_every_format(spectrum_map, baxel, tmp_path, name):
    spectrum, stored = baxel
    WRITERS[name](tmp_path / name, spectrum)
    read = read_spectrum(tmp_path / name)
    assert read.z == Z
    found = spectrum_map.place(read.wave, read.flux, read.ivar, read.z, lsf=read.lsf, mask=read.mask, ebv=EBV)
    for node, index in ((found.node, stored["node"]), (found.second_node, stored["second_node"])):
        assert node == (index // COLUMNS + 1, index % COLUMNS + 1)
    assert found.distance == pytest.approx(stored["distance"], rel=1e-3)
    assert found.mse == pytest.approx(stored["mse"], rel=1e-3)
    assert found.flags == (("resolution_unknown",) if name == "units.fits" else ())


def test_typicality_is_that_of_the_artefact_within_a_hundredth(folder, spectrum_map):
    rows = artefacts.read(folder / "assignments.h5", "desom_assignments")
    extract = artefacts.read(folder / f"extract/{GALAXIES[GALAXY][0]}.h5", "extract")
    for i in (1, 2, 3):
        row = np.flatnonzero((rows["galaxy"] == GALAXY) & (rows["baxel"] == i))[0]
        columns = {name: extract[name][i] for name in ("flux", "ivar", "mask", "lsf")}
        found = place(spectrum_map, {"wave": WAVE, **columns})
        assert found.typicality == pytest.approx(rows["typicality"][row], abs=0.011)


def test_labels_are_those_of_the_node(spectrum_map, baxel):
    spectrum, stored = baxel
    found = place(spectrum_map, spectrum)
    age, dust, k = found.labels["log_age_lw"], found.labels["ebv_star"], int(stored["node"])
    assert [age.low.value, age.median.value, age.high.value] == pytest.approx([k + 0.16, k + 0.5, k + 0.84])
    assert dust.median.value == pytest.approx(10 * k + 0.5) and dust.median.unit == u.mag
    assert (age.n_baxel, age.pool_radius, age.ring_weight, age.median.unit) == (45, 2, 0.25, u.Unit("dex(yr)"))


def test_what_was_not_removed_is_flagged(spectrum_map, baxel):
    spectrum, _ = baxel
    assert place(spectrum_map, spectrum, ebv=None).flags == ("extinction_left",)
    assert place(spectrum_map, spectrum, ebv=0.0).flags == ()
    assert "errors_unknown" in place(spectrum_map, spectrum | {"ivar": None}).flags


@pytest.mark.parametrize(("wider", "flagged"), [(1.0, False), (2.0, False), (6.0, True)])
def test_another_resolution_is_flagged_with_both(spectrum_map, baxel, wider, flagged):
    """What counts is the resolution in the bins too, which are wide in this map."""
    spectrum, _ = baxel
    found = place(spectrum_map, spectrum, lsf=wider * spectrum["lsf"])
    assert ("other_resolution" in found.flags) == flagged
    bins = np.hypot(np.log(8950 / 3650) / 256, 1e-4 * np.log(10)) / np.sqrt(12)
    for power, sigma in ((found.map_resolving_power, 1.1), (found.resolving_power, 1.1 * wider)):
        line = sigma / (1 + Z) / np.median(found.wave)
        assert power == pytest.approx(1 / np.hypot(line, bins) / SIGMA_TO_FWHM, rel=0.01)


def test_a_spectrum_of_sdss_is_filled_where_it_has_no_data(spectrum_map):
    """NGC3522 begins at 3811 Angstrom in the rest frame: 4.8 % of the map's range in log wavelength lie below."""
    read = read_spectrum(NGC3522)
    assert read.z == pytest.approx(0.004018, abs=1e-6) and read.air is False
    found = spectrum_map.place(read.wave, read.flux, read.ivar, read.z, lsf=read.lsf, mask=read.mask)
    missing = np.log(3826.48 / 1.004018 / 3650.0) / np.log(8950.0 / 3650.0)
    assert found.filled == pytest.approx(missing, abs=0.03) and found.filled > missing
    assert {"many_filled", "extinction_left"} <= set(found.flags)
    blue = found.wave < 3800
    assert found.mask[blue].all() and np.ptp(found.flux[blue]) == 0, "filled with the value at the end"
    power = np.median(read.wave / read.lsf) / SIGMA_TO_FWHM
    assert power == pytest.approx(2070, abs=10), "that of the spectrograph"
    assert found.resolving_power < power


def refused(spectrum, **changes):
    return {**spectrum, **changes}


NAN, BLUE = np.full(WAVE.size, np.nan), WAVE < 5500
REFUSALS = {
    "nan everywhere": ({"flux": NAN}, {}, "no pixel is data"),
    "infinite everywhere": ({"flux": np.full(WAVE.size, np.inf)}, {}, "no pixel is data"),
    "no inverse variance": ({"ivar": np.zeros(WAVE.size)}, {}, "no pixel is data"),
    "half masked": ({"mask": BLUE}, {}, r"too few good bins: 1\d\d of 256, and the map asks for 220"),
    "not positive": ({"flux": np.full(WAVE.size, -1.0)}, {}, "no positive mean flux at 4050-4150"),
    "no data in the band": ({"mask": np.abs(WAVE - 4100 * (1 + Z)) < 80}, {}, "no positive mean flux at 4050-4150"),
    "far too red": ({}, {"z": 3.0}, "its data cover 905-2588 Angstrom, the map 3650-8950"),
    "other wavelengths": ({"wave": WAVE * 2}, {}, "its data cover 7032-20104 Angstrom, the map 3650-8950"),
    "no redshift": ({}, {"z": None}, "no redshift"),
    "strange redshift": ({}, {"z": np.nan}, "redshift is nan"),
    "negative dust": ({}, {"ebv": -0.1}, "must be 0 or more"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_placed_is_refused_with_the_reason(spectrum_map, baxel, case):
    changes, options, reason = REFUSALS[case]
    with pytest.raises(SpectrumError, match=reason):
        place(spectrum_map, baxel[0] | changes, **options)


def test_files_that_hold_no_spectrum_are_refused(tmp_path, folder):
    (tmp_path / "text.txt").write_text("5000 1.0\n")
    Table({"wave": WAVE, "counts": WAVE}).write(tmp_path / "counts.fits")
    Table({"wave": [5000.0] * u.s, "flux": [1.0]}).write(tmp_path / "seconds.fits")
    several = folder / f"extract/{GALAXIES[0][0]}.h5"
    for path, reason in (
        (tmp_path / "none.fits", "does not exist"),
        (tmp_path / "text.txt", "line 1 has numbers, but the columns have no names"),
        (tmp_path / "counts.fits", "holds no spectrum: .* there are wave, counts"),
        (tmp_path / "seconds.fits", "wave is in 's'; a unit of length"),
        (several, "one spectrum per file"),
    ):
        with pytest.raises(SpectrumError, match=reason):
            read_spectrum(path)


@pytest.fixture
def run(folder, tmp_path, baxel):
    """Call the command on files in a folder: two good spectra, a bad one."""
    fits_table(tmp_path / "good.fits", baxel[0])
    fits_table(tmp_path / "dark.fits", baxel[0] | {"flux": -np.ones(WAVE.size)})

    def call(*arguments):
        return CliRunner().invoke(app, ["assign", *map(str, arguments), "--model", str(folder)])

    return call


def no_constant(text):
    raise AssertionError(f"{text} is no JSON")


def test_the_command_goes_on_after_a_bad_spectrum(run, tmp_path, baxel):
    out = [tmp_path / name for name in ("places.json", "places.ecsv", "places.fits", "places.csv")]
    files = [tmp_path / "dark.fits", tmp_path / "good.fits", NGC3522]
    written = [word for path in out for word in ("--out", path)]
    done = run(*files, *written, "--ebv", EBV)
    assert done.exit_code == 0, done.output
    row, column = baxel[1]["node"] // COLUMNS + 1, baxel[1]["node"] % COLUMNS + 1
    assert f"{files[0]}: refused: no positive mean flux" in done.output
    assert f"{files[1]}: row {row}, column {column} of {ROWS} x {COLUMNS}" in done.output
    content = json.loads(out[0].read_text(), parse_constant=no_constant)
    dark, good, sdss_one = content["spectra"]
    assert (dark["status"], good["status"]) == ("refused", "ok") and "4050-4150" in dark["reason"]
    assert good["node"] == {"row": row, "column": column}
    assert good["labels"]["ebv_star"]["histogram"] == [9] * 5
    assert len(good["labels"]["ebv_star"]["quantiles"]) == len(content["quantile_levels"]) == 101
    assert "many_filled" in sdss_one["flags"]
    for path in out[1:]:
        table = Table.read(path)
        assert list(table["status"]) == ["refused", "ok", "ok"] and list(table["row"][:2]) == [0, row]
        assert table["distance"][1] == pytest.approx(baxel[1]["distance"], rel=1e-3)
        assert table["ebv_star_p50"][1] == pytest.approx(good["labels"]["ebv_star"]["median"])
    assert run(files[1], "--out", out[0], "--out", out[3]).exit_code == 0, "its own files are replaced"


def test_the_command_fails_where_no_spectrum_could_be_placed(run, tmp_path):
    done = run(tmp_path / "dark.fits", tmp_path / "none.fits", "--out", tmp_path / "places.json")
    assert done.exit_code == 1
    assert [one["status"] for one in json.loads((tmp_path / "places.json").read_text())["spectra"]] == ["refused"] * 2


def test_options_stand_in_for_what_files_do_not_say(run, tmp_path, baxel):
    Table({name: baxel[0][name] for name in ("wave", "flux", "ivar")}).write(tmp_path / "bare.fits")
    assert "no redshift" in run(tmp_path / "bare.fits").output
    done = run(tmp_path / "bare.fits", "--z", Z, "--fwhm", 2.6, "--vacuum", "--ebv", EBV)
    assert done.exit_code == 0 and "flags" not in done.output


def test_files_of_others_are_not_replaced(run, tmp_path):
    (tmp_path / "mine.json").write_text("[1, 2]")
    done = run(tmp_path / "good.fits", "--out", tmp_path / "mine.json")
    assert "is not a file as written by mangrove assign" in str(done.exception)
    assert "must end in" in str(run(tmp_path / "good.fits", "--out", tmp_path / "places.txt").exception)
    assert "is an input" in str(run(tmp_path / "good.fits", "--out", tmp_path / "good.fits").exception)


def test_a_map_of_files_that_do_not_belong_together_is_refused(folder, tmp_path, script, Params):
    own = tmp_path / "desom"
    own.mkdir()
    with pytest.raises(ModelError, match="not a complete model folder"):
        open_map(own)
    rows = artefacts.read(folder / "training_spectra.h5", "training_spectra")
    small_model(rows["flux"][20:], rows["wave"]).save(own / "model")
    with pytest.raises(ArtefactError, match=r"map\.h5 does not exist"):
        open_map(own)
    for name in ("map.h5", "node_labels.h5"):
        (own / name).symlink_to(folder / name)
    with pytest.raises(ModelError, match="made with another model"):
        open_map(own)
    small_model(rows["flux"], rows["wave"]).save(own / "model")
    assert repr(open_map(own)).endswith("3 x 4 nodes>")
    (own / "node_labels.h5").unlink()
    write_node_labels(own / "node_labels.h5", rows=2)
    with pytest.raises(ModelError, match="map of another size"):
        open_map(own)
    write_node_labels(own / "node_labels.h5", model_hash="that of another")
    with pytest.raises(ModelError, match="has the labels of another map"):
        open_map(own)


def test_a_doubtful_redshift_is_flagged_unless_another_is_given(tmp_path, run):
    with fits.open(NGC3522) as hdus:
        table = next(hdu for hdu in hdus if "ZWARNING" in getattr(hdu, "columns", fits.ColDefs([])).names)
        table.data["ZWARNING"] = 4
        hdus.writeto(tmp_path / "spec.fits")
    assert read_spectrum(tmp_path / "spec.fits").z_doubtful and not read_spectrum(NGC3522).z_doubtful
    assert "redshift_doubtful" in run(tmp_path / "spec.fits").output
    assert "redshift_doubtful" not in run(tmp_path / "spec.fits", "--z", 0.004).output
    assert "redshift_doubtful" not in run(NGC3522).output


def test_a_low_signal_to_noise_is_flagged(spectrum_map, baxel):
    """The training's limit is 10 per pixel of MaNGA, 1e-4 dex."""
    spectrum, _ = baxel
    error = np.median(spectrum["flux"][(WAVE > 5600) & (WAVE < 6750) & (spectrum["mask"] == 0)])
    for snr, flagged in ((9.0, True), (11.0, False)):
        found = place(spectrum_map, spectrum | {"ivar": np.full(WAVE.size, (snr / error) ** 2)})
        assert found.snr == pytest.approx(snr, rel=1e-3)
        assert ("low_snr" in found.flags) == flagged
    unknown = place(spectrum_map, spectrum | {"ivar": None})
    assert np.isnan(unknown.snr) and "low_snr" not in unknown.flags


def test_the_signal_to_noise_is_that_per_pixel_of_manga(spectrum_map):
    """Pixels four times as wide with twice the S/N each hold the same light."""
    wave = WAVE[0] * 10 ** (4e-4 * np.arange(WAVE.size // 4))
    found = spectrum_map.place(wave, np.ones(wave.size), np.full(wave.size, 16.0**2), Z, lsf=1.1, ebv=EBV)
    assert found.snr == pytest.approx(8.0, rel=1e-6)
    assert "low_snr" in found.flags


def test_an_unknown_medium_is_flagged(run, tmp_path, spectrum_map, baxel):
    assert "medium_unknown" in run(tmp_path / "good.fits", "--ebv", EBV).output
    for option in ("--air", "--vacuum"):
        assert "medium_unknown" not in run(tmp_path / "good.fits", "--ebv", EBV, option).output
    assert "medium_unknown" not in place(spectrum_map, baxel[0]).flags


def test_the_number_of_baxels_is_said_with_their_weight(run, tmp_path, spectrum_map, baxel):
    """Histograms of the small map hold 5 x 9."""
    assert "weight 45 of 45 up to 2 steps away" in run(tmp_path / "good.fits").output
    label = place(spectrum_map, baxel[0]).labels["ebv_star"]
    assert _label_line("ebv_star", label._replace(n_baxel=122), "mag").endswith("weight 45 of 122 up to 2 steps away")
    assert _label_line("ebv_star", label._replace(pool_radius=0), "mag").endswith("mag  45")


def test_a_spectrum_of_sdss_on_the_published_grid(tmp_path):
    """4544 bins at 3650-8950 Angstrom: what lies below the first pixel of NGC3522 is filled, besides bad pixels and sky lines."""
    write_random_map(tmp_path)
    read = read_spectrum(NGC3522)
    found = open_map(tmp_path).place(
        read.wave, read.flux, read.ivar, read.z, lsf=read.lsf, mask=read.mask, ebv=0.02, air=read.air
    )
    edges = np.geomspace(3650.0, 8950.0, 4545)
    bins = 0.5 * (edges[1:] + edges[:-1])
    bad = read.mask | (np.asarray(read.ivar) <= 0) | night_sky(read.wave, 8.0)
    nearest = np.abs(np.log(read.wave[:, None] / (1 + read.z) / bins)).argmin(axis=0)
    beyond = (bins * (1 + read.z) < read.wave[0]) | (bins * (1 + read.z) > read.wave[-1])
    expected = np.sum(beyond | bad[nearest])
    assert abs(np.sum(found.mask) - expected) <= 2, "a bin at each border may count or not"
    assert found.filled == np.mean(found.mask) and 190 < np.sum(found.mask) < 300
    assert "many_filled" in found.flags and "medium_unknown" not in found.flags
    assert found.node.row in (1, 2) and found.node.column in (1, 2)
