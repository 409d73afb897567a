"""Names, cards, units and values of template libraries that state a property: used, to the right value, or refused."""

import h5py
import numpy as np
import pytest
from astropy.io import fits

from mangrove.errors import TemplateError
from mangrove.physics.wavelengths import air_to_vacuum
from mangrove.ssp.loading import load_library
from mangrove.ssp.miles_names import MilesVariant, parse_variant
from mangrove.ssp.single_files import emiles_fwhm

AIR = 3540.2 + 0.9 * np.arange(4300)
AGE, METALLICITY = np.array([1.0, 10.0]), np.array([-0.4, 0.0])
PLACES = ("Zm0.40T01.0000", "Zm0.40T10.0000", "Zp0.00T01.0000", "Zp0.00T10.0000")
LINE, C_KMS = 5890.0, 299792.458
LINEAR = {"CRVAL1": AIR[0], "CDELT1": 0.9, "CRPIX1": 1.0}


def spectrum(wave):
    """An absorption line at 5890 Angstrom on the given wavelengths; about as bright as old stars are."""
    return 3e-5 * (1.0 - 0.5 * np.exp(-0.5 * ((wave - LINE) / 3.0) ** 2))


@pytest.fixture
def folder(tmp_path):
    """A function: a folder of MILES files with ends of names, cards, and spectra of their own."""

    def make(*ends, wave=AIR, spectral_range="M", scale=1.0, **cards):
        path = tmp_path / "miles"
        path.mkdir(exist_ok=True)
        for end in ends or ("_baseFe",):
            for place in PLACES:
                hdu = fits.PrimaryHDU(spectrum(wave) * scale)
                hdu.header.update({k: v for k, v in (LINEAR | cards).items() if v is not None})
                hdu.writeto(path / f"{spectral_range}ku1.30{place}_iTp0.00{end}.fits", overwrite=True)
        return str(path)

    return make


def line_of(library):
    """Vacuum wavelength of the line."""
    depth = 1.0 - library.flux[0, 0] / library.flux[0, 0].max()
    near = np.abs(library.wave - LINE) < 30
    return np.average(library.wave[near], weights=depth[near])


# --- the line spread in the name


@pytest.mark.parametrize(
    ("end", "wanted"),
    [
        ("_baseFe", lambda _: 2.51),
        ("_baseFe_linear_FWHM_variable", lambda _: 2.51),
        ("_baseFe_linear_FWHM_2.51", lambda _: 2.51),
        ("_baseFe_linear_FWHM_2.50", lambda _: 2.51),
        ("_baseFe_linear_FWHM_5.00", lambda _: 5.0),
        ("_baseFe_FWHM_8.4", lambda _: 8.4),
        ("_fwhm5.00", lambda _: 5.0),
        ("_baseFe_linear_sigma_150", lambda w: w * 150.0 / C_KMS * 2.354820),
        ("_baseFe_linear_R_1000", lambda w: w / 1000.0),
    ],
)
def test_the_line_spread_is_what_the_names_say(folder, end, wanted):
    library = load_library(folder(end))
    np.testing.assert_allclose(library.fwhm, np.broadcast_to(wanted(library.wave), library.wave.shape), rtol=1e-6)


def test_smoothing_does_not_sharpen_the_ends_of_emiles(folder):
    library = load_library(
        folder("_baseFe_linear_FWHM_2.80", spectral_range="E", wave=3400.1 + 0.9 * np.arange(6800), CRVAL1=3400.1)
    )
    own = emiles_fwhm(np.interp(library.wave, air_to_vacuum(library.wave), library.wave))
    np.testing.assert_array_equal(library.fwhm, np.maximum(own, 2.8))
    assert library.fwhm[[0, 3000, -1]] == pytest.approx([3.0, 2.8, 4.48], abs=0.05)


def test_the_header_may_state_the_line_spread(folder):
    np.testing.assert_allclose(load_library(folder(FWHM=4.0)).fwhm, 4.0)


@pytest.mark.parametrize(
    ("ends", "cards", "reason"),
    [
        (("_baseFe_linear_FWHM_5.00", "_baseFe_linear_FWHM_2.51"), {}, "2 kinds .abundances, sampling or resolution"),
        (("_baseFe", "_baseFe_linear_FWHM_5.00"), {}, "2 kinds"),
        (("_baseFe", ""), {}, "2 kinds"),
        (
            ("_baseFe_linear_FWHM_5.00",),
            {"FWHM": 2.51},
            "names state a resolution of 5 .fwhm., but the headers an FWHM of 2.51",
        ),
        (("_baseFe_linear_FWHM_1.00",), {}, "finer than the library's own 2.51"),
        (("_baseFe_z0.10",), {}, "'_z0.10' in the name is not understood"),
        (("_smoothed",), {}, "'_smoothed' in the name is not understood"),
        (("_baseFe_FWHM_5.00_sigma_100",), {}, "not understood"),
        (("_baseFe_log_FWHM_5.00",), {}, "says 'log', but its wavelengths .* are linear"),
        (("_baseFe",), {"spectral_range": "C"}, "resolution of this spectral range is unknown"),
    ],
)
def test_names_that_leave_the_line_spread_open_are_refused(folder, ends, cards, reason):
    with pytest.raises(TemplateError, match=reason):
        load_library(folder(*ends, **cards))


def test_another_range_with_its_line_spread_is_read(folder):
    np.testing.assert_allclose(load_library(folder("_baseFe_linear_FWHM_1.50", spectral_range="C")).fwhm, 1.5)


def test_the_same_population_twice_is_refused(folder, tmp_path):
    path = folder()
    first = tmp_path / "miles" / f"Mku1.30{PLACES[0]}_iTp0.00_baseFe.fits"
    fits.open(first).writeto(f"{first}.gz")
    with pytest.raises(TemplateError, match=r"baseFe\.fits and .*baseFe\.fits\.gz are the same population"):
        load_library(path)


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits", ("_baseFe", None, "", 0.0)),
        ("Eun1.30Zm0.40T00.0631_iPp0.00_baseFe_linear_FWHM_variable.fits", ("_baseFe", False, "", 0.0)),
        ("Mun1.30Zp0.00T12.5893.fits.gz", ("", None, "", 0.0)),
        ("Mku1.30Zp0.06T00.0300_iTp0.00_Ep0.40_log_sigma_60.5.fits", ("_Ep0.40", True, "sigma", 60.5)),
    ],
)
def test_ends_of_names(name, variant):
    assert parse_variant(name) == MilesVariant(*variant)


# --- wavelengths and units of FITS templates

LOG = AIR[0] * np.exp(2e-4 * np.arange(4000))
SCALES = {
    "CDELT1": (AIR, {}),
    "CD1_1": (AIR, {"CDELT1": None, "CD1_1": 0.9}),
    "CDELT1 x PC1_1": (AIR, {"CDELT1": 1.0, "PC1_1": 0.9}),
    "reference inside": (AIR, {"CRVAL1": AIR[99], "CRPIX1": 100.0}),
    "nm": (AIR, {"CRVAL1": AIR[0] / 10, "CDELT1": 0.09, "CUNIT1": "nm"}),
    "CTYPE1 AWAV": (AIR, {"CTYPE1": "AWAV", "CUNIT1": "Angstrom"}),
    "IRAF, log10": (LOG, {"CRVAL1": np.log10(LOG[0]), "CDELT1": 2e-4 / np.log(10), "DC-FLAG": 1}),
    "IRAF, log10 of nm": (
        LOG,
        {"CRVAL1": np.log10(LOG[0] / 10), "CDELT1": 2e-4 / np.log(10), "DC-FLAG": 1, "CUNIT1": "nm"},
    ),
    "CTYPE1 WAVELENGTH": (AIR, {"CTYPE1": "WAVELENGTH"}),
    "CTYPE1 LINEAR": (AIR, {"CTYPE1": "LINEAR"}),
    "log10": (LOG, {"CRVAL1": np.log10(LOG[0]), "CDELT1": 2e-4 / np.log(10)}),
    "ln": (LOG, {"CRVAL1": np.log(LOG[0]), "CDELT1": 2e-4}),
    "AWAV-LOG": (LOG, {"CTYPE1": "AWAV-LOG", "CUNIT1": "Angstrom", "CRVAL1": LOG[0], "CDELT1": LOG[0] * 2e-4}),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("named", [False, True])
def test_a_line_of_a_template_lands_at_its_vacuum_wavelength(folder, scale, named):
    wave, cards = SCALES[scale]
    end = f"_baseFe_{'log' if wave is LOG else 'linear'}" if named else "_baseFe"
    library = load_library(folder(end, wave=wave, **cards))
    assert line_of(library) == pytest.approx(air_to_vacuum(LINE), abs=0.02)
    np.testing.assert_allclose(library.wave, air_to_vacuum(wave), rtol=1e-9)


@pytest.mark.parametrize(
    "cards",
    [
        {"CTYPE1": "WAVE", "CUNIT1": "Angstrom"},
        {"AIRORVAC": "vac"},
        {"VACUUM": True},
        {"VACUUM": 1},
        {"VACUUM": "true"},
    ],
)
def test_templates_in_vacuum_stay(folder, cards):
    np.testing.assert_allclose(load_library(folder(**cards)).wave, AIR, rtol=1e-9)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [("L_sun / Angstrom / M_sun", 1.0), ("Lsun/nm/Msun", 10.0), ("erg/s/Angstrom/Msun", 3.828e33)],
)
def test_the_unit_of_a_template_is_applied(folder, unit, scale):
    library = load_library(folder(scale=scale, BUNIT=unit))
    np.testing.assert_allclose(library.flux[0, 0], spectrum(AIR), rtol=1e-9)


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"BUNIT": "mag"}, "BUNIT is 'mag'; 'L_sun / Angstrom / M_sun'"),
        ({"CUNIT1": "km/s"}, "CUNIT1 is 'km/s'"),
        ({"CDELT1": None}, "not a readable MILES spectrum"),
        ({"CDELT1": -0.9, "CRVAL1": 7400.0}, "do not increase"),
        ({"CTYPE1": "WAVE", "CUNIT1": "Hz"}, "CUNIT1 is 'Hz'"),
        ({"AIRORVAC": "water"}, "AIRORVAC is 'water'"),
        ({"VACUUM": "perhaps"}, "VACUUM is 'perhaps'"),
        ({"AIRORVAC": "vac", "VACUUM": False}, "AIRORVAC 'vac' and VACUUM 'False' contradict each other"),
        ({"CTYPE1": "WAVE", "AIRORVAC": "air"}, "CTYPE1 is 'WAVE', wavelengths in vacuum, but AIRORVAC is 'air'"),
        ({"CTYPE1": "FREQ"}, "CTYPE1 is 'FREQ': not wavelengths"),
        ({"SIGMA": 5.0}, "SIGMA is 5.0: the resolution is read from the names"),
        ({"SPECRES": 2000.0}, "SPECRES is 2000.0: the resolution is read from the names"),
        ({"CUNIT1": "dex(Angstrom)"}, "CUNIT1 is 'dex.Angstrom.'"),
        ({"CTYPE1": "VELO-LSR"}, "CTYPE1 is 'VELO-LSR': not wavelengths"),
        ({"CD1_1": 1.1, "CDELT1": 0.9}, "CD1_1 is 1.1, but CDELT1 is 0.9"),
    ],
)
def test_templates_that_cannot_be_told_are_refused(folder, cards, reason):
    with pytest.raises(TemplateError, match=rf"Mku1\.30.*{reason}"):
        load_library(folder(**cards))


@pytest.mark.parametrize(
    ("cards", "reason"),
    [
        ({"CRVAL1": 3.549, "CDELT1": 8e-5, "CUNIT1": "Angstrom"}, "wavelengths run from 3.549"),
        ({"CRVAL1": 2.549, "CDELT1": 8e-5}, "wavelengths run from 354"),
        ({"CRVAL1": 8.172, "CDELT1": 2e-4, "DC-FLAG": 1}, "wavelengths run from 1.48"),
        ({"FWHM": 300.0}, "the resolution at 5500 Angstrom is 300"),
    ],
)
def test_values_in_a_unit_that_nothing_states_are_refused(folder, cards, reason):
    with pytest.raises(TemplateError, match=rf"miles: {reason}"):
        load_library(folder(**cards))


def test_names_in_capitals_are_read(folder, tmp_path):
    path = folder()
    for file in list((tmp_path / "miles").iterdir()):
        file.rename(file.with_suffix(".FITS"))
    np.testing.assert_allclose(load_library(path).fwhm, 2.51)


def mass_rows(mass, imf="KU"):
    return "\n".join(f"{imf} 1.30 {z:.2f} {t:.4f} 1.0 {mass} 0.4" for z in METALLICITY for t in AGE)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"out_mass_KU_BASTI.txt": mass_rows(3.0)}, "masses run from 3 to 3"),
        (
            {"out_mass_KU_BASTI.txt": mass_rows("n/a")},
            "out_mass_KU_BASTI.txt: its row 'KU 1.30 -0.40 .*does not consist of numbers",
        ),
        (
            {"out_mass_KU_BASTI.txt": mass_rows(0.6), "out_mass_KU_BASTI_old.txt": mass_rows(0.7)},
            r"_old.txt: its mass at \[M/H\] -0.40 and 1 Gyr, 0.7, differs from that in another row or table",
        ),
    ],
)
def test_masses_that_cannot_be_told_are_refused(folder, tmp_path, tables, reason):
    path = folder()
    for name, text in tables.items():
        (tmp_path / "miles" / name).write_text(text)
    with pytest.raises(TemplateError, match=reason):
        load_library(path)


def test_the_table_of_other_isochrones_does_not_count(folder, tmp_path):
    path = folder()
    for name, mass in (("out_mass_KU_BASTI.txt", 0.6), ("out_mass_KU_PADOVA00.txt", 0.7)):
        (tmp_path / "miles" / name).write_text(mass_rows(mass))
    np.testing.assert_allclose(load_library(path).mass_fraction, 0.6)


def test_tables_in_place_of_a_spectrum_are_refused(folder, tmp_path):
    path = folder()
    for place in PLACES:
        fits.PrimaryHDU(np.ones((2, 4300))).writeto(
            tmp_path / "miles" / f"Mku1.30{place}_iTp0.00_baseFe.fits", overwrite=True
        )
    with pytest.raises(TemplateError, match=r"must hold one spectrum; its data are \(2, 4300\)"):
        load_library(path)


def test_files_of_other_names_are_said(folder, tmp_path, caplog):
    path = folder()
    (tmp_path / "miles" / "Mku1.30Zp0.22T01.0000_iTp0.00_baseFe (1).fits").write_bytes(b"")
    assert load_library(path).metallicity.tolist() == [-0.4, 0.0]
    assert "(1).fits: the name does not follow the MILES naming; not read" in caplog.text


def test_mass_tables_outside_of_ascii_are_read(folder, tmp_path):
    path = folder()
    rows = [f"KU 1.30 {z:.2f} {t:.4f} 1.0 0.6 0.4" for z in METALLICITY for t in AGE]
    (tmp_path / "miles" / "out_mass_KU_BASTI.txt").write_bytes("\n".join(["# Núñez", *rows]).encode("latin-1"))
    np.testing.assert_allclose(load_library(path).mass_fraction, 0.6)


# --- arrays of pPXF


def arrays(**changed):
    made = {"lam": AIR, "ages": AGE, "metals": METALLICITY, "fwhm": np.full(AIR.size, 2.51)}
    made |= {"templates": spectrum(AIR)[:, None, None] * np.ones((1, 2, 2)), "masses": np.full((2, 2), 0.6)}
    return {name: values for name, values in (made | changed).items() if values is not None}


@pytest.fixture
def npz(tmp_path):
    def make(name="spectra_fsps_9.0.npz", **changed):
        np.savez(tmp_path / name, **arrays(**changed))
        return str(tmp_path / name)

    return make


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ages": AGE * 1e9}, "ages run from 1e.09"),
        ({"ages": AGE * 1e3}, "ages run from 1000"),
        ({"ages": np.log10(AGE * 1e9)}, "ages run from 9 to 10"),
        ({"lam": AIR / 10}, "wavelengths run from 354.02"),
        ({"lam": AIR / 1e4}, "wavelengths run from 0.354"),
        ({"metals": np.array([0.004, 0.02])}, "metallicities run from 0.004"),
        ({"metals": np.array([0.2, 1.0])}, "metallicities run from 0.2"),
        ({"fwhm": np.full(AIR.size, 60.0)}, "resolution at 5500 Angstrom is 60"),
        ({"fwhm": np.full(AIR.size, 2000.0)}, "resolution at 5500 Angstrom is 2000"),
        ({"fwhm": np.full(AIR.size, np.nan)}, "resolution at 5500 Angstrom is nan"),
        ({"masses": np.full((2, 2), 3.0)}, "masses run from 3"),
        ({"fwhm": None}, "lacks the array.s. fwhm; it has"),
        ({"lam": None, "ages": None}, "lacks the array.s. lam, ages"),
        ({"templates": np.ones((2, 2, AIR.size))}, r"templates \(2, 2, 4300\)"),
        ({"masses": np.full((2, 3), 0.5)}, r"masses \(2, 3\)"),
        ({"frame": "water"}, "the array frame is 'water'"),
    ],
)
def test_arrays_in_other_units_or_missing_are_refused(npz, changed, reason):
    assert load_library(npz("spectra_fsps_1.npz")).has_masses
    with pytest.raises(TemplateError, match=rf"spectra_fsps_9\.0\.npz.*{reason}"):
        load_library(npz(**changed))


def test_air_or_vacuum_must_be_known(npz):
    with pytest.raises(TemplateError, match=r"own\.npz: it is unknown whether its wavelengths are in air or in vacuum"):
        load_library(npz("own.npz"))
    assert line_of(load_library(npz("air.npz", frame="air"))) == pytest.approx(air_to_vacuum(LINE), abs=0.02)
    assert line_of(load_library(npz("vacuum.npz", frame="vacuum"))) == pytest.approx(LINE, abs=0.02)
    assert line_of(load_library(npz("bytes.npz", frame=np.bytes_("air")))) == pytest.approx(
        air_to_vacuum(LINE), abs=0.02
    )
    # What the array says goes before what the name says.
    assert line_of(load_library(npz("emiles_vacuum.npz", frame="vacuum"))) == pytest.approx(LINE, abs=0.02)


@pytest.mark.parametrize("scale", [1 / 3e-5, 3.828e33, 1e-17])
def test_spectra_without_their_luminosity_have_no_masses(npz, caplog, scale):
    templates = arrays()["templates"] * scale
    library = load_library(npz(templates=templates))
    assert library.normalised and not library.has_masses
    assert "cannot be in L_sun/Angstrom per solar mass" in caplog.text


def test_an_empty_file_and_a_disordered_axis_are_named(npz, tmp_path):
    with pytest.raises(TemplateError, match=r"spectra_fsps_9\.0\.npz: .*wave does not increase"):
        load_library(npz(lam=AIR[::-1]))
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(TemplateError, match=r"empty\.npz: not a template library"):
        load_library(str(tmp_path / "empty.npz"))


def test_names_and_words_about_air_and_vacuum(npz):
    for name, wanted in (
        ("spectra_emiles_vac.npz", LINE),
        ("own_air.npz", air_to_vacuum(LINE)),
        ("own_vacuum.npz", LINE),
    ):
        assert line_of(load_library(npz(name))) == pytest.approx(wanted, abs=0.02)
    with pytest.raises(
        TemplateError, match=r"fsps_and_emiles\.npz: it is unknown whether its wavelengths are in air or in vacuum"
    ):
        load_library(npz("fsps_and_emiles.npz"))
    with pytest.raises(TemplateError, match="the array frame has 2 values"):
        load_library(npz("two.npz", frame=np.array(["air", "vacuum"])))


def test_good_pixels_beyond_a_hole_are_lost_with_a_warning(npz, caplog):
    templates = arrays()["templates"].copy()
    templates[1000, 1, 1] = np.nan
    assert load_library(npz("spectra_fsps_hole.npz", templates=templates)).wave[0] == pytest.approx(AIR[1001])
    assert "1000 good pixels beyond are lost" in caplog.text


def test_without_masses_there_are_none(npz, caplog):
    assert not load_library(npz(masses=None)).has_masses
    assert "no array 'masses'" in caplog.text


# --- HDF5


@pytest.fixture
def hdf5(tmp_path):
    def make(units=None, title="E-MILES, Kroupa universal IMF, BaSTI isochrones", after=None, **changed):
        made = {"wavelength": AIR, "age": AGE, "metallicity": METALLICITY, "flux": spectrum(AIR) * np.ones((2, 2, 1))}
        made["mass_loss_kroupa"] = np.array([[z, t, 0.6] for z in METALLICITY for t in AGE])
        path = tmp_path / f"library-{len(list(tmp_path.iterdir()))}.h5"
        with h5py.File(path, "w") as file:
            file.attrs["title"] = title
            for name, values in (made | changed).items():
                file[name] = values
            for name, attrs in (units or {}).items():
                file[name].attrs.update(attrs)
            if after:
                after(file)
        return str(path)

    return make


def test_units_of_hdf5_libraries_are_applied(hdf5):
    usual = load_library(hdf5())
    units = {
        "wavelength": {"unit": "nm"},
        "age": {"unit": "Myr"},
        "flux": {"unit": "L_sun / nm per M_sun of initial mass"},
    }
    units["flux"]["dims"] = "wavelength, age, metallicity"
    flux = 10.0 * (spectrum(AIR) * np.ones((2, 2, 1))).T
    other = load_library(hdf5(units, wavelength=AIR / 10, age=AGE * 1e3, flux=flux))
    for name in ("wave", "age", "flux", "fwhm", "ml_r"):
        np.testing.assert_allclose(getattr(other, name), getattr(usual, name), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("attrs", "changed"),
    [
        ({"wavelength": {"units": "nm"}}, {"wavelength": AIR / 10}),
        ({"wavelength": {"unit": np.bytes_("nm")}}, {"wavelength": AIR / 10}),
        ({"age": {"Units": "Myr"}}, {"age": AGE * 1e3}),
        ({"flux": {"UNITS": "Lsun/nm/Msun"}}, {"flux": 10.0 * spectrum(AIR) * np.ones((2, 2, 1))}),
    ],
)
def test_units_of_hdf5_libraries_as_other_programs_write_them(hdf5, attrs, changed):
    usual, other = load_library(hdf5()), load_library(hdf5(attrs, **changed))
    for name in ("wave", "age", "flux", "fwhm", "ml_r"):
        np.testing.assert_allclose(getattr(other, name), getattr(usual, name), rtol=1e-9, err_msg=name)


AGE_FIRST = ("age", "metallicity", "wavelength")


def with_labels(file):
    for dimension, name in zip(file["flux"].dims, AGE_FIRST, strict=True):
        dimension.label = name


def with_scales(file):
    for dimension, name in zip(file["flux"].dims, AGE_FIRST, strict=True):
        file[name].make_scale()
        dimension.attach_scale(file[name])


@pytest.mark.parametrize(
    "order",
    [
        {"after": with_labels},
        {"after": with_scales},
        {"units": {"flux": {"dims": ", ".join(AGE_FIRST)}}},
        {"units": {"flux": {"dims": list(AGE_FIRST)}}},
        {"units": {"flux": {"axes": "Age, Metallicity, Wavelength"}}},
    ],
)
def test_the_order_of_axes_of_hdf5_libraries(hdf5, order):
    # As many ages as metallicities: the shape does not tell. The old ones are half as bright.
    fainter = np.array([1.0, 0.5])[:, None, None]
    library = load_library(hdf5(flux=spectrum(AIR) * fainter * np.ones((2, 2, 1)), **order))
    np.testing.assert_allclose(library.flux[:, 1], 0.5 * library.flux[:, 0])


@pytest.mark.parametrize("name", ["frame", "Frame", "medium"])
def test_the_medium_of_hdf5_libraries_by_other_names(hdf5, name):
    np.testing.assert_allclose(load_library(hdf5({"wavelength": {name: "vacuum"}})).wave, AIR)


@pytest.mark.parametrize(("frame", "wanted"), [("air", air_to_vacuum(AIR)), ("vac", AIR), ("Vacuum", AIR)])
def test_the_frame_of_hdf5_libraries(hdf5, frame, wanted):
    np.testing.assert_allclose(load_library(hdf5({"wavelength": {"frame": frame}})).wave, wanted)


def test_the_line_spread_of_hdf5_libraries(hdf5):
    np.testing.assert_allclose(load_library(hdf5(fwhm=np.full(AIR.size, 4.0))).fwhm, 4.0)
    library = load_library(hdf5({"fwhm": {"unit": "nm"}}, fwhm=0.4))
    np.testing.assert_allclose(library.fwhm, 4.0)


@pytest.mark.parametrize(
    ("attrs", "changed", "reason"),
    [
        ({"age": {"unit": "log10(yr)"}}, {}, "the unit of age is 'log10.yr.'"),
        ({"age": {"unit": "dex(yr)"}}, {}, "the unit of age is 'dex.yr.'"),
        ({"wavelength": {"unit": "Hz"}}, {}, "the unit of wavelength is 'Hz'"),
        ({"metallicity": {"unit": "mass fraction"}}, {}, "the unit of metallicity is 'mass fraction'"),
        ({"flux": {"unit": "L_sun / Hz / M_sun"}}, {}, "the unit of flux is"),
        ({"flux": {"dims": "age, wavelength"}}, {}, "the axes of flux are 'age, wavelength'"),
        ({"wavelength": {"frame": "rest"}}, {}, "the frame of wavelength is 'rest'"),
        ({}, {"title": "E-MILES, Salpeter IMF, BaSTI"}, "title says 'Salpeter', but its masses are for a Kroupa IMF"),
        ({}, {"age": AGE * 1e9}, "ages run from"),
        (
            {},
            {"age": np.array([1.0, 5.0, 10.0])},
            r"flux has the shape \(2, 2, 4300\) along metallicity, age, wavelength",
        ),
        ({}, {"sigma": np.full(AIR.size, 60.0)}, "resolution must be a dataset fwhm .Angstrom., not sigma"),
        ({"flux": {"scale_factor": 0.1}}, {}, "the dataset flux is packed .scale_factor 0.1"),
        (
            {},
            {"mass_loss_kroupa": [[z, t * 1e3, 0.6] for z in (-0.4, 0.0) for t in AGE]},
            "mass_loss_kroupa: ages run from 1000",
        ),
        (
            {},
            {"mass_loss_kroupa": [[z, t, 0.6] for z in (0.008, 0.02) for t in AGE]},
            "mass_loss_kroupa: metallicities run",
        ),
    ],
)
def test_hdf5_libraries_that_state_something_else_are_refused(hdf5, attrs, changed, reason):
    with pytest.raises(TemplateError, match=rf"library-\d+\.h5: .*{reason}"):
        load_library(hdf5(attrs, **changed))


@pytest.mark.parametrize(("name", "unit"), [("wave", "Angstrom (air)"), ("age", "yr"), ("resolving_power", "Angstrom")])
def test_packed_libraries_in_other_units_are_refused(tmp_path, name, unit):
    from mangrove.resources import resource

    path = tmp_path / "own.h5"
    path.write_bytes(resource("mastar_ssp.h5").read_bytes())
    assert load_library(str(path)).name == "MaStar"
    changed = tmp_path / "changed.h5"
    changed.write_bytes(path.read_bytes())
    with h5py.File(changed, "a") as file:
        file[name].attrs["unit"] = unit
    with pytest.raises(TemplateError, match=rf"changed\.h5: the unit of {name} is '"):
        load_library(str(changed))
