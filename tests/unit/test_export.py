"""What an export writes is read back by astropy: values, units, UCDs, bits, frames; and what it refuses."""

import json

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.io.votable.ucd import check_ucd
from astropy.table import QTable, Table, join
from astropy.wcs import WCS
from attributes import attributes_of
from typer.testing import CliRunner

from mangrove import artefacts, cli
from mangrove.codes import BaxelQuality, GalaxyQuality, LabelFlag
from mangrove.config_files import validate
from mangrove.data_model import KINDS, LABEL, LABELS
from mangrove.errors import ArtefactError, ConfigError, SampleError
from mangrove.export.columns import fits_unit
from mangrove.export.products import export_run
from mangrove.export.source import recorded_config
from mangrove.physics.lines import fit_lines
from mangrove.survey.sample import Galaxy, write_sheet

#: Reading and writing these files gives no warning.
pytestmark = pytest.mark.filterwarnings("error")

LINES = list(fit_lines().name)
#: Bins of each galaxy: two galaxies with baxels, and one that the archive does not have, between them.
BINS = {
    "8485-1901": np.array([[0, 0, 1], [2, -1, 1], [2, 2, -1], [-1, 3, 3]]),
    "8485-1902": np.full((1, 1), -1),
    "10001-12701": np.array([[1, 0], [0, -1]]),
}
NAMES = list(BINS)
GALAXIES = [
    Galaxy(
        NAMES[0], "1-1", 0.03, 0.02, 150.0, 20.0, r_e=2.0, esweight=1.5, agn_wise=1, morphology="SBc", drpver="v3_1_1"
    ),
    Galaxy(NAMES[1], "1-1", 0.03, 0.02, 150.0, 20.0, esweight=0.5, convlstm=0, drpver="v3_1_1"),
    Galaxy(NAMES[2], "1-7", 0.05, 0.01, 10.0, -5.0, log_mass=10.5, radio_class="LERG", drpver="v3_1_1"),
]
FRAME = WCS(naxis=2)
FRAME.wcs.ctype, FRAME.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
FRAME.wcs.crval, FRAME.wcs.crpix, FRAME.wcs.cdelt = [150.0, 20.0], [2.0, 2.5], [-0.5 / 3600, 0.5 / 3600]
#: Fit status and reduced chi2 of the six baxels: poor; no convergence; the others good.
STATUS, CHI2 = [0, 0, 3, 0, 0, 0], [1.0, 2.5, np.nan, 1.1, 0.9, 1.0]


def fill(kind, sizes, seed=0, **given):
    """Datasets of a kind: those given, random numbers for the others."""
    rng = np.random.default_rng(seed)
    data = {}
    for name, spec in KINDS[kind].fields.items():
        shape = tuple(sizes.get(dim, 2) for dim in spec.dims)
        numbers = rng.normal(size=shape) if spec.dtype.startswith("f") else rng.integers(0, 4, shape)
        data[name] = given.get(name, np.full(shape, "a") if spec.dtype == "str" else numbers)
    return data


def write_extract(run, name, seed=0):
    """The artefact 'extract' of a galaxy; returns its path."""
    bins, ok = BINS[name], BINS[name].max() >= 0
    sizes = {"baxel": bins.max() + 1, "spaxel_y": bins.shape[0], "spaxel_x": bins.shape[1]}
    path = run / KINDS["extract"].path.format(plateifu=name)
    attrs = {} if ok else {"status": "missing", "reason": "no such file: 404"}
    attrs |= {"drpver": "v3_1_1" if ok else "", "centre_in_field": name != NAMES[2]}
    attrs |= {"wcs": FRAME.to_header_string() if ok else ""}
    data = fill("extract", sizes, seed, bin_id=bins)
    artefacts.write(path, "extract", data, artefacts.Provenance(), attributes_of("extract", **attrs))
    return path


def write_fit(run, name, seed=0):
    """The artefact 'fit' of a galaxy, made from its extract; returns its path."""
    path, extract = (run / KINDS[kind].path.format(plateifu=name) for kind in ("fit", "extract"))
    sizes = dict.fromkeys({dim for spec in KINDS["fit"].fields.values() for dim in spec.dims}, 1)
    sizes["baxel"] = BINS[name].max() + 1
    prov = artefacts.provenance(path, {}, [extract])
    artefacts.write(path, "fit", fill("fit", sizes, seed), prov, attributes_of("fit", templates="mastar"))
    return path


def write_run(run):
    """Artefacts of the three galaxies, each made from the one before, as by the workflow."""
    for name in NAMES:
        write_extract(run, name)
    write_labels(run, [write_fit(run, name) for name in NAMES])
    write_sheet(run / "sheet.tsv", GALAXIES)


def write_labels(run, fits):
    """The artefact 'labels' of the three galaxies."""
    n_baxel = [int(bins.max() + 1) for bins in BINS.values()]
    flags = {f"{label}_flag": np.full(6, max(LabelFlag)) for label in LABEL}
    data = fill(
        "labels",
        {"plateifu": 3, "row": 6, "line": len(LINES)},
        plateifu=np.array(NAMES),
        mangaid=np.array(["1-1", "1-1", "1-7"]),
        galaxy_status=np.array(["ok", "missing", "ok"]),
        galaxy_reason=np.array(["", "no such file: 404", ""]),
        n_baxel_of_galaxy=np.array(n_baxel),
        galaxy=np.repeat([0, 1, 2], n_baxel),
        baxel=np.array([0, 1, 2, 3, 0, 1]),
        line=np.array(LINES),
        status=np.array(STATUS),
        chi2_reduced=np.array(CHI2),
        extent_re=np.array([0.1, 0.5, 0.2, 0.1, 0.6, np.nan]),
        **flags,
    )
    path = run / LABELS.path
    prov = artefacts.provenance(path, {}, fits)
    artefacts.write(path, "labels", data, prov, attributes_of("labels", templates="mastar"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with labels of three galaxies, exported; its folder."""
    folder = tmp_path_factory.mktemp("export") / "small"
    write_run(folder)
    export_run(folder, config_of(folder), folder / "export")
    return folder


def config_of(folder, **sample):
    return validate({"run": "small", "sample": {"sheet": str(folder / "sheet.tsv"), **sample}})


def labels_of(run):
    return artefacts.read(run / LABELS.path, "labels")


def columns_of(path):
    """Name, unit, UCD and description of every column."""
    header = fits.getheader(path, 1)
    numbers = range(1, header["TFIELDS"] + 1)
    return [[header.get(f"{key}{i}", "") for key in ("TTYPE", "TUNIT", "TUCD", "TCOMM")] for i in numbers]


@pytest.mark.parametrize("name", ["galaxies.fits", "baxels.fits"])
def test_every_column_is_described(run, name):
    columns = columns_of(run / "export" / name)
    for column, _, ucd, description in columns:
        assert column.replace("_", "").isalnum() and column.isascii() and not column[0].isdigit()
        assert ucd and check_ucd(ucd, check_controlled_vocabulary=True), (column, ucd)
        assert description
    assert len({column[0].lower() for column in columns}) == len(columns)


def test_units_are_those_of_the_artefact(run):
    unit = {name: text for name, text, *_ in columns_of(run / "export" / "baxels.fits")}
    assert u.Unit(unit["flux_Halpha_6565"], format="fits") == 1e-17 * u.erg / u.s / u.cm**2 / u.pix
    assert u.Unit(unit["ew_Halpha_6565_err"], format="fits") == u.AA
    assert u.Unit(unit["v_star"], format="fits") == u.km / u.s
    assert unit["radius_re"] == ""
    assert u.Unit(fits_unit("dex(Msun yr-1 kpc-2)")) == u.Unit("dex(Msun yr-1 kpc-2)")


@pytest.mark.parametrize("name", ["galaxies.fits", "baxels.fits"])
def test_unit_cards_keep_to_the_standard(run, name):
    for column, unit, *_ in columns_of(run / "export" / name):
        assert "dex" not in unit, column
        u.Unit(unit, format="fits", parse_strict="raise")


def test_astropy_reads_logarithms_with_their_units(run):
    """FITS has no word for them: no TUNIT, the unit in the description, and for astropy in comments of its own."""
    path = run / "export" / "baxels.fits"
    table, quantities = Table.read(path), QTable.read(path)
    described = {name: text for name, _, _, text in columns_of(path)}
    for label, (unit, _) in LABEL.items():
        expected = u.mag if unit == "mag" else u.Unit(unit)
        assert table[label].unit == quantities[label].unit == expected, label
        assert table[f"{label}_err"].unit == (u.mag if unit == "mag" else u.dex), label
        assert unit == "mag" or described[label].endswith(f"[{fits_unit(unit)}]")
    assert table["log_sfr_density_limit"].unit == u.dex(u.Msun / u.yr / u.kpc**2)
    mass = quantities["log_mass_density"].physical
    np.testing.assert_allclose(mass.to_value(u.Msun / u.kpc**2), 10.0 ** labels_of(run)["log_mass_density"], rtol=1e-6)
    assert Table.read(run / "export" / "galaxies.fits")["log_mass"].unit == u.dex(u.Msun)


def test_values_of_baxels(run):
    labels, table = labels_of(run), Table.read(run / "export" / "baxels.fits")
    renamed = {"status": "fit_status"}
    for name, field in LABELS.fields.items():
        if field.dims == ("row",) and name != "galaxy":
            np.testing.assert_array_equal(np.array(table[renamed.get(name, name)]), labels[name], err_msg=name)
    for i, line in enumerate(LINES):
        np.testing.assert_array_equal(table[f"flux_{line}"], labels["line_flux"][:, i])
        np.testing.assert_array_equal(table[f"ew_{line}_err"], labels["line_ew_err"][:, i])
        np.testing.assert_array_equal(table[f"status_{line}"], labels["line_status"][:, i])
    assert list(table["plateifu"]) == [NAMES[0]] * 4 + [NAMES[2]] * 2
    np.testing.assert_array_equal(table["esweight"], [1.5] * 4 + [np.nan] * 2)


def test_values_of_galaxies(run):
    labels, table = labels_of(run), Table.read(run / "export" / "galaxies.fits", mask_invalid=False)
    assert list(table["plateifu"]) == NAMES
    assert list(table["n_baxel"]) == [4, 0, 2]
    assert list(table["n_good"]) == [2, 0, 0]
    assert list(table["status"]) == ["ok", "missing", "ok"]
    assert list(table["reason"]) == ["", "no such file: 404", ""]
    assert list(table["drpver"]) == ["v3_1_1"] * 3
    np.testing.assert_allclose(
        table["snr_median"], [np.median(labels["snr"][:4]), np.nan, np.median(labels["snr"][4:])]
    )
    np.testing.assert_array_equal(table["r_e"], [2.0, np.nan, np.nan])
    np.testing.assert_array_equal(table["log_mass"], [np.nan, np.nan, 10.5])
    assert list(table["convlstm"]) == [True, False, True]
    assert table["agn_wise"][0] == 1 and table["agn_wise"].mask.tolist() == [False, True, True]
    assert list(table["morphology"]) == ["SBc", "", ""]
    assert list(table["radio_class"]) == ["", "", "LERG"]


def test_quality_bits(run):
    galaxies, baxels = (Table.read(run / "export" / f"{name}.fits") for name in ("galaxies", "baxels"))
    missing = GalaxyQuality.NO_BAXELS | GalaxyQuality.MISSING_CUBE | GalaxyQuality.NO_WCS
    assert list(galaxies["quality"]) == [0, missing, GalaxyQuality.CENTRE_OUTSIDE_FIELD | GalaxyQuality.NO_GOOD_FIT]
    poor, lost = BaxelQuality.POOR_FIT, BaxelQuality.FIT_NOT_OK | BaxelQuality.NO_FIT
    outside = BaxelQuality.CENTRE_OUTSIDE_FIELD
    assert list(baxels["quality"]) == [0, poor, lost, 0, outside | BaxelQuality.WIDE, outside]
    assert baxels.meta["QBIT8"] == baxels.meta["FBIT8"] == "POOR_FIT" and poor == 1 << 8
    assert galaxies.meta["QBIT5"] == "CENTRE_OUTSIDE_FIELD"
    assert baxels.meta["STAT3"] == "not_converged"


def test_tables_join_by_plateifu_and_by_mangaid(run):
    galaxies, baxels = (Table.read(run / "export" / f"{name}.fits") for name in ("galaxies", "baxels"))
    joined = join(
        baxels["plateifu", "baxel", "snr"],
        galaxies["plateifu", "mangaid", "z"],
        keys="plateifu",
        metadata_conflicts="silent",
    )
    assert len(joined) == 6
    np.testing.assert_allclose(joined["z"][joined["plateifu"] == NAMES[2]], 0.05)
    others = Table({"mangaid": ["1-7"], "class": ["E"]})
    assert set(join(baxels, others, keys="mangaid")["plateifu"]) == {NAMES[2]}


def test_headers_say_where_the_files_come_from(run):
    for path in sorted((run / "export").rglob("*.fits")):
        header = fits.getheader(path)
        assert header["RUN"] == "small" and header["DRPVER"] == "v3_1_1"
        assert header["SCHEMA"] == artefacts.SCHEMA_VERSION
        assert header["LABHASH"] == labels_of(run).content_hash
        assert header["TEMPLATE"] == "mastar" and "Kroupa" in header["IMF"]


def test_headers_name_the_library_of_the_fits_not_of_the_configuration(run, tmp_path):
    other = config_of(run)
    other.fit.templates = "data/templates/emiles.npz"
    for path in export_run(run, other, tmp_path, maps=False):
        header = fits.getheader(path)
        assert header["TEMPLATE"] == "mastar" and "Kroupa" in header["IMF"]


@pytest.mark.parametrize("i", [0, 2])
def test_maps_hold_the_values_of_the_baxels(run, i):
    labels, bins = labels_of(run), BINS[NAMES[i]]
    start = {0: 0, 2: 4}[i]
    with fits.open(run / "export" / "maps" / f"{NAMES[i]}-labels.fits") as maps:
        np.testing.assert_array_equal(maps["BIN_ID"].data, bins)
        for label, (unit, _) in LABEL.items():
            for y, x in np.ndindex(bins.shape):
                inside = bins[y, x] >= 0
                row = start + bins[y, x]
                expected = labels[label][row] if inside else np.nan
                np.testing.assert_equal(maps[label.upper()].data[y, x], np.float32(expected))
                expected = labels[f"{label}_err"][row] if inside else np.nan
                np.testing.assert_equal(maps[f"{label.upper()}_ERR"].data[y, x], np.float32(expected))
                assert maps[f"{label.upper()}_FLAG"].data[y, x] == (labels[f"{label}_flag"][row] if inside else 4096)
            assert u.Unit(maps[label.upper()].header["BUNIT"]) == u.Unit(unit)
            assert u.Unit(maps[f"{label.upper()}_ERR"].header["BUNIT"]) == (u.mag if unit == "mag" else u.dex)
        assert maps["D_BPT_FLAG"].header["FBIT12"] == "NO_BAXEL"
        assert maps["D_BPT_FLAG"].header["FBIT13"] == "NOT_STAR_FORMING"
        limit = maps["LOG_SFR_DENSITY_LIMIT"].data[bins >= 0]
        np.testing.assert_array_equal(limit, labels["log_sfr_density_limit"][start + bins[bins >= 0]])
        assert maps["BPT_CLASS"].data[bins == 0].tolist() == [labels["bpt_class"][start]] * np.sum(bins == 0)


def test_maps_have_the_frame_of_the_cube(run):
    with fits.open(run / "export" / "maps" / f"{NAMES[0]}-labels.fits") as maps:
        for hdu in maps[1:]:
            found = WCS(hdu.header)
            for x, y in ((0, 0), (2.5, 1), (-3, 7)):
                np.testing.assert_allclose(
                    found.pixel_to_world_values(x, y), FRAME.pixel_to_world_values(x, y), rtol=0, atol=1e-9
                )


def test_galaxy_without_baxels_has_no_map(run):
    assert sorted(p.name for p in (run / "export" / "maps").iterdir()) == [
        f"{name}-{end}" for name in (NAMES[2], NAMES[0]) for end in ("MAPS.fits.gz", "labels.fits")
    ]


def test_files_are_whole_and_the_same_each_time(run, tmp_path):
    again = export_run(run, config_of(run), tmp_path)
    assert sorted(again) == sorted(p for p in tmp_path.rglob("*") if p.is_file())
    for path in again:
        assert path.read_bytes() == (run / "export" / path.relative_to(tmp_path)).read_bytes()
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            assert all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)


def test_maps_can_be_left_out(run, tmp_path):
    files = export_run(run, config_of(run), tmp_path, maps=False)
    assert [p.name for p in files] == ["galaxies.fits", "baxels.fits"]
    assert not (tmp_path / "maps").exists()


def test_run_without_a_baxel(tmp_path, monkeypatch):
    monkeypatch.setitem(BINS, NAMES[0], np.full((2, 2), -1))
    folder = tmp_path / "small"
    write_extract(folder, NAMES[0])
    one = {"plateifu": 1, "row": 0, "line": len(LINES)}
    data = fill("labels", one, plateifu=NAMES[:1], n_baxel_of_galaxy=[0], line=LINES, galaxy_status=["too_faint"])
    prov = artefacts.provenance(folder / LABELS.path, {}, [write_fit(folder, NAMES[0])])
    attrs = attributes_of("labels", status="empty", reason="no galaxy has a baxel", templates="mastar")
    artefacts.write(folder / LABELS.path, "labels", data, prov, attrs)
    write_sheet(folder / "sheet.tsv", GALAXIES[:1])
    files = export_run(folder, config_of(folder), folder / "export")
    assert len(files) == 2
    assert len(Table.read(files[1])) == 0
    bits = GalaxyQuality.NO_BAXELS | GalaxyQuality.TOO_FAINT | GalaxyQuality.NO_WCS
    assert Table.read(files[0])["quality"][0] == bits


def test_missing_labels_are_an_error_that_says_what_to_run(tmp_path):
    (tmp_path / "small").mkdir()
    with pytest.raises(
        ArtefactError, match=r"no table of labels yet.*\n.*snakemake \S*labels.h5 --cores 8 --configfile"
    ):
        export_run(tmp_path / "small", validate({"run": "small"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sheet_that_is_not_the_one_of_the_labels(run, tmp_path):
    with pytest.raises(SampleError, match=r"2 only in the table, for example 8485-1902.*--config"):
        export_run(run, config_of(run, limit=1), tmp_path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_extract, r"fit/10001-12701.h5 was made from another version of .*extract/10001-12701.h5"),
        (write_fit, r"labels.h5 was made from another version of .*fit/10001-12701.h5"),
    ],
)
def test_bins_or_fits_made_anew_after_the_labels(tmp_path, write, message):
    """Labels of old bins must not be spread over new ones, even where there are as many of them."""
    folder = tmp_path / "small"
    write_run(folder)
    write(folder, NAMES[2], seed=1)
    with pytest.raises(ArtefactError, match=message):
        export_run(folder, config_of(folder), tmp_path / "out")


def test_command_takes_the_noted_configuration(run, tmp_path):
    with pytest.raises(ConfigError, match=r"provenance.json does not hold .*--config configs/YOUR.yaml"):
        recorded_config(run)
    noted = {"config": config_of(run).model_dump()}
    (run / "provenance.json").write_text(json.dumps(noted), encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["export", str(run), "--out", str(tmp_path), "--no-maps"])
    assert done.exit_code == 0, done.output
    assert "galaxies.fits" in done.output
    assert (tmp_path / "baxels.fits").is_file()
    (run / "provenance.json").unlink()
