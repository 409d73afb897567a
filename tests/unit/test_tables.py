"""Columns of catalogues: whatever says 'not known' is that, units and scales count, the rest is refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from mangrove.errors import CatalogueError
from mangrove.survey import tables

#: Columns of yes, no and not known, by how they are stored.
FLAGS = {
    "masked integers": MaskedColumn([1, 0, 7], mask=[False, False, True]),
    "-1": [1, 0, -1],
    "-9999 as a float": [1.0, 0.0, -9999.0],
    "NaN": [1.0, 0.0, np.nan],
    "empty text": ["T", "F", ""],
    "words": ["yes", "No", "n/a"],
    "numbers as text": ["1", "0", "-1"],
    "floats as text": ["1.0", "0.0", "nan"],
}


@pytest.mark.parametrize("ending", ["fits", "ecsv", "csv", "vot"])
@pytest.mark.parametrize("kind", FLAGS)
def test_flags_know_three_states(tmp_path, kind, ending):
    path = tmp_path / f"t.{ending}"
    Table({"FLAG": FLAGS[kind], "NAME": ["a", "b", "c"]}).write(
        path, **({"format": "votable"} if ending == "vot" else {})
    )
    table = tables.read_table(path, ["NAME"])
    assert tables.flags(tables.column(table, ["flag"], path), path).tolist() == [1, 0, -1]


@pytest.mark.parametrize("ending", ["ecsv", "csv"])
def test_masked_truth_values(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    Table({"FLAG": MaskedColumn([True, False, True], mask=[False, False, True]), "N": [1, 2, 3]}).write(path)
    assert tables.flags(tables.read_table(path, ["N"])["FLAG"], path).tolist() == [1, 0, -1]


def test_the_third_truth_value_of_fits(tmp_path):
    """A logical column has T, F and a zero byte for 'not known', which astropy gives as false."""
    path = tmp_path / "t.fits"
    fits.BinTableHDU.from_columns([fits.Column("FLAG", "L", array=np.array([True, False, True]))]).writeto(path)
    content = bytearray(path.read_bytes())
    assert content[5760:5763] == b"TFT"
    content[5762] = 0
    path.write_bytes(bytes(content))
    assert tables.flags(tables.read_table(path, ["FLAG"])["FLAG"], path).tolist() == [1, 0, -1]


@pytest.mark.parametrize("values", [[0, 2], [0.0, 0.5], ["no", "perhaps"], [0, 255]])
def test_what_is_neither_yes_nor_no_is_refused(values):
    with pytest.raises(CatalogueError, match=r"cat: the column F holds (2|0.5|perhaps|255) in row 2; it must say yes"):
        tables.flags(Table({"F": values})["F"], "cat")


def test_nulls_and_scales_of_columns(tmp_path):
    """TNULL of plain and of scaled columns, TSCAL, TZERO."""
    path = tmp_path / "t.fits"
    plain = fits.Column("A", "I", array=np.array([1, -5, 0], "i2"), null=-5)
    hdu = fits.BinTableHDU.from_columns([plain, fits.Column("B", "I", array=np.array([1, 2, 4], "i2"))])
    hdu.header["TSCAL2"], hdu.header["TZERO2"], hdu.header["TNULL2"] = 0.5, 1.0, 4
    hdu.writeto(path)
    table = tables.read_table(path, ["A"])
    np.testing.assert_array_equal(tables.numbers(table["A"], u.one, path), [1, np.nan, 0])
    np.testing.assert_array_equal(tables.numbers(table["B"], u.one, path), [1.5, 2, np.nan])
    assert tables.bits(table["A"], path).tolist() == [1, -1, 0]
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(
            tables.numbers(tables.fits_column(hdus[1], "b", path), u.one, path), [1.5, 2, np.nan]
        )


@pytest.mark.parametrize(
    ("given", "wanted", "factor"),
    [
        ("rad", u.deg, 180 / np.pi),
        ("hourangle", u.deg, 15),
        ("arcmin", u.arcsec, 60),
        ("DEGREES", u.deg, 1),
        ("mmag", u.mag, 1e-3),
        ("nm", u.AA, 10),
        ("10**-17 erg/(s cm2 Angstrom)", 1e-17 * u.erg / u.s / u.cm**2 / u.AA, 1),
        ("W m-2 um-1", 1e-17 * u.erg / u.s / u.cm**2 / u.AA, 1e16),
        ("", u.deg, 1),
        (None, u.mag, 1),
    ],
)
def test_units_are_converted(given, wanted, factor):
    assert tables.factor(given, wanted, "c", "cat") == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "wanted"), [("h", u.deg), ("km/s", u.one), ("furlong", u.deg), ("dex(solMass)", u.solMass), ("Jy", u.mag)]
)
def test_units_of_another_kind_are_refused(given, wanted):
    with pytest.raises(CatalogueError, match=r"cat: the column c is in '.*', but .* is needed. Convert it"):
        tables.factor(given, wanted, "c", "cat")


def test_numbers_and_bits():
    table = Table(
        {"T": ["1.5", "-9999", "n/a"], "M": [3, -9999, -1], "F": [4.0, np.nan, -9999.0], "X": ["1:30", "1", "2"]}
    )
    np.testing.assert_array_equal(tables.numbers(table["T"], u.one, "cat"), [1.5, np.nan, np.nan])
    np.testing.assert_array_equal(tables.numbers(table["M"], u.one, "cat"), [3, np.nan, -1])
    assert tables.bits(table["M"], "cat").tolist() == [3, -1, -1]
    assert tables.bits(table["F"], "cat").tolist() == [4, -1, -1]
    with pytest.raises(CatalogueError, match="the column X holds '1:30', which is not a number"):
        tables.numbers(table["X"], u.deg, "cat")


@pytest.mark.parametrize(
    ("value", "said"), [(0.5, "0.5"), (np.inf, "inf"), (1e300, r"1e\+300"), (2.0**63, r"9.*e\+18")]
)
def test_bits_are_whole_numbers_below_2_to_63(value, said):
    with pytest.raises(
        CatalogueError, match=rf"cat: the column B holds {said} in row 2; it must hold whole numbers below 2\^63"
    ):
        tables.bits(Table({"B": [4.0, value]})["B"], "cat")
    assert tables.bits(Table({"B": [4.0, 2.0**62]})["B"], "cat").tolist() == [4, 2**62]


@pytest.mark.parametrize("values", [[[1.0], [2.0, 3.0]], [[1.0], [2.0]]])
def test_arrays_of_various_lengths_are_several_values(tmp_path, values):
    path = tmp_path / "t.fits"
    arrays = fits.Column("B", "PD(2)", array=np.array([*map(np.array, values), None], object)[:2])
    fits.BinTableHDU.from_columns([fits.Column("A", "J", array=[1, 2]), arrays]).writeto(path)
    with pytest.raises(CatalogueError, match=r"t.fits: the column B has several values per row"):
        tables.column(tables.read_table(path, ["A"]), ["B"], path)


def test_text_is_of_one_line_and_any_encoding(tmp_path):
    table = Table({"A": [b"S0 ", b"\xe9toile", b"- "], "B": ["two\n lines\t", "NaN", "Sb"]})
    assert tables.texts(table["A"]) == ["S0", "étoile", ""]
    fits.BinTableHDU(table).writeto(tmp_path / "t.fits")
    assert tables.texts(tables.read_table(tmp_path / "t.fits", ["A"])["A"]) == ["S0", "étoile", ""]
    assert tables.texts(table["B"]) == ["two lines", "", "Sb"]


def test_the_table_with_the_columns_is_read_and_clashing_names_are_refused(tmp_path):
    path = tmp_path / "t.fits"
    first, second = (fits.BinTableHDU(Table({name: [1, 2]})) for name in ("other", "name"))
    fits.HDUList([fits.PrimaryHDU(), first, second]).writeto(path)
    assert tables.read_table(path, ["NAME"]).colnames == ["name"]
    with pytest.raises(CatalogueError, match="has the columns Type and TYPE; delete or rename"):
        tables.find(["Type", "TYPE"], ["type"], "cat")
    (tmp_path / "page.fits").write_text("<html>")
    with pytest.raises(CatalogueError, match="cannot be read as a table"):
        tables.read_table(tmp_path / "page.fits", ["NAME"])


TEXT = {
    "csv": "NAME,TYPE\na,Sa\nb,{}\nc,Sc\nd,{}\n",
    "ecsv": "# %ECSV 1.0\n# ---\n# datatype:\n# - {{name: NAME, datatype: string}}\n# - {{name: TYPE, datatype: string}}\n"
    "NAME TYPE\na Sa\nb {}\nc Sc\nd {}\n",
    "comma.ecsv": "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {{name: NAME, datatype: string}}\n"
    "# - {{name: TYPE, datatype: string}}\nNAME,TYPE\na,Sa\nb,{}\nc,Sc\nd,{}\n",
}


@pytest.mark.parametrize("kind", TEXT)
@pytest.mark.parametrize("fields", [('"S0', "Sd"), ('"S0', '"Sd'), ('"S0', 'Sd"')])
def test_a_quote_swallows_no_rows(tmp_path, kind, fields):
    path = tmp_path / f"t.{kind}"
    path.write_text(TEXT[kind].format(*fields))
    line = 1 + next(i for i, text in enumerate(path.read_text().splitlines()) if '"S0' in text)
    with pytest.raises(CatalogueError, match=rf"line {line}: a field begins with a quote .* Remove the quote"):
        tables.read_table(path, ["NAME"])


@pytest.mark.parametrize("kind", TEXT)
def test_text_is_read_with_quotes_and_a_byte_order_mark(tmp_path, kind):
    path = tmp_path / f"t.{kind}"
    path.write_text(TEXT[kind].format('"S0, ""lens"""', "15'").replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    table = tables.read_table(path, ["NAME"])
    assert tables.texts(table["NAME"]) == ["a", "b", "c", "d"]
    assert tables.texts(table["TYPE"]) == ["Sa", 'S0, "lens"', "Sc", "15'"]


def test_a_column_of_a_text_table_is_there_once(tmp_path):
    (tmp_path / "t.csv").write_text("NAME,FLAG,FLAG,,\na,1,0,,\n")
    with pytest.raises(CatalogueError, match="has the column FLAG twice"):
        tables.read_table(tmp_path / "t.csv", ["NAME"])
    (tmp_path / "u.csv").write_text("NAME,FLAG,,\na,1,,\n")
    assert tables.flags(tables.read_table(tmp_path / "u.csv", ["NAME"])["FLAG"], "u.csv").tolist() == [1]


def test_a_votable_whose_field_has_no_name_is_refused(tmp_path):
    path = tmp_path / "t.vot"
    Table({"NAME": ["a"]}).write(path, format="votable")
    path.write_text(path.read_text().replace('ID="NAME"', "").replace('name="NAME"', ""))
    with pytest.raises(CatalogueError, match=r"t.vot cannot be read as a table \(.* 'FIELD' element must have"):
        tables.read_table(path, ["NAME"])
