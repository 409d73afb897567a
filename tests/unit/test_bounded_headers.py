"""Headers over which astropy would never end: counts, sizes and units beyond what FITS allows."""

import gzip

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mangrove.errors import CatalogueError
from mangrove.models.emulator.prediction_files import _CREATOR as CREATOR
from mangrove.models.emulator.prediction_files import is_prediction
from mangrove.notebook.placement_files import is_own
from mangrove.outputs import is_fits
from mangrove.survey.desi_fits import opened
from mangrove.survey.tables import read_table

NAMES = Table({"plateifu": np.array(["8485-1901"]), "z": [0.03], "note": ["NAXIS   =          99999999999"]})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Bytes of a catalogue."""
    path = tmp_path_factory.mktemp("whole") / "catalogue.fits"
    NAMES.write(path)
    return path.read_bytes()


def altered(content: bytes, card: str, nth: int, value: int | str) -> bytes:
    """The file with another value of a number's card, the nth of that name."""
    starts = [i for i in range(0, len(content), 80) if content[i : i + 9] == f"{card:<8}=".encode()]
    at = starts[nth]
    return content[:at] + f"{card:<8}={value:>21}".ljust(80).encode() + content[at + 80 :]


@pytest.mark.parametrize(("card", "nth"), [("NAXIS", 0), ("NAXIS", 1), ("TFIELDS", 0)])
@pytest.mark.parametrize("packed", [False, True])
def test_counts_beyond_those_of_fits_are_refused_at_once(whole, tmp_path, card, nth, packed):
    content = altered(whole, card, nth, 99_999_999_999)
    path = tmp_path / ("c.fits.gz" if packed else "c.fits")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(CatalogueError, match=rf"{card} is 99999999999, and FITS allows at most 999"):
        read_table(path, ["plateifu"])
    with pytest.raises(CatalogueError, match=r"FITS allows at most 999"), opened(path):
        pass


@pytest.mark.parametrize("card", ["BITPIX", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS"])
def test_sizes_that_are_text_are_refused_at_once(whole, tmp_path, card):
    """Astropy takes so many bytes times a text for that text so many times."""
    path = tmp_path / "c.fits"
    path.write_bytes(altered(altered(whole, "NAXIS2", 0, 1_000_000_000), card, -1, "'5A      '"))
    with pytest.raises(CatalogueError, match=rf"{card} is '5A', and FITS allows nothing but whole numbers"):
        read_table(path, ["plateifu"])


@pytest.mark.parametrize(("card", "nth"), [("PCOUNT", 0), ("GCOUNT", 0), ("NAXIS1", 0), ("NAXIS2", 0)])
def test_sizes_below_nothing_are_refused_at_once(whole, tmp_path, card, nth):
    """The end of such an HDU lies before it, and astropy goes on from there, for ever."""
    path = tmp_path / "c.fits"
    path.write_bytes(altered(whole, card, nth, -99_999_999_999))
    with pytest.raises(CatalogueError, match=rf"{card} is -99999999999, and FITS allows nothing below 0"):
        read_table(path, ["plateifu"])
    with pytest.raises(CatalogueError, match=r"FITS allows nothing below 0"), opened(path):
        pass
    assert not is_prediction(path) and not is_own(path)


ENDLESS = "10**(99999999) m"


@pytest.mark.parametrize(
    ("suffix", "stated"), [(".ecsv", b"unit: km"), (".vot", b'unit="km"')], ids=["ECSV", "VOTable"]
)
def test_units_without_end_are_refused_at_once(tmp_path, suffix, stated):
    path, table = tmp_path / f"c{suffix}", NAMES.copy()
    table["z"].unit = "km"
    table.write(path, format="votable" if suffix == ".vot" else "ascii.ecsv")
    assert len(read_table(path, ["plateifu"])) == 1
    content = path.read_bytes()
    assert stated in content
    path.write_bytes(content.replace(stated, stated.replace(b"km", ENDLESS.encode())))
    with pytest.raises(CatalogueError, match=r"10\*\*\(99999999\) m, a power that no unit has"):
        read_table(path, ["plateifu"])


def test_units_of_a_table_in_hdf5_without_end_are_no_prediction(tmp_path):
    """Nor read: astropy describes the columns in a text."""
    path, table = tmp_path / "c.h5", NAMES["z",].copy()
    table["z"].unit, table.meta["CREATOR"] = "km", CREATOR
    table.write(path, path="lines", serialize_meta=True)
    assert is_prediction(path)
    with h5py.File(path, "r+") as f:
        described = f["lines.__table_column_meta__"][...].tolist()
        del f["lines.__table_column_meta__"]
        f["lines.__table_column_meta__"] = [
            line.replace(b"unit: km", f"unit: {ENDLESS}".encode()) for line in described
        ]
    assert not is_prediction(path)


def test_units_of_columns_in_fits_without_end_are_refused_at_once(whole, tmp_path):
    path, table = tmp_path / "c.fits", NAMES.copy()
    table["z"].unit = "km"
    table.write(path)
    content = path.read_bytes()
    at = content.index(b"TUNIT2  =")
    path.write_bytes(content[:at] + f"TUNIT2  = '{ENDLESS}'".ljust(80).encode() + content[at + 80 :])
    with pytest.raises(CatalogueError, match=r"TUNIT2 is 10\*\*\(99999999\) m, a power that no unit has"):
        read_table(path, ["plateifu"])
    with pytest.raises(CatalogueError, match=r"a power that no unit has"), opened(path):
        pass
    assert not is_prediction(path) and not is_own(path)


@pytest.mark.parametrize("packed", [False, True])
def test_whose_file_it_is_takes_no_time(whole, tmp_path, packed):
    path = tmp_path / ("c.fits.gz" if packed else "c.fits")
    for content in (whole, altered(whole, "NAXIS", 0, 99_999_999_999)):
        path.write_bytes(gzip.compress(content) if packed else content)
        assert is_fits(path, lambda header: header["SIMPLE"])
        assert not is_fits(path, lambda header: "NSEED" in header)
    path.write_bytes(b"text")
    assert not is_fits(path, bool)


def test_a_text_that_looks_like_a_card_is_none(whole, tmp_path):
    path = tmp_path / "c.fits"
    path.write_bytes(whole)
    assert read_table(path, ["plateifu"])["note"][0].startswith("NAXIS")
    with opened(path) as hdus:
        assert fits.BinTableHDU is type(hdus[1])
