import gzip

import numpy as np
import pytest
from astropy.io import fits

from mangrove.errors import DownloadError
from mangrove.survey.download import fetch


@pytest.fixture
def archive(tmp_path):
    """A folder with a small gzipped cube of 8485-1901."""
    hdu = fits.PrimaryHDU(np.arange(5000.0))
    hdu.header["PLATEIFU"] = "8485-1901"
    hdu.writeto(tmp_path / "cube.fits")
    packed = gzip.compress((tmp_path / "cube.fits").read_bytes(), mtime=0)
    (tmp_path / "cube.fits.gz").write_bytes(packed)
    return tmp_path


@pytest.mark.parametrize("name", ["cube.fits", "cube.fits.gz"])
@pytest.mark.parametrize("scheme", ["file://", ""])
def test_a_whole_file_arrives(archive, name, scheme):
    target = archive / "out" / name
    fetch(f"{scheme}{archive / name}", target, "8485-1901")
    assert target.read_bytes() == (archive / name).read_bytes()
    assert not target.is_symlink()


def test_a_local_file_can_be_linked(archive):
    target = archive / "out" / "cube.fits.gz"
    fetch(str(archive / "cube.fits.gz"), target, "8485-1901", link=True)
    assert target.is_symlink() and target.resolve() == archive / "cube.fits.gz"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[: len(b) // 2], "did not arrive as a whole FITS file"),
        (lambda b: b[:-3] + b"abc", "did not arrive as a whole FITS file"),
        (lambda b: gzip.compress(b"<html>not found</html>" * 500), "did not arrive as a whole FITS file"),
        (lambda b: b"<html>not found</html>" * 500, "did not arrive as a whole FITS file"),
        (lambda b: b"", "did not arrive as a whole FITS file"),
        (lambda b: gzip.compress(gzip.decompress(b).replace(b"8485-1901", b"8485-1902")), "cube of '8485-1902'"),
    ],
)
def test_a_damaged_or_wrong_file_never_gets_the_final_name(archive, damage, message):
    bad = archive / "bad.fits.gz"
    bad.write_bytes(damage((archive / "cube.fits.gz").read_bytes()))
    with pytest.raises(DownloadError, match=message):
        fetch(f"file://{bad}", archive / "out" / "cube.fits.gz", "8485-1901")
    assert list((archive / "out").iterdir()) == []


def test_a_missing_file_is_named(archive):
    with pytest.raises(DownloadError, match=r"none.fits.gz does not exist; check survey.base"):
        fetch(f"file://{archive}/none.fits.gz", archive / "out" / "x.fits.gz", "8485-1901")
