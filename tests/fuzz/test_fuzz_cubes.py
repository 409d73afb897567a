"""Cubes of any header and content: the numbers that they hold in mangrove's units, or a CubeError; never a crash."""

import gzip

import numpy as np
import pytest
import small_cubes
from astropy.io import fits
from fuzzing import VALUES, damaged, fuzzed, outcome, put_file, with_card
from hypothesis import example, given
from hypothesis import strategies as st

from mangrove.errors import CubeError
from mangrove.physics.wavelengths import C_KMS, air_to_vacuum
from mangrove.survey.bitmasks import FATAL
from mangrove.survey.cube import Cube
from mangrove.survey.readers.reading import read_cube

N_WAVE, SIDE = 60, 3
WAVE = 4000.0 * 10 ** (1e-4 * np.arange(N_WAVE))
#: Cards that say what arrays are, how large, in which unit and frame, and where they lie on the sky.
CARDS = [
    *("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT", "XTENSION", "EXTNAME", "EXTEND"),
    *("BUNIT", "BSCALE", "BZERO", "BLANK", "FSCALE", "HDUCLAS2", "HDUCLAS3", "MASKNAME", "INHERIT", "PLATEIFU"),
    *("CTYPE1", "CTYPE3", "CUNIT1", "CUNIT3", "CRVAL1", "CRVAL3", "CRPIX1", "CRPIX3", "CD1_1", "CD2_2", "CD3_3"),
    *("CDELT3", "PC3_3", "RADESYS", "EQUINOX", "SPECSYS", "AIRORVAC", "VACUUM", "DRP3QUAL", "VERSDRP3", "RFWHM"),
]
WORDS = [
    "'erg/s/cm2/nm'",
    "'Jy'",
    "'AWAV'",
    "'MSE'",
    "'WAVE-LOG'",
    "'nm'",
    "'km/s'",
    "-32",
    "-64",
    "16",
    "1e-30",
    "'FLUX'",
]


def cut(hdus: fits.HDUList) -> fits.HDUList:
    """A LOGCUBE of few pixels."""
    for hdu in hdus:
        if isinstance(hdu, fits.ImageHDU) and hdu.data.ndim in (1, 3):
            hdu.data = hdu.data[:N_WAVE, :SIDE, :SIDE] if hdu.data.ndim == 3 else hdu.data[:N_WAVE]
        elif isinstance(hdu, fits.ImageHDU):
            hdu.data = hdu.data[:SIDE, :SIDE]
    hdus["WAVE"].data = WAVE.copy()
    return hdus


def muse(wave=None, unit="Angstrom", scale=1.0, ctype="AWAV", flux=1.0, bunit="10**(-20)*erg/s/cm**2/Angstrom"):
    """A MUSE cube, of linear wavelengths."""
    wave = 5000.0 + 1.25 * np.arange(N_WAVE) if wave is None else wave
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CTYPE3": ctype,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CUNIT3": unit,
    }
    cards |= {"CRVAL1": 150.0, "CRVAL2": 20.0, "CRPIX1": 2.0, "CRPIX2": 2.0, "CD1_1": -5.6e-5, "CD2_2": 5.6e-5}
    cards |= {"CRVAL3": wave[0] * scale, "CRPIX3": 1.0, "CD3_3": (wave[1] - wave[0]) * scale, "BUNIT": bunit}
    cards |= {"CD1_2": 0.0, "CD2_1": 0.0, "CD1_3": 0.0, "CD3_1": 0.0, "CD2_3": 0.0, "CD3_2": 0.0}
    values = np.broadcast_to(np.asarray(flux)[..., None, None], (N_WAVE, SIDE, SIDE)).astype(np.float32)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(values, name="DATA"), fits.ImageHDU(np.ones_like(values), name="STAT")]
    hdus[1].header.update(cards)
    hdus[2].header.update(cards | {"BUNIT": "(10**(-20)*erg/s/cm**2/Angstrom)**2"})
    return fits.HDUList(hdus)


def single_spectra():
    """A file of three MaNGA spectra."""
    shape = (3, N_WAVE)
    arrays = {"FLUX": np.ones(shape), "IVAR": np.ones(shape), "MASK": np.zeros(shape, np.int32)}
    arrays |= {"WAVE": WAVE, "SRES": np.full(shape, 1900.0)}
    return fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(values, name=name) for name, values in arrays.items())])


SEEDS = {
    **{release: small_cubes.as_bytes(cut(small_cubes.logcube(release))) for release in ("dr15", "dr17")},
    "muse": small_cubes.as_bytes(muse()),
    "spectra": small_cubes.as_bytes(single_spectra()),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cubes") / "cube.fits"


def read(place, content: bytes) -> Cube | None:
    """The cube of a file, if it is read, whose numbers are then fit for use."""
    put_file(place, content)
    cube = outcome(CubeError, read_cube, place, 0)
    if cube is not None:
        assert np.isfinite(cube.wave).all() and (np.diff(cube.wave) > 0).all() and 1000 < cube.wave[0] < 1e5
        assert cube.flux.shape == cube.ivar.shape == cube.good.shape == (cube.wave.size, *cube.flux.shape[1:])
        good = np.broadcast_to(cube.good, cube.flux.shape)
        lsf = np.broadcast_to(cube.lsf.reshape(cube.wave.size, *cube.lsf.shape[1:] or (1, 1)), cube.flux.shape)
        assert np.isfinite(cube.flux[good]).all()
        assert np.isfinite(cube.ivar[good]).all() and (cube.ivar[good] > 0).all()
        assert np.isfinite(lsf[good]).all() and (lsf[good] > 0).all()
        assert np.isfinite(cube.pixel_scale) and cube.pixel_scale > 0
    return cube


@fuzzed(40, 8.0)
@given(content=damaged(list(SEEDS.values()), head=30_000), packed=st.booleans())
def test_damaged_files(place, content, packed):
    read(place, gzip.compress(content, 1, mtime=0) if packed else content)


@fuzzed(60, 18.0)
@given(
    seed=st.sampled_from([*SEEDS]),
    changes=st.lists(
        st.tuples(st.sampled_from(CARDS), st.sampled_from(VALUES + WORDS), st.integers(0, 12)), min_size=1, max_size=3
    ),
)
@example(seed="dr17", changes=[("BUNIT", "'(9,9,9,9)'", 8)])
@example(seed="spectra", changes=[("INHERIT", "NaN", 3)])
@example(seed="dr17", changes=[("CTYPE1", "NaN", 1)])
def test_cards_of_other_meaning(place, seed, changes):
    content = SEEDS[seed]
    for key, value, nth in changes:
        content = with_card(content, key, value, nth)
    read(place, content)


FLUXES = {
    "": 1.0,
    "1E-17 erg/s/cm^2/Ang/spaxel": 1.0,
    "erg/s/cm2/Angstrom": 1e-17,
    "1e-20 erg/s/cm2/AA": 1e3,
    "W/m2/um": 1e-16,
    "erg/s/cm2/nm": 1e-16,
}
LENGTHS = {"": 1.0, "Angstrom": 1.0, "nm": 0.1, "um": 1e-4, "m": 1e-10}
POWERS = {"": -2, "INVMSE": -2, "MSE": 2, "RMSE": 1, "INVRMSE": -1}


@fuzzed(50, 80.0)
@given(
    flux_unit=st.sampled_from([*FLUXES]),
    wave_unit=st.sampled_from([*LENGTHS]),
    lsf_unit=st.sampled_from([*LENGTHS, "km/s", "m/s"]),
    errors=st.sampled_from([*POWERS]),
    double=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
    reverse=st.booleans(),
)
def test_one_cube_in_any_unit(place, flux_unit, wave_unit, lsf_unit, errors, double, seed, reverse):
    """Flux, errors, wavelengths, line spread and mask are those that were written, whatever they were written in."""
    rng = np.random.default_rng(seed)
    shape = (N_WAVE, SIDE, SIDE)
    flux, sigma, lsf = rng.normal(5.0, 3.0, shape), rng.uniform(0.1, 5.0, shape), rng.uniform(0.8, 2.0, shape)
    bad = {name: rng.uniform(size=shape) < 0.1 for name in ("flux", "error", "mask", "lsf")}
    hdus = cut(small_cubes.logcube())
    scale = FLUXES[flux_unit]
    kind = np.float64 if double or scale < 1e-10 else np.float32
    power = POWERS[errors]
    hdus["FLUX"].data = np.where(bad["flux"], rng.choice([np.nan, np.inf, -np.inf]), flux * scale).astype(kind)
    hdus["IVAR"].data = np.where(bad["error"], rng.choice([0.0, -1.0, np.nan]), (sigma * scale) ** power).astype(
        np.float64
    )
    fatal = int(FATAL) & -int(FATAL)
    hdus["MASK"].data = np.where(bad["mask"], fatal, 0).astype(np.int32)
    speed = {"km/s": 1.0, "m/s": 1e3}.get(lsf_unit)
    spread = lsf / WAVE[:, None, None] * C_KMS * speed if speed else lsf * LENGTHS[lsf_unit]
    hdus["LSFPOST"].data = np.where(bad["lsf"], rng.choice([0.0, np.nan]), spread)
    hdus["WAVE"].data = WAVE * LENGTHS[wave_unit]
    for name, unit in (("FLUX", flux_unit), ("IVAR", ""), ("LSFPOST", lsf_unit), ("WAVE", wave_unit)):
        hdus[name].header.remove("BUNIT", ignore_missing=True)
        if unit:
            hdus[name].header["BUNIT"] = unit
    if errors:
        hdus["IVAR"].header["HDUCLAS3"] = errors
    if reverse:
        hdus = fits.HDUList([hdus[0], *reversed(hdus[1:])])
    cube = read(place, small_cubes.as_bytes(hdus))
    assert cube is not None
    good = ~(bad["flux"] | bad["error"] | bad["mask"] | bad["lsf"])
    np.testing.assert_array_equal(cube.good, good)
    np.testing.assert_allclose(cube.wave, WAVE, rtol=1e-9)
    for values, truth in ((cube.flux, flux), (cube.ivar, sigma**-2), (cube.lsf, lsf)):
        np.testing.assert_allclose(values[good], truth[good], rtol=3e-6, atol=1e-6)


@fuzzed(30, 40.0)
@given(
    air=st.booleans(),
    length=st.sampled_from([name for name in LENGTHS if name]),
    flux_unit=st.sampled_from(["10**(-20)*erg/s/cm**2/Angstrom", "1e-17 erg/s/cm2/Angstrom"]),
    place_of_line=st.floats(5015.0, 5055.0),
    height=st.floats(1.0, 1e4),
)
def test_one_line_in_any_frame_and_unit(place, air, length, flux_unit, place_of_line, height):
    """A line has its vacuum wavelength and its flux, whether the axis is in air or in vacuum."""
    wave = 5000.0 + 1.25 * np.arange(N_WAVE)
    truth = float(air_to_vacuum(np.array([place_of_line]))[0]) if air else place_of_line
    flux = height * (1.0 + 10.0 * np.exp(-0.5 * ((wave - place_of_line) / 3.0) ** 2))
    scale = {"10**(-20)*erg/s/cm**2/Angstrom": 1e3}.get(flux_unit, 1.0)
    hdus = muse(wave, length, LENGTHS[length], "AWAV" if air else "WAVE", flux * scale, flux_unit)
    hdus["STAT"].header["BUNIT"] = f"({flux_unit})2" if scale == 1.0 else f"({flux_unit})**2"
    cube = read(place, small_cubes.as_bytes(hdus))
    assert cube is not None
    line = cube.flux[:, 1, 1].astype(float) - height
    found = (line * cube.wave).sum() / line.sum()
    width = np.gradient(cube.wave)
    assert found == pytest.approx(truth, abs=0.06)
    assert (line * width).sum() == pytest.approx(10.0 * height * 3.0 * np.sqrt(2 * np.pi), rel=5e-3)
