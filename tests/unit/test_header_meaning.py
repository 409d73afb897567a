"""Every card that changes what a number means is used, to the right value, or refused by its name: in each reader."""

import io

import numpy as np
import pytest
import small_cubes
from astropy import units as u
from astropy.coordinates import FK4, SkyCoord
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.physics.wavelengths import air_to_vacuum
from mangrove.survey.readers.reading import read_cube

WAVE_AIR = 4750.0 + 1.25 * np.arange(1200)
FLUX, ERROR = 8.0, 0.5
#: Rebinning in MUSE changes flux densities and errors by the width of a pixel in vacuum, 0.03 %, and its covariance, 0.2 %.
EXACT = 3e-3
MUSE_UNIT = "10**(-20)*erg/s/cm**2/Angstrom"


def logcube():
    """A LOGCUBE of flux 8 and error 0.5."""
    hdus = small_cubes.logcube()
    for name, value in (("FLUX", FLUX), ("IVAR", ERROR**-2)):
        hdus[name].data[:] = value
        del hdus[name].header["BUNIT"]
    return hdus


def spectra():
    """A file of two single spectra of the same values."""
    shape = (2, small_cubes.WAVE.size)
    arrays = {"WAVE": small_cubes.WAVE, "FLUX": np.full(shape, FLUX, "f4"), "IVAR": np.full(shape, ERROR**-2, "f4")}
    arrays |= {"MASK": np.zeros(shape, "i4"), "SRES": np.full(shape, 1900.0)}
    return fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(v, name=n) for n, v in arrays.items())])


def muse(spectrum=None, **cards):
    """A MUSE cube of the same values in its own unit; a card given as None is missing."""
    spectrum = np.full(WAVE_AIR.size, FLUX) if spectrum is None else spectrum
    data = (1e3 * spectrum[:, None, None] * np.ones((1, 4, 5))).astype("f4")
    hdus = [fits.ImageHDU(data, name="DATA"), fits.ImageHDU(np.full(data.shape, (1e3 * ERROR) ** 2, "f4"), name="STAT")]
    header = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRPIX1": 3.0,
        "CRPIX2": 2.0,
    }
    header |= {"CRVAL1": 150.0, "CRVAL2": 20.0, "CD1_1": -0.2 / 3600, "CD2_2": 0.2 / 3600, "CTYPE3": "AWAV"}
    header |= {"CUNIT3": "Angstrom", "CRPIX3": 1.0, "CRVAL3": 4750.0, "CD3_3": 1.25, "BUNIT": MUSE_UNIT} | cards
    hdus[0].header.update({key: value for key, value in header.items() if value is not None})
    return fits.HDUList([fits.PrimaryHDU(), *hdus])


#: Of each reader: its file, and the names of flux and error.
READERS = {"LOGCUBE": (logcube, "FLUX", "IVAR"), "spectra": (spectra, "FLUX", "IVAR"), "MUSE": (muse, "DATA", "STAT")}
every_reader = pytest.mark.parametrize("kind", READERS)


@pytest.fixture
def read(tmp_path):
    """A function: the cube of HDUs or bytes."""

    def reads(content):
        return read_cube(small_cubes.write(tmp_path / "c.fits", content), 1)

    return reads


def made(kind):
    make, flux, error = READERS[kind]
    hdus = make()
    return hdus, hdus[flux], hdus[error]


def median_flux_and_error(cube):
    assert cube.good.any()
    return np.median(cube.flux[cube.good]), np.median(cube.ivar[cube.good].astype(float) ** -0.5)


# --- the unit of the flux

UNITS = {
    "1E-17 erg/s/cm^2/Ang/spaxel": 1.0,
    "erg/s/cm^2/Ang/spaxel": 1e17,
    "1E-16 erg/s/cm^2/Ang": 10.0,
    MUSE_UNIT: 1e-3,
    "10**(-20) erg s**-1 cm**-2 Angstrom**-1": 1e-3,
    "1e-18 ergs/s/cm2/A": 0.1,
    "W m-2 um-1": 1e16,
    "erg/s/cm2/nm": 1e16,
}
NO_FLUXES = (
    "ct",
    "Jy",
    "electron/s",
    "1E-17 erg/s/cm^2",
    "1E-17 erg/s/cm^2/Ang/arcsec^2",
    "1E-17 erg/s/cm^2/Ang/fiber",
)


@every_reader
@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_of_the_flux_is_applied_to_fluxes_and_to_errors_in_it(read, kind, unit):
    hdus, flux, error = made(kind)
    # The same light in another unit; the errors follow without a unit of their own.
    factor = UNITS[unit] / (1e-3 if kind == "MUSE" else 1.0)
    flux.data, flux.header["BUNIT"] = flux.data / factor, unit
    error.data = error.data.astype(float) * factor ** (2 if kind != "MUSE" else -2)
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


@every_reader
@pytest.mark.parametrize("unit", NO_FLUXES)
def test_a_unit_of_something_else_is_refused(read, kind, unit):
    hdus, flux, _ = made(kind)
    flux.header["BUNIT"] = unit
    with pytest.raises(CubeError, match=rf"BUNIT of HDU {flux.name} is '{unit.replace('^', '.')}'.*Convert"):
        read(hdus)


@every_reader
def test_the_unit_may_stand_in_the_primary_header(read, kind):
    hdus, flux, error = made(kind)
    hdus[0].header["BUNIT"] = "erg/s/cm^2/Ang"
    if "BUNIT" in flux.header:
        del flux.header["BUNIT"]
    factor = 1e20 if kind == "MUSE" else 1e17
    flux.data = flux.data / factor
    error.data = error.data.astype(float) * factor ** (2 if kind != "MUSE" else -2)
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


# --- what an error array holds

FORMS = {"MSE": 2, "RMSE": 1, "INVMSE": -2, "INVRMSE": -1}


@every_reader
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("with_unit", [False, True])
def test_errors_are_what_hduclas3_says(read, kind, form, with_unit):
    hdus, _, error = made(kind)
    own = 1e3 if kind == "MUSE" else 1.0
    error.data[:] = (ERROR * own) ** FORMS[form]
    error.header.update({"HDUCLAS2": "ERROR", "HDUCLAS3": form})
    if with_unit:
        error.header["BUNIT"] = f"({MUSE_UNIT if kind == 'MUSE' else '1E-17 erg/s/cm^2/Ang/spaxel'})**({FORMS[form]})"
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


@every_reader
def test_errors_have_a_unit_of_their_own(read, kind):
    hdus, _, error = made(kind)
    power = 2 if kind == "MUSE" else -2
    error.data[:] = ERROR**power * 1e-2**power
    error.header["BUNIT"] = f"(1E-15 erg/s/cm^2/Ang/spaxel)^{power}"
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


@pytest.mark.parametrize(
    "unit",
    [
        "(10**(-20)*erg/s/cm**2/Angstrom)**2",
        "10**(-20)*erg/s/cm**2/Angstrom**2",
        "10**(-40)*erg**2/s**2/cm**4/Angstrom**2",
    ],
)
def test_variances_of_muse_as_its_programs_write_their_unit(read, unit):
    hdus = muse()
    hdus["STAT"].header["BUNIT"] = unit
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


def test_a_variance_of_muse_may_be_an_inverse_variance_by_its_unit(read):
    hdus = muse()
    hdus["STAT"].data = 1.0 / hdus["STAT"].data
    hdus["STAT"].header["BUNIT"] = f"({MUSE_UNIT})**(-2)"
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


@pytest.mark.parametrize(
    ("kind", "cards"),
    [
        ("LOGCUBE", {"BUNIT": "(1E-17 erg/s/cm^2/Ang/spaxel)^2"}),
        ("LOGCUBE", {"BUNIT": "1E-16 erg/s/cm^2/Ang/spaxel"}),
        ("LOGCUBE", {"HDUCLAS2": "ERROR", "HDUCLAS3": "MSE", "BUNIT": "1/(1E-17 erg/s/cm^2/Ang/spaxel)^2"}),
        ("LOGCUBE", {"HDUCLAS2": "ERROR", "HDUCLAS3": "POISSON"}),
        ("LOGCUBE", {"BUNIT": "ct"}),
        ("spectra", {"BUNIT": "(1E-17 erg/s/cm^2/Ang/spaxel)^2"}),
        ("MUSE", {"BUNIT": MUSE_UNIT}),
        ("MUSE", {"BUNIT": "ct**2"}),
        ("MUSE", {"HDUCLAS3": "RMSE", "BUNIT": f"({MUSE_UNIT})**2"}),
    ],
)
def test_errors_that_contradict_themselves_are_refused(read, kind, cards):
    hdus, _, error = made(kind)
    error.header.update(cards)
    with pytest.raises(CubeError, match=rf"(HDU {error.name} is|HDU {error.name} has|of HDU {error.name}).*'"):
        read(hdus)


def test_a_unit_copied_from_the_flux_says_nothing_of_an_inverse_variance(read):
    hdus = logcube()
    for name in ("FLUX", "IVAR", "LSFPOST"):
        hdus[name].header["BUNIT"] = "1E-17 erg/s/cm^2/Ang/spaxel"
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)


@every_reader
@pytest.mark.parametrize("hdu", ["PRIMARY", "flux", "error"])
def test_a_factor_beside_the_unit_is_refused(read, kind, hdu):
    hdus, flux, error = made(kind)
    changed = {"PRIMARY": hdus[0], "flux": flux, "error": error}[hdu]
    changed.header["FSCALE"] = 1.0
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX, ERROR), rel=EXACT)
    changed.header["FSCALE"] = 10.0
    with pytest.raises(CubeError, match=f"FSCALE of HDU {changed.name or 'PRIMARY'} is 10"):
        read(hdus)


@every_reader
@pytest.mark.parametrize(("hdu", "content"), [("flux", "ERROR"), ("flux", "QUALITY"), ("error", "QUALITY")])
def test_an_array_that_is_another_by_its_header_is_refused(read, kind, hdu, content):
    hdus, flux, error = made(kind)
    changed = flux if hdu == "flux" else error
    changed.header["HDUCLAS2"] = content
    with pytest.raises(CubeError, match=f"HDUCLAS2 of HDU {changed.name} is '{content}'"):
        read(hdus)


@every_reader
def test_an_unknown_form_of_errors_is_refused(read, kind):
    hdus, _, error = made(kind)
    error.header["HDUCLAS3"] = "POISSON"
    with pytest.raises(CubeError, match=f"HDUCLAS3 of HDU {error.name} is 'POISSON'"):
        read(hdus)


@pytest.mark.parametrize(
    ("unit", "factor"), [("1E-18 erg/s/cm^2/Ang", 0.1), ("1E-16 erg/s/cm^2/Ang", 10.0), (None, 1.0)]
)
@pytest.mark.parametrize(("form", "stored"), [("INVMSE", 4), ("RMSE", 4), ("MSE", 4)])
def test_whole_numbers_of_single_spectra_are_scaled_as_floats_are(read, unit, factor, form, stored):
    hdus = spectra()
    shape = hdus["FLUX"].data.shape
    hdus[hdus.index_of("FLUX")] = fits.ImageHDU(np.full(shape, int(FLUX), "i2"), name="FLUX")
    hdus[hdus.index_of("IVAR")] = fits.ImageHDU(np.full(shape, stored, "i2"), name="IVAR")
    if unit:
        hdus["FLUX"].header["BUNIT"] = unit
    hdus["IVAR"].header["HDUCLAS3"] = form
    wanted = stored ** {"INVMSE": -0.5, "RMSE": 1.0, "MSE": 0.5}[form]
    assert median_flux_and_error(read(hdus)) == pytest.approx((FLUX * factor, wanted * factor), rel=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("LOGCUBE", "MASK"), ("spectra", "MASK"), ("MUSE", "DQ")])
def test_masks_of_another_kind_are_refused(read, kind, name):
    hdus, flux, _ = made(kind)
    if name not in hdus:
        hdus.append(fits.ImageHDU(np.zeros(flux.data.shape, "i4"), name=name))
    hdus[name].header["HDUCLAS3"] = "FLAG32BIT"
    assert read(hdus).good.all()
    hdus[name].header["HDUCLAS3"] = "MASKONE"
    with pytest.raises(CubeError, match=f"HDU {name} is a mask of two values according to HDUCLAS3"):
        read(hdus)
    if name == "MASK":
        hdus[name].header["HDUCLAS3"] = "FLAG32BIT"
        hdus[name].header["MASKNAME"] = "MANGA_DAPSPECMASK"
        with pytest.raises(CubeError, match="bits of MANGA_DAPSPECMASK according to MASKNAME"):
            read(hdus)
        del hdus[name].header["MASKNAME"]
        hdus[0].header["MASKNAME"] = "MANGA_DRP2PIXMASK"
        with pytest.raises(CubeError, match="bits of MANGA_DRP2PIXMASK according to MASKNAME"):
            read(hdus)


def test_flags_are_flags_whatever_the_header_calls_them(read):
    hdus = logcube()
    hdus["MASK"].data[:, 1, 2] = 1 << 10
    hdus["MASK"].header["HDUCLAS3"] = "MASKZERO"
    cube = read(hdus)
    assert not cube.good[:, 1, 2].any() and cube.good.sum() == cube.good.size - small_cubes.WAVE.size


def test_a_scale_beside_the_unit_is_refused(read):
    hdus = muse(FSCALE=10.0)
    with pytest.raises(CubeError, match="FSCALE of HDU DATA is 10"):
        read(hdus)


# --- whole numbers, scaled and blank


def packed(values, scale, undefined):
    """An HDU's content as 16-bit whole numbers with BSCALE and BLANK, and some pixels undefined."""
    whole = np.round(values / scale).astype(">i2")
    whole[..., *undefined] = -32768
    return whole


@every_reader
@pytest.mark.parametrize("which", ["flux", "error"])
@pytest.mark.parametrize("zero", [0.0, 3.0])
def test_blank_pixels_are_no_data_and_the_others_are_scaled(tmp_path, kind, which, zero):
    hdus, flux, error = made(kind)
    hdu = flux if which == "flux" else error
    scale = np.abs(hdu.data).max() / 2000.0
    undefined = (7,) if hdu.data.ndim == 2 else (2, 2)
    whole = packed(hdu.data - zero, scale, undefined)
    # astropy packs no such pixels itself: the header is put on afterwards.
    hdu.data = whole.astype("i2")
    content = small_cubes.as_bytes(hdus)
    cards = [f"BSCALE  = {scale:20.12E}", f"BZERO   = {zero:20.1f}", f"BLANK   = {-32768:20d}"]
    cube = read_cube(small_cubes.write(tmp_path / "c.fits", with_cards(content, hdu.name, cards)), 1)
    blank = (7, 0, 0) if kind == "spectra" else (slice(None), 2, 2)
    assert not cube.good[blank].any()
    assert cube.good.sum() == cube.good.size - np.size(cube.good[blank])
    assert median_flux_and_error(cube) == pytest.approx((FLUX, ERROR), rel=2e-3)


def test_undefined_flags_are_no_data(tmp_path):
    hdus = logcube()
    hdus["MASK"].data[:, 1, 2] = -1
    content = with_cards(small_cubes.as_bytes(hdus), "MASK", [f"BLANK   = {-1:20d}"])
    cube = read_cube(small_cubes.write(tmp_path / "c.fits", content))
    assert not cube.good[:, 1, 2].any() and cube.good.sum() == cube.good.size - small_cubes.WAVE.size
    assert not cube.foreground.any()


def with_cards(content, name, cards):
    """The bytes of a file with cards at the end of the header of an HDU."""
    with fits.open(io.BytesIO(content), do_not_scale_image_data=True) as hdus:
        info = hdus[name].fileinfo() if name else hdus[0].fileinfo()
    start, data = info["hdrLoc"], info["datLoc"]
    end = content.rindex(b"END" + b" " * 77, start, data)
    text = b"".join((c if isinstance(c, bytes) else c.encode()).ljust(80) for c in cards)
    header = content[start:end] + text + b"END" + b" " * 77
    return content[:start] + header + b" " * (-len(header) % 2880) + content[data:]


# --- wavelengths


def line(centre_air):
    return 100.0 * np.exp(-0.5 * ((WAVE_AIR - centre_air) / 2.5) ** 2)


STEPS = {
    "CD": {"CD3_3": 1.25},
    "CDELT": {"CD3_3": None, "CDELT3": 1.25, "CD1_1": None, "CD2_2": None, "CDELT1": -0.2 / 3600, "CDELT2": 0.2 / 3600},
    "CDELT x PC": {"CD3_3": None, "CDELT3": 1.0, "PC3_3": 1.25, "CD1_1": None, "CD2_2": None, "CDELT1": -0.2 / 3600,
                   "CDELT2": 0.2 / 3600},
    "nm": {"CUNIT3": "nm", "CRVAL3": 475.0, "CD3_3": 0.125},
    "um": {"CUNIT3": "um", "CRVAL3": 0.475, "CD3_3": 1.25e-4},
    "m": {"CUNIT3": "m", "CRVAL3": 4.75e-7, "CD3_3": 1.25e-10},
    "ANGSTROM": {"CUNIT3": "ANGSTROM"},
    "reference inside": {"CRPIX3": 101.0, "CRVAL3": 4875.0},
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("medium", ["AWAV", "WAVE"])
def test_a_line_lands_at_its_vacuum_wavelength(read, step, medium):
    cube = read(muse(line(5006.84), CTYPE3=medium, **STEPS[step]))
    spectrum = cube.flux[:, 1, 2].astype(float)
    wanted = air_to_vacuum(5006.84) if medium == "AWAV" else 5006.84
    assert np.average(cube.wave, weights=spectrum) == pytest.approx(wanted, abs=0.02)
    # The line's flux, with 2.5 Angstrom of sigma.
    width = np.gradient(cube.wave)
    assert np.sum(spectrum * width) == pytest.approx(100 * 2.5 * np.sqrt(2 * np.pi), rel=1e-3)
    assert cube.pixel_scale == pytest.approx(0.2)


def test_a_logarithmic_scale_of_muse(read):
    wave = 4750.0 * np.exp(2.5e-4 * np.arange(WAVE_AIR.size))
    spectrum = 100.0 * np.exp(-0.5 * ((wave - 5006.84) / 2.5) ** 2)
    cube = read(muse(spectrum, CTYPE3="AWAV-LOG", CD3_3=4750.0 * 2.5e-4))
    flux = cube.flux[:, 1, 2].astype(float)
    assert np.average(cube.wave, weights=flux) == pytest.approx(air_to_vacuum(5006.84), abs=0.02)
    assert np.sum(flux * np.gradient(cube.wave)) == pytest.approx(100 * 2.5 * np.sqrt(2 * np.pi), rel=1e-3)


@pytest.mark.parametrize(
    ("cards", "named"),
    [
        ({"CTYPE3": "VOPT", "CUNIT3": "km/s"}, "VOPT"),
        ({"CTYPE3": "FREQ", "CUNIT3": "Hz"}, "FREQ"),
        ({"CTYPE3": "LINEAR"}, "LINEAR"),
        ({"CTYPE3": None}, "CTYPE3"),
        ({"CUNIT3": None}, "CUNIT3"),
        ({"CUNIT3": "pixel"}, "CUNIT3"),
        ({"CD3_3": None}, "CD3_3"),
        ({"CD3_3": 0.0}, "CD3_3 is missing or 0"),
        ({"CD3_3": None, "CDELT3": 1.25}, "CD3_3 is missing or 0, and CDELT3 is ignored"),
        ({"CD1_1": None, "CDELT1": -0.2 / 3600}, "CD1_1 is missing or 0"),
        ({"PC3_3": 1.25, "CDELT3": 1.0}, "CD1_1 and PC3_3: CD and PC exclude each other"),
        ({"CD3_3": "1.25"}, "CD3_3 is '1.25'"),
        ({"CD1_1": "-0.2"}, "CD1_1 is '-0.2'"),
        ({"CTYPE3": "WAVE", "AIRORVAC": "air"}, "CTYPE3 is 'WAVE', wavelengths in vacuum, but AIRORVAC is 'air'"),
        ({"CTYPE3": "AWAV", "AIRORVAC": "vac"}, "CTYPE3 is 'AWAV', wavelengths in air, but AIRORVAC is 'vac'"),
        ({"CTYPE3": "AWAV", "VACUUM": True}, "but VACUUM is 'True'"),
        ({"CUNIT3": "nm"}, "CUNIT3"),
        ({"CD3_1": 0.01}, "CD3_1"),
        ({"CTYPE1": "AWAV", "CTYPE3": "RA---TAN"}, "CTYPE3"),
        ({"INSTRUME": "SINFONI"}, "INSTRUME is 'SINFONI'"),
    ],
)
def test_wavelengths_of_muse_that_cannot_be_told_are_refused(read, cards, named):
    with pytest.raises(CubeError, match=named):
        read(muse(**cards))


@pytest.mark.parametrize("kind", ["LOGCUBE", "spectra"])
@pytest.mark.parametrize(("unit", "factor"), [("Angstrom", 1.0), ("nm", 0.1), ("um", 1e-4), ("A", 1.0)])
def test_the_unit_of_the_wavelengths_is_applied(read, kind, unit, factor):
    hdus, _, _ = made(kind)
    hdus["WAVE"].data = small_cubes.WAVE * factor
    hdus["WAVE"].header["BUNIT"] = unit
    np.testing.assert_allclose(read(hdus).wave, small_cubes.WAVE, rtol=1e-12)


@pytest.mark.parametrize("kind", ["LOGCUBE", "spectra"])
@pytest.mark.parametrize(
    ("hdu", "cards", "named"),
    [
        ("FLUX", {"CTYPE1": "AWAV-LOG"}, "CTYPE1 of HDU FLUX is 'AWAV-LOG'"),
        ("FLUX", {"CTYPE3": "AWAV-LOG"}, "CTYPE3 of HDU FLUX is 'AWAV-LOG'"),
        ("FLUX", {"CTYPE3": "VELO-LOG"}, "CTYPE3 of HDU FLUX is 'VELO-LOG'"),
        ("WAVE", {"AIRORVAC": "air"}, "AIRORVAC of HDU WAVE is 'air'"),
        ("PRIMARY", {"VACUUM": False}, "VACUUM of HDU PRIMARY is 'False'"),
        ("PRIMARY", {"VACUUM": "no"}, "VACUUM of HDU PRIMARY is 'no'"),
        ("PRIMARY", {"AIRORVAC": "water"}, "AIRORVAC is 'water'"),
        ("WAVE", {"AIRORVAC": "vac", "VACUUM": False}, "AIRORVAC 'vac' and VACUUM 'False' contradict each other"),
        ("WAVE", {"BUNIT": "km/s"}, "BUNIT of HDU WAVE is 'km/s'"),
        ("WAVE", {"BUNIT": "log10(Angstrom)"}, "BUNIT of HDU WAVE"),
        ("WAVE", {"BUNIT": "dex(Angstrom)"}, "BUNIT of HDU WAVE"),
    ],
)
def test_wavelengths_that_are_none_in_vacuum_are_refused(read, kind, hdu, cards, named):
    hdus, _, _ = made(kind)
    hdus[hdu].header.update(cards)
    with pytest.raises(CubeError, match=named.replace("(", r"\(")):
        read(hdus)


@pytest.mark.parametrize("kind", ["LOGCUBE", "spectra"])
def test_wavelengths_in_nanometres_without_a_unit_are_refused(read, kind):
    hdus, _, _ = made(kind)
    hdus["WAVE"].data = small_cubes.WAVE * 0.1
    with pytest.raises(CubeError, match=r"from 362\.16 to .*cannot be Angstrom.*BUNIT of HDU WAVE"):
        read(hdus)


@every_reader
@pytest.mark.parametrize("hdu", ["PRIMARY", "flux"])
def test_the_frame_of_velocities_is_said(read, kind, hdu):
    hdus, flux, _ = made(kind)
    header = hdus[0].header if hdu == "PRIMARY" else flux.header
    for solar in ("BARYCENT", "HELIOCEN", "HELIOCENTRIC", "barycentric"):
        header["SPECSYS"] = solar
        plain = read(hdus)
        assert "SPECSYS" not in plain.notes, solar
    for here in ("TOPOCENT", "Topocentric"):
        header["SPECSYS"] = here
        cube = read(hdus)
        assert "topocentric (SPECSYS)" in cube.notes and "30 km/s" in cube.notes, here
        np.testing.assert_array_equal(cube.wave, plain.wave)
    header["SPECSYS"] = "LSRK"
    assert "in the frame LSRK" in read(hdus).notes
    header["SPECSYS"] = "SOURCE"
    with pytest.raises(CubeError, match=r"SPECSYS is 'SOURCE'.*redshift would count twice"):
        read(hdus)


@pytest.mark.parametrize("kind", ["LOGCUBE", "spectra"])
def test_the_wavelengths_of_manga_may_state_their_frame_themselves(read, kind):
    hdus, _, _ = made(kind)
    hdus["WAVE"].header["SPECSYS"] = "TOPOCENT"
    assert "topocentric (SPECSYS)" in read(hdus).notes
    hdus["WAVE"].header["SPECSYS"] = "SOURCE"
    with pytest.raises(CubeError, match="SPECSYS is 'SOURCE'"):
        read(hdus)


# --- the line spread


@pytest.mark.parametrize(("unit", "factor"), [("Angstrom", 1.0), ("nm", 0.1), (None, 1.0)])
def test_the_unit_of_the_line_spread_is_applied(read, unit, factor):
    hdus = logcube()
    del hdus["LSFPOST"].header["BUNIT"]
    hdus["LSFPOST"].data *= factor
    if unit:
        hdus["LSFPOST"].header["BUNIT"] = unit
    np.testing.assert_allclose(read(hdus).lsf, 1.2, rtol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("km/s", 1.0), ("km s-1", 1.0), ("Km/s", 1.0), ("m/s", 1e3)])
def test_a_line_spread_in_velocity(read, unit, factor):
    hdus = logcube()
    hdus["LSFPOST"].data[:] = 60.0 * factor
    hdus["LSFPOST"].header["BUNIT"] = unit
    np.testing.assert_allclose(read(hdus).lsf[:, 2, 3], 60.0 / 299792.458 * small_cubes.WAVE, rtol=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("LOGCUBE", "LSFPOST"), ("spectra", "SRES")])
def test_a_line_spread_in_pixels_is_refused(read, kind, name):
    hdus, _, _ = made(kind)
    hdus[name].header["BUNIT"] = "pixel"
    with pytest.raises(CubeError, match=f"BUNIT of HDU {name} is 'pixel'"):
        read(hdus)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("LOGCUBE", "LSFPOST", 60.0),
        ("LOGCUBE", "LSFPOST", 1900.0),
        ("LOGCUBE", "LSFPOST", 1.2e-10),
        ("spectra", "SRES", 2.8),
    ],
)
def test_a_line_spread_in_a_unit_that_nothing_states_is_refused(read, kind, name, value):
    hdus, _, _ = made(kind)
    hdus[name].data[:] = value
    with pytest.raises(CubeError, match=f"the LSF in HDU {name} has a median of"):
        read(hdus)


# --- the sky

#: Of each: the cards of a MUSE cube whose spaxel (column 2, row 1 from 0) is at 150, 20 deg and whose rows go north.
AT = {"CRPIX1": 3.0, "CRPIX2": 2.0}
GALACTIC = SkyCoord(150.0, 20.0, unit="deg").galactic
B1950 = SkyCoord(150.0, 20.0, unit="deg").transform_to(FK4(equinox="B1950"))
FRAMES = {
    "SIN": {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"},
    "Galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", "CRVAL1": GALACTIC.l.deg, "CRVAL2": GALACTIC.b.deg},
    "B1950": {"CRVAL1": B1950.ra.deg, "CRVAL2": B1950.dec.deg, "RADESYS": "FK4", "EQUINOX": 1950.0},
    "declination first": {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 20.0, "CRVAL2": 150.0,
                          "CD1_1": None, "CD2_2": None, "CD1_2": 0.2 / 3600, "CD2_1": -0.2 / 3600},
    "rotated": {"CD1_1": 0.0, "CD2_2": 0.0, "CD1_2": 0.2 / 3600, "CD2_1": 0.2 / 3600},
    "arcsec": {"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": 150.0 * 3600, "CRVAL2": 20.0 * 3600, "CD1_1": -0.2,
               "CD2_2": 0.2},
}  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES)
def test_every_frame_gives_the_right_place(read, frame):
    hdus = muse(**FRAMES[frame])
    cube = read(hdus)
    assert cube.wcs.world_to_pixel_values(150.0, 20.0) == pytest.approx((2.0, 1.0), abs=0.01)
    assert cube.pixel_scale == pytest.approx(0.2, rel=1e-3)
    # Against astropy's own sky coordinates, over the field: within a fiftieth of a spaxel.
    from astropy.wcs import WCS

    with fits.open(io.BytesIO(small_cubes.as_bytes(hdus))) as opened:
        truth = WCS(opened["DATA"].header).celestial.pixel_to_world([0, 4, 0, 4], [0, 0, 3, 3]).icrs
    ra, dec = cube.wcs.pixel_to_world_values([0, 4, 0, 4], [0, 0, 3, 3])
    assert SkyCoord(ra, dec, unit="deg").separation(truth).max() < 0.004 * u.arcsec


@pytest.mark.parametrize("kind", ["LOGCUBE", "MUSE"])
@pytest.mark.parametrize(
    ("cards", "named"),
    [
        ({"CD1_1": -0.5 / 3600, "CD2_2": 0.25 / 3600}, "0.5 by 0.25 arcsec"),
        ({"CD1_1": -0.5 / 3600, "CD2_2": 0.5 / 3600, "CD1_2": 0.3 / 3600}, "degrees between their sides"),
        ({"CTYPE1": "XOFFSET", "CTYPE2": "YOFFSET"}, "no celestial frame"),
        ({"EQUINOX": "B1950"}, "EQUINOX is 'B1950'"),
        ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-5}, "distorted .A_ORDER"),
    ],
)
def test_frames_that_are_no_plain_square_grid_are_refused(read, kind, cards, named):
    hdus, flux, _ = made(kind)
    flux.header.update(cards)
    with pytest.raises(CubeError, match=named):
        read(hdus)


@pytest.mark.parametrize(
    ("kind", "hdu", "card", "key"),
    [
        ("MUSE", "DATA", "CD3_3   =                  2.5", "CD3_3"),
        ("MUSE", "DATA", "CTYPE3  = 'WAVE    '", "CTYPE3"),
        ("MUSE", "DATA", "BUNIT   = '1E-17 erg/s/cm^2/Ang'", "BUNIT"),
        ("LOGCUBE", "FLUX", "CRVAL1  =                151.0", "CRVAL1"),
    ],
)
def test_a_card_that_is_there_twice_with_other_values_is_refused(tmp_path, kind, hdu, card, key):
    content = small_cubes.as_bytes(made(kind)[0])
    with pytest.raises(CubeError, match=rf"c\.fits: .*header card {key} appears 2 times with different values"):
        read_cube(small_cubes.write(tmp_path / "c.fits", with_cards(content, hdu, [card])))


# --- files that are not as usual, but FITS


@pytest.mark.filterwarnings("ignore:The following header keyword is invalid")
@every_reader
@pytest.mark.parametrize("card", [b"OBSERVER= 'a\x00b'", b"OBSERVER=\t'x'", b"COMMENT a\nb"])
def test_headers_with_control_characters_are_read(tmp_path, kind, card):
    hdus, flux, _ = made(kind)
    content = with_cards(small_cubes.as_bytes(hdus), flux.name, [card])
    cube = read_cube(small_cubes.write(tmp_path / "c.fits", content), 1)
    assert median_flux_and_error(cube)[0] == pytest.approx(FLUX, rel=EXACT)


@pytest.mark.filterwarnings("ignore:non-ASCII characters:UserWarning")
@every_reader
@pytest.mark.parametrize("coding", ["latin-1", "utf-8"])
def test_headers_outside_ascii_are_read(tmp_path, kind, coding):
    hdus, flux, _ = made(kind)
    content = small_cubes.as_bytes(hdus)
    card = "OBSERVER= 'Núñez   '           / who observed".encode(coding)
    for name in ("", flux.name):
        content = with_cards(content, name, [card])
    assert median_flux_and_error(read_cube(small_cubes.write(tmp_path / "c.fits", content), 1))[0] == pytest.approx(
        FLUX, rel=EXACT
    )


@every_reader
def test_hdus_come_in_any_order(read, kind):
    hdus, _, _ = made(kind)
    backwards = fits.HDUList([hdus[0], *hdus[:0:-1]])
    there, back = read(hdus), read(backwards)
    for name in ("flux", "ivar", "good", "lsf", "wave"):
        np.testing.assert_array_equal(getattr(there, name), getattr(back, name))
    assert list(there.images) == list(back.images)


@every_reader
@pytest.mark.parametrize(
    "rest", [bytes(2880), bytes(100), b" " * 8640, b"x" * 5000], ids=["zeros", "few", "blanks", "text"]
)
def test_bytes_after_the_last_hdu_are_passed_and_said(tmp_path, kind, rest):
    content = small_cubes.as_bytes(made(kind)[0])
    cube = read_cube(small_cubes.write(tmp_path / "c.fits.gz", content + rest), 1)
    assert median_flux_and_error(cube)[0] == pytest.approx(FLUX, rel=EXACT)
    # A LOGCUBE is not read so far.
    assert ("bytes that are not an HDU, which were not read" in cube.notes) == (kind != "LOGCUBE")


@every_reader
def test_a_last_block_that_is_not_filled_is_no_damage(tmp_path, kind):
    hdus, _, error = made(kind)
    last = hdus["WAVE"] if kind == "LOGCUBE" else error
    content = small_cubes.as_bytes(fits.HDUList([hdus[0], *(h for h in hdus[1:] if h is not last), last]))
    padding = -last.data.nbytes % 2880
    assert padding
    path = small_cubes.write(tmp_path / "c.fits", content[: len(content) - padding])
    assert median_flux_and_error(read_cube(path, 1))[0] == pytest.approx(FLUX, rel=EXACT)
    path = small_cubes.write(tmp_path / "c.fits", content[: len(content) - padding - 1])
    with pytest.raises(CubeError, match=f"it ends in HDU {last.name}"):
        read_cube(path, 1)


@pytest.mark.parametrize("inherit", [False, True])
def test_cards_of_the_primary_header_hold_where_an_hdu_inherits_them(read, inherit):
    hdus = muse(**{key: value for key, value in FRAMES["B1950"].items() if key.startswith("CRVAL")})
    hdus[0].header.update({"RADESYS": "FK4", "EQUINOX": 1950.0})
    hdus["DATA"].header["INHERIT"] = inherit
    x, y = read(hdus).wcs.world_to_pixel_values(150.0, 20.0)
    assert (abs(x - 2.0) < 0.01 and abs(y - 1.0) < 0.01) == inherit


def test_an_image_in_the_first_hdu_is_found_by_its_name(read):
    hdus = muse()
    first = fits.PrimaryHDU(hdus["DATA"].data, hdus["DATA"].header)
    assert median_flux_and_error(read(fits.HDUList([first, hdus["STAT"]]))) == pytest.approx((FLUX, ERROR), rel=EXACT)


def test_a_file_that_says_it_is_no_standard_fits_is_refused(tmp_path):
    content = small_cubes.as_bytes(logcube())
    path = small_cubes.write(tmp_path / "c.fits", content[:29] + b"F" + content[30:])
    with pytest.raises(CubeError, match="SIMPLE of its first header is not T"):
        read_cube(path)
