"""Reading LOGCUBEs: both releases by one path, plain or packed, no further and with no more memory than needed."""

import gzip
import tracemalloc

import numpy as np
import pytest
import small_cubes
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.files.fits_stream import read_hdus
from mangrove.survey.readers.reading import read_cube


@pytest.mark.parametrize("release", ["dr15", "dr17"])
@pytest.mark.parametrize("name", ["c.fits", "c.fits.gz"])
def test_both_releases_plain_or_packed(tmp_path, release, name):
    hdus = small_cubes.logcube(release)
    cube = read_cube(small_cubes.write(tmp_path / name, hdus))
    np.testing.assert_array_equal(cube.flux, hdus["FLUX"].data)
    np.testing.assert_array_equal(cube.ivar, hdus["IVAR"].data)
    np.testing.assert_array_equal(cube.lsf, hdus[small_cubes.LSF_NAMES[release][0]].data)
    np.testing.assert_array_equal(cube.wave, small_cubes.WAVE)
    np.testing.assert_array_equal(cube.images["r"], hdus["RIMG"].data)
    assert (cube.name, cube.version, cube.quality) == (small_cubes.PLATEIFU, "v3_1_1", 0)
    assert cube.pixel_scale == pytest.approx(0.5, rel=1e-6)
    assert cube.good.all() and not cube.foreground.any()
    x, y = cube.wcs.world_to_pixel_values(small_cubes.RA, small_cubes.DEC)
    assert (x, y) == pytest.approx((3.0, 3.0), abs=1e-6)
    assert all(a.dtype.isnative for a in (cube.flux, cube.ivar, cube.lsf, cube.wave))


@pytest.mark.parametrize(("card", "wanted"), [(2.61, 2.61), (-1.0, np.nan), (None, np.nan)])
def test_width_of_the_point_spread_function(tmp_path, card, wanted):
    """The pipeline writes -1 where it has none."""
    hdus = small_cubes.logcube()
    if card is not None:
        hdus["PRIMARY"].header["RFWHM"] = card
    np.testing.assert_equal(read_cube(small_cubes.write(tmp_path / "c.fits", hdus)).psf_fwhm, wanted)


def test_nothing_is_read_behind_the_images(tmp_path):
    content = small_cubes.as_bytes(small_cubes.logcube())
    start = content.rindex(b"XTENSION=", 0, content.index(b"'GPSF"))
    whole = read_cube(small_cubes.write(tmp_path / "whole.fits", content))
    spoilt = small_cubes.write(tmp_path / "spoilt.fits.gz", content[:start] + b"x" * 5000)
    np.testing.assert_array_equal(read_cube(spoilt).images["z"], whole.images["z"])
    # A megabyte of noise behind the images, and then a cut: the unpacking has stopped before.
    noise = np.random.default_rng(0).bytes(1 << 20)
    packed = gzip.compress(content[:start] + noise, 1)
    cut = small_cubes.write(tmp_path / "cut.fits.gz", packed[: -len(noise) // 4], packed=False)
    np.testing.assert_array_equal(read_cube(cut).flux, whole.flux)


def test_images_that_are_not_needed_are_passed(tmp_path):
    path = small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube())
    hdus = read_hdus(path, {"FLUX", "WAVE"}, [("WAVE",)])
    assert list(hdus) == ["PRIMARY", "FLUX", "IVAR", "MASK", "LSFPOST", "LSFPRE", "WAVE"]
    assert [n for n, h in hdus.items() if h.data is not None] == ["FLUX", "WAVE"]
    assert hdus["LSFPRE"].header["NAXIS3"] == small_cubes.WAVE.size


def test_numbers_are_those_that_astropy_reads(tmp_path):
    rng = np.random.default_rng(1)
    scaled = fits.ImageHDU(rng.integers(0, 60000, (4, 5), dtype=np.uint16), name="U")
    packed = fits.ImageHDU(rng.normal(0, 9, (4, 5)), name="S")
    packed.scale("int16", bscale=0.01, bzero=3.0)
    kinds = ("u1", "i2", "i4", "i8", "f4", "f8")
    others = [fits.ImageHDU(rng.integers(0, 99, (3, 2, 7)).astype(k), name=k) for k in kinds]
    path = tmp_path / "n.fits"
    fits.HDUList([fits.PrimaryHDU(), scaled, packed, *others]).writeto(path)
    names = ["U", "S", *(k.upper() for k in kinds)]
    found = read_hdus(path, names)
    with fits.open(path) as expected:
        for name in names:
            np.testing.assert_allclose(found[name].data, expected[name].data, rtol=1e-6, atol=1e-6)
            assert found[name].data.dtype.isnative
    assert found["U"].data.dtype.kind == "i"


@pytest.mark.parametrize(("bit", "is_data"), [(0, False), (1, True), (2, False), (3, False), (10, False), (5, True)])
def test_only_fatal_bits_remove_data(tmp_path, bit, is_data):
    hdus = small_cubes.logcube()
    hdus["MASK"].data[:, 1, 2] = 1 << bit
    cube = read_cube(small_cubes.write(tmp_path / "c.fits", hdus))
    assert cube.good[:, 1, 2].all() == cube.good[:, 1, 2].any() == is_data
    assert cube.good.sum() == cube.good.size - (0 if is_data else small_cubes.WAVE.size)
    assert cube.foreground[1, 2] == (bit == 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLUX", np.nan),
        ("FLUX", np.inf),
        ("IVAR", 0),
        ("IVAR", -1),
        ("IVAR", np.nan),
        ("LSFPOST", 0),
        ("LSFPOST", np.nan),
    ],
)
def test_pixels_without_a_measurement_are_no_data(tmp_path, name, value):
    hdus = small_cubes.logcube()
    hdus[name].data[7, 1, 2] = value
    cube = read_cube(small_cubes.write(tmp_path / "c.fits", hdus))
    assert np.argwhere(~cube.good).tolist() == [[7, 1, 2]]


def test_memory_is_that_of_the_four_cubes(tmp_path):
    shape = (1500, 24, 24)
    hdus = fits.HDUList([fits.PrimaryHDU(), *(h for h in small_cubes.logcube()[1:7])])
    hdus[0].header["PLATEIFU"] = small_cubes.PLATEIFU
    for hdu in hdus[1:6]:
        hdu.data = np.ones(shape, hdu.data.dtype) * hdu.data.flat[0]
    hdus["WAVE"].data = 3621.6 * 10 ** (1e-4 * np.arange(shape[0]))
    path = small_cubes.write(tmp_path / "c.fits.gz", hdus)
    one = 4 * np.prod(shape)
    read_cube(path)
    tracemalloc.start()
    cube = read_cube(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert cube.flux.nbytes == one
    # FLUX, IVAR, MASK and line spread; a fifth while bits of the mask are looked at; one byte per pixel twice.
    assert peak < 5.75 * one


def test_a_file_of_another_kind_is_named_with_what_it_holds(tmp_path):
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((2, 2)), name="SCI")])
    with pytest.raises(
        CubeError, match=r"c\.fits holds the HDUs PRIMARY, SCI: neither.*Correct the file, or the columns"
    ):
        read_cube(small_cubes.write(tmp_path / "c.fits", hdus))


def muse_hdus(**cards):
    """A MUSE cube of flat spectra; a card given as None is missing."""
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CD1_1": -0.2 / 3600, "CD2_2": 0.2 / 3600}
    header |= {"CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRPIX3": 1, "CRVAL3": 4750.0, "CD3_3": 1.25}
    header |= {"BUNIT": "10**(-20)*erg/s/cm**2/Angstrom"} | cards
    data, stat = (fits.ImageHDU(np.ones((400, 2, 3), "f4"), name=name) for name in ("DATA", "STAT"))
    data.header.update({key: value for key, value in header.items() if value is not None})
    return fits.HDUList([fits.PrimaryHDU(), data, stat])


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"CRVAL3": None}, "CRVAL3 is missing"),
        ({"CRVAL3": -4750.0}, "no MUSE cube has"),
        ({"CD3_3": -1.25}, "no MUSE cube has"),
        ({"CTYPE1": None, "CTYPE2": None}, "no celestial frame"),
        ({"CRPIX3": "one"}, "CRPIX3 is 'one'; a number is needed"),
    ],
)
def test_muse_headers_that_say_too_little(tmp_path, cards, reason):
    assert read_cube(small_cubes.write(tmp_path / "good.fits", muse_hdus())).good.any()
    with pytest.raises(CubeError, match=rf"m\.fits.*{reason}.*Give the cube as MUSE's pipeline writes it"):
        read_cube(small_cubes.write(tmp_path / "m.fits", muse_hdus(**cards)))


def test_muse_pixels_that_single_precision_cannot_hold_are_no_data(tmp_path):
    """Of 400 pixels, every hundredth: too certain, too uncertain, too bright; and their neighbours, which share light."""
    hdus = muse_hdus()
    hdus["STAT"].data[100], hdus["STAT"].data[200], hdus["DATA"].data[300] = 1e-45, 3e38, 3e38
    hdus["STAT"].header["BUNIT"] = "(10**(-20)*erg/s/cm**2/Angstrom)**2"
    cube = read_cube(small_cubes.write(tmp_path / "m.fits", hdus))
    bright = read_cube(small_cubes.write(tmp_path / "b.fits", muse_hdus(BUNIT="10**(20)*erg/s/cm**2/Angstrom")))
    for one in (cube, bright):
        assert np.isfinite(one.flux).all() and np.isfinite(one.ivar).all()
        assert (one.ivar[one.good] > 0).all()
    assert cube.good.mean() > 0.95 and not bright.good.any()


def test_muse_cubes_that_disagree(tmp_path):
    hdus = muse_hdus()
    hdus["STAT"].data = np.ones((400, 3, 2), "f4")
    with pytest.raises(CubeError, match=r"m\.fits.*DATA, STAT disagree in shape"):
        read_cube(small_cubes.write(tmp_path / "m.fits", hdus))


def test_single_spectra(tmp_path):
    flux = np.arange(600.0, dtype=np.float32).reshape(2, 300)
    images = {"WAVE": small_cubes.WAVE, "FLUX": flux, "IVAR": flux * 0 + 4, "MASK": flux.astype("i4") * 0}
    images |= {"SRES": flux * 0 + 1900}
    # Resolving powers near zero, in single and double precision, are as little known as negative ones.
    images["SRES"] = images["SRES"].astype(float)
    images["IVAR"][1, 5], images["SRES"][1, 6:9] = np.nan, (-1, 1e-40, 1e-310)
    hdus = fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(v, name=n) for n, v in images.items())])
    path = small_cubes.write(tmp_path / "s.fits.gz", hdus)
    cube = read_cube(path, 1)
    np.testing.assert_array_equal(cube.flux[:, 0, 0], flux[1])
    assert np.flatnonzero(~cube.good).tolist() == [5, 6, 7, 8]
    for row in (2, -1):
        with pytest.raises(
            CubeError, match=rf"s\.fits\.gz.*asks for spectrum {row}; the file has 2.*columns 'path' and 'spectrum'"
        ):
            read_cube(path, row)
    hdus["WAVE"].data = small_cubes.WAVE[:-1]
    with pytest.raises(CubeError, match="disagree in shape"):
        read_cube(small_cubes.write(path, hdus), 1)
