"""Headers with more axes or columns than FITS allows."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mangrove.errors import CatalogueError
from mangrove.survey.desi_fits import opened
from mangrove.survey.tables import read_table

NAMES = Table({"plateifu": np.array(["8485-1901"]), "z": [0.03], "note": ["NAXIS   =          99999999999"]})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Bytes of a catalogue."""
    path = tmp_path_factory.mktemp("whole") / "catalogue.fits"
    NAMES.write(path)
    return path.read_bytes()


def altered(content: bytes, card: str, nth: int, value: int) -> bytes:
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


def test_a_text_that_looks_like_a_card_is_none(whole, tmp_path):
    path = tmp_path / "c.fits"
    path.write_bytes(whole)
    assert read_table(path, ["plateifu"])["note"][0].startswith("NAXIS")
    with opened(path) as hdus:
        assert fits.BinTableHDU is type(hdus[1])
