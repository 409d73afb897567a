"""Sample sheets, catalogues and DESI's files of any content: what they say, or an error that says what is wrong."""

import csv
import io
import math

import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from fuzzing import VALUES, damaged, fuzzed, outcome, put_file, with_card
from hypothesis import example, given
from hypothesis import strategies as st
from table_files import CARDS

from mangrove.errors import CatalogueError, SampleError
from mangrove.models.emulator.prepared_table import read_prepared
from mangrove.survey import catalogues, tables
from mangrove.survey.desi import read_coadd
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.sample import parse_sheet

NAMES = [f"8485-190{i}" for i in range(1, 7)]
GALAXIES = [Galaxy(name, f"1-{i}", 0.03, 0.02, 150.0 + i, 20.0) for i, name in enumerate(NAMES)]
HEADER = ["plateifu", "mangaid", "z", "ebv", "ra", "dec", "r_e", "desom", "morphology"]
ROWS = [[g.plateifu, g.mangaid, "0.03", "0.02", f"{g.ra}", "20", "2.5", "1", "Sb"] for g in GALAXIES]
SHEET = "\n".join("\t".join(row) for row in [HEADER, *ROWS]).encode()
FIELDS = st.sampled_from(
    [
        "",
        " ",
        "nan",
        "inf",
        "-1",
        "0",
        "1e400",
        "1_0",
        "0x1F",
        "\u0663",
        "-9999",
        "9" * 400,
        "a\x00b",
        '"',
        "8485-1901",
        "#",
    ]
) | st.text(max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def sheet(content: bytes) -> dict[str, Galaxy] | None:
    """The galaxies of a sheet, if it is one; their numbers are then those of galaxies."""
    lines = io.StringIO(content.decode("utf-8-sig", "replace"))
    found = outcome(SampleError, parse_sheet, lines, "mine.tsv")
    for name, galaxy in (found or {}).items():
        assert name == galaxy.plateifu and 0 < galaxy.z < 1 and 0 <= galaxy.ebv < 10
        assert all(math.isfinite(value) for value in vars(galaxy).values() if isinstance(value, float))
    return found


@fuzzed(60, 3.0)
@given(content=damaged([SHEET]))
def test_damaged_sheets(content):
    sheet(content)


@fuzzed(60, 3.0)
@given(row=st.integers(0, len(ROWS)), column=st.integers(0, len(HEADER) - 1), field=FIELDS)
def test_a_sheet_with_any_field(row, column, field):
    """The other rows stay what they are."""
    rows = [list(one) for one in [HEADER, *ROWS]]
    rows[row][column] = field
    found = sheet("\n".join("\t".join(one) for one in rows).encode("utf-8", "replace"))
    if found is not None and row > 0:
        for one in (g for i, g in enumerate(GALAXIES, start=1) if i != row):
            assert (found[one.plateifu].z, found[one.plateifu].ra) == (one.z, one.ra)


SCALES = {"deg": 1.0, "arcsec": 3600.0, "rad": math.pi / 180.0, "degrees": 1.0}


@fuzzed(40, 20.0)
@given(
    values=st.lists(st.none() | st.floats(0.01, 300.0), min_size=6, max_size=6),
    unit=st.sampled_from([*SCALES]),
    kind=st.sampled_from(["fits", "ecsv", "vot", "csv"]),
    unknown=st.sampled_from(["mask", "nan", "-9999"]),
    single=st.booleans(),
)
def test_one_column_in_any_unit_and_form(folder, values, unit, kind, unknown, single):
    """Numbers come back in the wanted unit, and NaN where they are not known, however the file says so."""
    bad = np.array([value is None for value in values])
    numbers = np.array([1.0 if value is None else value for value in values])
    unit = "deg" if kind == "csv" else unit
    stored = numbers * SCALES[unit]
    if unknown != "mask":
        stored = np.where(bad, float(unknown), stored)
    stored = stored.astype(np.float32 if single and unknown != "-9999" else np.float64)
    mask = bad if unknown == "mask" else np.zeros(len(bad), bool)
    table = Table([NAMES, MaskedColumn(stored, mask=mask)], names=["PLATEIFU", "RA"])
    if kind != "csv":
        table["RA"].unit = u.Unit(unit, parse_strict="silent") if unit != "degrees" else u.deg
    path = folder / f"numbers.{kind}"
    table.write(
        path, overwrite=True, format={"vot": "votable", "ecsv": "ascii.ecsv", "csv": "ascii.csv"}.get(kind, kind)
    )
    read = outcome(CatalogueError, tables.read_table, path, ["PLATEIFU"])
    found = tables.numbers(tables.column(read, ["ra"], path), u.deg, path)
    np.testing.assert_array_equal(np.isnan(found), bad)
    np.testing.assert_allclose(found[~bad], numbers[~bad], rtol=1e-6)
    assert tables.texts(read["PLATEIFU"]) == NAMES


def agn_table(flags) -> Table:
    columns = {"MANGAID": [f"manga-{name}" for name in NAMES]}
    columns |= dict.fromkeys(("WISE_AGN", "BAT_AGN", "RADIO_AGN", "BROAD_AGN"), flags)
    return Table(columns)


FLAGS = {1: ["1", "T", "true", "Yes"], 0: ["0", "F", "False", "no"], -1: ["", "-1", "nan", "?", "-9999", "n/a"]}


@fuzzed(40, 15.0)
@given(
    truth=st.lists(st.tuples(st.sampled_from([*FLAGS]), st.integers(0, 5)), min_size=6, max_size=6), kind=st.booleans()
)
def test_flags_in_any_words(folder, truth, kind):
    """Yes, no and not known are told apart in whatever words a catalogue has them."""
    flags = [FLAGS[flag][i % len(FLAGS[flag])] for flag, i in truth]
    path = folder / ("agn.fits" if kind else "agn.csv")
    if kind:
        agn_table(flags).write(path, overwrite=True)
    else:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([agn_table(flags).colnames, *(list(row) for row in agn_table(flags))])
    joined = outcome(CatalogueError, catalogues.join_agn, GALAXIES, path)
    assert [galaxy.agn_bat for galaxy in joined] == [flag for flag, _ in truth]


def fits_of(*hdus) -> bytes:
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(file)
    return file.getvalue()


def coadd() -> bytes:
    """Coadded spectra of three targets."""
    fibres = [fits.Column("TARGETID", "K", array=np.arange(3)), fits.Column("EBV", "E", array=np.full(3, 0.02))]
    hdus = [fits.BinTableHDU.from_columns(fibres, name="FIBERMAP")]
    for camera, low in (("B", 3600.0), ("R", 3680.0), ("Z", 3760.0)):
        wave = low + 0.8 * np.arange(120)
        for name, values in (
            ("FLUX", np.ones((3, 120))),
            ("IVAR", np.ones((3, 120))),
            ("MASK", np.zeros((3, 120), np.int32)),
        ):
            hdus.append(fits.ImageHDU(values, name=f"{camera}_{name}"))
        hdus.append(fits.ImageHDU(wave, name=f"{camera}_WAVELENGTH"))
    return fits_of(*hdus)


AGN = fits_of(fits.table_to_hdu(agn_table([1, 0, 1, 0, 1, 0])))
COADD = coadd()
TEXTS = [
    SHEET.replace(b"\t", b","),
    b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: PLATEIFU, datatype: string}\nPLATEIFU\n8485-1901\n",
]


def read_any(folder, content: bytes, suffix: str, read, *arguments):
    path = folder / f"any{suffix}"
    put_file(path, content)
    return outcome(CatalogueError, read, *arguments, path)


@fuzzed(60, 7.0)
@given(content=damaged([AGN, *TEXTS]), suffix=st.sampled_from([".fits", ".csv", ".ecsv", ".vot", ""]))
def test_damaged_catalogues(folder, content, suffix):
    read_any(folder, content, suffix, catalogues.join_agn, GALAXIES)


@fuzzed(60, 8.0)
@given(content=damaged([COADD], head=30_000))
def test_damaged_coadds(folder, content):
    read_any(folder, content, ".fits", read_coadd)


@fuzzed(60, 15.0)
@given(
    seed=st.sampled_from(["agn", "coadd"]),
    changes=st.lists(
        st.tuples(st.sampled_from(CARDS), st.sampled_from(VALUES), st.integers(0, 12)), min_size=1, max_size=3
    ),
)
@example(seed="agn", changes=[("TFORM2", "'1M      '", 2)])
@example(seed="coadd", changes=[("GCOUNT", "-1", 5)])
@example(seed="coadd", changes=[("TFORM1", "'PD(9)   '", 10)])
@example(seed="coadd", changes=[("TFORM2", "'1M      '", 4), ("NAXIS2", "1000000", 9)])
def test_tables_with_cards_of_other_meaning(folder, seed, changes):
    content = {"agn": AGN, "coadd": COADD}[seed]
    for key, value, nth in changes:
        content = with_card(content, key, value, nth)
    if seed == "agn":
        read_any(folder, content, ".fits", catalogues.join_agn, GALAXIES)
        return
    found = read_any(folder, content, ".fits", read_coadd)
    if found is not None:
        assert (
            np.isfinite(found.flux[found.ivar > 0]).all()
            and (found.ivar >= 0).all()
            and (np.diff(found.wave) > 0).all()
        )


@fuzzed(30, 60.0)
@given(
    unit=st.sampled_from(["", "10**-17 erg/(s cm2 Angstrom)", "erg/s/cm2/Angstrom", "W/m2/um"]),
    length=st.sampled_from(["", "Angstrom", "nm"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_one_coadd_in_any_unit(folder, unit, length, seed):
    """Fluxes and errors are those that were written, weighted where cameras overlap; masked pixels have none."""
    rng = np.random.default_rng(seed)
    scale = {"": 1.0, "10**-17 erg/(s cm2 Angstrom)": 1.0, "erg/s/cm2/Angstrom": 1e-17, "W/m2/um": 1e-16}[unit]
    path = folder / "coadd.fits"
    grid = np.round(3600.0 + 0.8 * np.arange(320), 2)
    weight, sum_ = np.zeros((3, 320)), np.zeros((3, 320))
    with fits.open(io.BytesIO(COADD)) as hdus:
        for camera, start in (("B", 0), ("R", 100), ("Z", 200)):
            flux, ivar = rng.normal(5.0, 2.0, (3, 120)), rng.uniform(0.5, 4.0, (3, 120))
            mask = rng.uniform(size=flux.shape) < 0.1
            hdus[f"{camera}_FLUX"].data, hdus[f"{camera}_IVAR"].data = flux * scale, ivar / scale**2
            hdus[f"{camera}_MASK"].data = np.where(mask, 4, 0).astype(np.int32)
            for name, text in (("FLUX", unit), ("WAVELENGTH", length)):
                if text:
                    hdus[f"{camera}_{name}"].header["BUNIT"] = text
            if unit:
                hdus[f"{camera}_IVAR"].header["BUNIT"] = f"1 / ({unit})2" if "10**" not in unit else ""
            hdus[f"{camera}_WAVELENGTH"].data = grid[start : start + 120] * (0.1 if length == "nm" else 1.0)
            use = np.where(mask, 0.0, ivar)
            weight[:, start : start + 120] += use
            sum_[:, start : start + 120] += use * flux
        hdus.writeto(path, overwrite=True)
    found = outcome(CatalogueError, read_coadd, path)
    if found is None:
        assert unit not in ("", "10**-17 erg/(s cm2 Angstrom)"), "its own units are refused"
        return
    np.testing.assert_allclose(found.wave, grid, atol=5e-3)
    np.testing.assert_allclose(found.ivar, weight, rtol=1e-5)
    good = weight > 0
    np.testing.assert_allclose(found.flux[good], (sum_[good] / weight[good]), rtol=1e-5)


BIN_FLUX = np.linspace(0.5, 2.0, 36).reshape(3, 12)
PREPARED = {
    "continuum_flux": BIN_FLUX,
    "redshift": np.array([0.05, 0.1, 0.2]),
    "ew": np.array([[20.0, 5.0], [8.0, np.nan], [3.0, 1.0]]),
    "ew_ivar": np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]),
    "target_id": np.array([39627, 39628, 39629]),
}


def prepared(changed=(), units=(), lines=("Halpha", "Hbeta")) -> bytes:
    """A prepared table; datasets may be others, and have units."""
    file = io.BytesIO()
    with h5py.File(file, "w") as content:
        for name, values in (PREPARED | dict(changed)).items():
            content[name] = values
        for name, unit in dict(units).items():
            content[name].attrs["unit"] = unit
        if lines is not None:
            content["ew"].attrs["lines"] = list(lines)
    return file.getvalue()


def table_of(path):
    """The prepared table of a path, if it is one, whose arrays then fit together."""
    found = outcome(CatalogueError, read_prepared, path)
    if found is not None:
        table = found.table
        n, of_lines = len(table.identifier), (len(table.identifier), len(table.lines))
        assert table.flux_bins.shape == (n, table.bins.n_bin) and table.log_luminosity.shape == (n,)
        assert table.ew.shape == table.ew_ivar.shape == of_lines and table.usable.shape == (n,)
        assert sum(rows.size for rows in found.split) == table.usable.sum()
    return found


@fuzzed(40, 5.0)
@given(content=damaged([prepared()], head=3000))
def test_damaged_prepared_tables(folder, apart, content):
    put_file(folder / "prepared.h5", content)
    apart(table_of, folder / "prepared.h5")


@fuzzed(40, 5.0)
@given(
    name=st.sampled_from([*PREPARED]),
    how=st.sampled_from(
        ["none", "flat", "short", "wide", "text", "complex", "scalar", np.nan, np.inf, -1.0, 0.0, 1e300]
    ),
    where=st.integers(0, 40),
    lines=st.sampled_from([("Halpha", "Hbeta"), ("Halpha",), ("Halpha", "Halpha"), (), None, ("", "\u03b1")]),
)
@example(name="continuum_flux", how="flat", where=0, lines=("Halpha", "Hbeta"))
@example(name="ew", how="short", where=0, lines=None)
def test_prepared_tables_whose_arrays_do_not_fit(folder, name, how, where, lines):
    values = PREPARED[name]
    match how:
        case "none":
            changed = np.empty(0)
        case "flat":
            changed = values.ravel()[:7]
        case "short":
            changed = values[:2]
        case "wide":
            changed = np.stack([values, values])
        case "text":
            changed = values.astype("S8")
        case "complex":
            changed = values.astype(complex)
        case "scalar":
            changed = values.ravel()[0]
        case number:
            changed = values.astype(float)
            changed.ravel()[where % changed.size] = number
    put_file(folder / "prepared.h5", prepared({name: changed}, lines=lines))
    table_of(folder / "prepared.h5")


FLUXES = {
    "": 1.0,
    "1e-17 erg s-1 cm-2 Angstrom-1": 1.0,
    "erg/s/cm2/AA": 1e-17,
    "1e-20 erg/s/cm2/nm": 1e4,
    "Jy": None,
    "m": None,
}
WIDTHS = {"": 1.0, "Angstrom": 1.0, "nm": 0.1, "km/s": None, "furlongs": None}
VARIANCES = {"": 1.0, "Angstrom-2": 1.0, "nm-2": 100.0, "Angstrom2": None, "Angstrom": None}


@fuzzed(40, 7.0)
@given(
    flux=st.sampled_from([*FLUXES]),
    width=st.sampled_from([*WIDTHS]),
    variance=st.sampled_from([*VARIANCES]),
    redshift=st.sampled_from(["", "1", "km/s"]),
)
def test_a_prepared_table_in_any_unit(folder, flux, width, variance, redshift):
    """Numbers are those that were written, or the unit is refused by name."""
    factors = {"continuum_flux": FLUXES[flux], "ew": WIDTHS[width], "ew_ivar": VARIANCES[variance]}
    units = {"continuum_flux": flux, "ew": width, "ew_ivar": variance, "redshift": redshift}
    changed = {name: PREPARED[name] * (factor or 1.0) for name, factor in factors.items()}
    content = prepared(changed, {name: unit for name, unit in units.items() if unit})
    put_file(folder / "prepared.h5", content)
    found = table_of(folder / "prepared.h5")
    assert (found is None) == (None in factors.values() or redshift == "km/s")
    if found is not None:
        table = found.table
        np.testing.assert_allclose(table.flux_bins, BIN_FLUX, rtol=1e-6)
        np.testing.assert_allclose(table.ew, PREPARED["ew"], rtol=1e-6)
        np.testing.assert_allclose(table.ew_ivar, PREPARED["ew_ivar"], rtol=1e-6)
        assert table.lines == ("Halpha_6565", "Hbeta_4863") and list(table.identifier) == ["39627", "39628", "39629"]
        assert table.usable.all()
