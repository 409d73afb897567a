"""Packed files that are not read, and broken ones: what they are, and the tool that unpacks them."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
import small_cubes
from astropy.io import fits

from mangrove.errors import CubeError, DownloadError, TemplateError
from mangrove.ssp.loading import load_library
from mangrove.survey.archive.download import fetch
from mangrove.survey.readers.reading import read_cube

CONTENT = small_cubes.as_bytes(small_cubes.logcube())


def zipped(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("c.fits", content)
    return file.getvalue()


def tarred(content):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("c.fits")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


#: Content, and the command that unpacks it.
FORMS = {
    "c.fits.bz2": (bz2.compress(CONTENT, 1), "bunzip2"),
    "c.fits.xz": (lzma.compress(CONTENT, preset=0), "unxz"),
    "c.fits.zip": (zipped(CONTENT), "unzip"),
    "c.fits.Z": (b"\x1f\x9d\x90" + CONTENT, "uncompress"),
    "c.fits.zst": (b"\x28\xb5\x2f\xfd" + CONTENT, "unzstd"),
    "c.tar": (tarred(CONTENT), "tar xf"),
    "c.tar.gz": (gzip.compress(tarred(CONTENT), 1), "tar xf"),
    "twice.fits.gz": (gzip.compress(gzip.compress(CONTENT, 1), 1), "gunzip"),
}


@pytest.mark.parametrize("name", FORMS)
# The name says nothing: content decides.
@pytest.mark.parametrize("as_fits", [False, True])
def test_the_tool_that_unpacks_a_cube_is_named(tmp_path, name, as_fits):
    content, tool = FORMS[name]
    path = tmp_path / ("c.fits" if as_fits else name)
    path.write_bytes(content)
    with pytest.raises(CubeError, match=rf"{path.name}.*unpack it with '{tool}'"):
        read_cube(path)
    with pytest.raises(DownloadError, match=rf"{path.name} is not a complete FITS file .*unpack it with '{tool}'"):
        fetch(str(path), tmp_path / "store" / "c.fits", sums=False)
    assert not (tmp_path / "store" / "c.fits").exists()


@pytest.mark.parametrize("named", [True, False])
def test_funpack_is_named_for_images_in_tiles(tmp_path, named):
    path = tmp_path / "c.fits.fz"
    tiles = fits.CompImageHDU(np.ones((30, 30), "f4"), name="FLUX" if named else "COMPRESSED_IMAGE")
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(path)
    with pytest.raises(CubeError, match=r"c\.fits\.fz.*tile-compressed .*unpack the file with 'funpack'"):
        read_cube(path)


@pytest.mark.parametrize(
    ("ending", "tool"),
    [
        ("bz2", "bunzip2"),
        ("fz", "funpack"),
        ("zip", "unzip"),
        ("Z", "uncompress"),
        ("BZ2", "bunzip2"),
        ("lz4", "unlz4"),
        ("7z", "7z x"),
        ("rar", "unrar x"),
        ("tgz", "tar xf"),
    ],
)
def test_packed_templates_are_named(tmp_path, ending, tool):
    (tmp_path / f"Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits.{ending}").write_bytes(b"packed")
    with pytest.raises(TemplateError, match=rf"baseFe\.fits\.{ending} is compressed .*unpack it with '{tool}'"):
        load_library(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "tool"),
    [("EMILES.tar", "tar xf"), ("EMILES.tar.gz", "tar xf"), ("EMILES.ZIP", "unzip"), ("EMILES.7z", "7z x")],
)
def test_an_archive_that_was_left_packed_in_the_folder_is_named(tmp_path, name, tool):
    (tmp_path / name).write_bytes(b"packed")
    with pytest.raises(TemplateError, match=rf"{name} is compressed .*unpack it with '{tool}'"):
        load_library(str(tmp_path))


def test_templates_in_tiles_under_a_plain_name_are_named(tmp_path):
    path = tmp_path / "Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.ones((1, 300), "f4"))]).writeto(path)
    with pytest.raises(TemplateError, match=r"baseFe\.fits is tile-compressed .*'funpack'"):
        load_library(str(tmp_path))


@pytest.mark.parametrize("name", ["c.fits.bz2", "c.fits.xz", "c.fits.zip", "c.tar", "c.tar.gz"])
def test_packed_libraries_are_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FORMS[name][0])
    tool = "gunzip" if name.endswith(".gz") else FORMS[name][1]
    with pytest.raises(TemplateError, match=rf"{name} is .*unpack it with '{tool}'"):
        load_library(str(path))
