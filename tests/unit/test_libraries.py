"""Template libraries: every format, masses, the age ceiling, and the line spread they get."""

import h5py
import numpy as np
import pytest
from astropy.io import fits

from mangrove.errors import TemplateError
from mangrove.physics.photometry import SOLAR_LUMINOSITY, SUN_R, r_pivot, r_response
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM, air_to_vacuum
from mangrove.spectra.fit.templates import match_lsf
from mangrove.ssp.library import load_mastar
from mangrove.ssp.loading import load_library, younger_than
from mangrove.ssp.miles_names import parse_miles_name
from mangrove.ssp.single_files import emiles_fwhm, interpolate_mass_loss

STEP = 1e-4 * np.log(10.0)
AIR = 3500.2 + 0.9 * np.arange(6200)
AGE, METALLICITY = np.array([0.1, 1.0, 10.0]), np.array([-0.66, 0.06])
# [M/H], age, mass in stars and remnants: the young end is missing at -2.25, as in the published table.
MASS_LOSS = np.array([[-2.25, 1.0, 0.65], [-1.35, 0.1, 0.8], [-1.35, 10.0, 0.6], [0.35, 0.1, 0.8], [0.35, 10.0, 0.6]])


def spectra():
    """Power laws of age and metallicity that fade with age, shape (n_metallicity, n_age, n_wave)."""
    level = 1e-4 * AGE**-0.7 * (1 + 0.1 * METALLICITY[:, None])
    return level[..., None] * (AIR / 5500.0) ** (0.5 * np.log10(AGE)[None, :, None])


@pytest.fixture
def hdf5(tmp_path):
    path = tmp_path / "emiles.h5"
    flux = spectra()
    flux[:, 0, AIR > 8950.0] = 0.0
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "E-MILES, Kroupa universal IMF (slope 1.30), BaSTI isochrones"
        for name, values in {
            "flux": flux,
            "age": AGE,
            "metallicity": METALLICITY,
            "mass_loss_kroupa": MASS_LOSS,
        }.items():
            file[name] = values
        file["wavelength"] = AIR
        file["wavelength"].attrs["frame"] = "air"
    return path


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "emiles"
    path.mkdir()
    for i, z in enumerate(("m0.66", "p0.06")):
        for j, age in enumerate(AGE):
            hdu = fits.PrimaryHDU(spectra()[i, j].astype(np.float32))
            hdu.header.update({"CRVAL1": AIR[0], "CDELT1": 0.9, "CRPIX1": 1.0})
            hdu.writeto(path / f"Eku1.30Z{z}T{age:07.4f}_iTp0.00_baseFe.fits")
    rows = [f"KU 1.30 {z:.2f} {t:.4f} 1.0 {0.6 + 0.1 * k} 0.4" for z in METALLICITY for k, t in enumerate(AGE)]
    (path / "out_mass_KU_BASTI.txt").write_text("#IMF slope [M/H] Age Mtotal M(*+remn) M*\n" + "\n".join(rows))
    return path


def npz(path, **extra):
    masses = np.full((AGE.size, METALLICITY.size), 0.7)
    templates = np.moveaxis(spectra(), (0, 1, 2), (2, 1, 0))
    np.savez(path, templates=templates, masses=masses, lam=AIR, ages=AGE, metals=METALLICITY, fwhm=2.51, **extra)
    return str(path)


def test_hdf5_becomes_vacuum_and_ends_where_the_youngest_spectrum_ends(hdf5):
    library = load_library(str(hdf5))
    assert library.name == "E-MILES"
    assert library.imf == "Kroupa universal"
    assert library.isochrones.startswith("BaSTI")
    np.testing.assert_allclose(library.wave, air_to_vacuum(AIR)[: library.wave.size])
    assert library.wave[-1] == pytest.approx(air_to_vacuum(8950.0), abs=0.9)
    np.testing.assert_allclose(library.flux, spectra()[..., : library.wave.size])


def test_mass_to_light_of_a_flat_spectrum_by_hand(tmp_path):
    """f_lambda of 1e-4 L_sun/Angstrom: M_r from its AB magnitude at the pivot, L_r from the Sun's 4.65."""
    path = tmp_path / "spectra_fsps_9.0.npz"
    npz(path)
    with np.load(path) as file:
        arrays = dict(file) | {"templates": np.full((AIR.size, AGE.size, METALLICITY.size), 1e-4)}
    np.savez(path, **arrays)
    library = load_library(str(path))
    f_nu = 1e-4 * SOLAR_LUMINOSITY / (4 * np.pi * 3.0856775814913673e19**2) * r_pivot() ** 2 / 2.99792458e18
    luminosity = 10 ** (-0.4 * (-2.5 * np.log10(f_nu) - 48.6 - SUN_R))
    np.testing.assert_allclose(library.ml_r, 0.7 / luminosity, rtol=1e-9)


def test_r_band_is_that_of_sdss():
    # Pivot of r, Doi et al. (2010) response: Fukugita et al. give 6176.
    assert r_pivot() == pytest.approx(6177.0, abs=3.0)
    assert r_response([5000.0, 7200.0]).tolist() == [0.0, 0.0]


def test_npz_of_emiles_is_air_and_others_are_vacuum(tmp_path):
    emiles, fsps = (load_library(npz(tmp_path / f"spectra_{n}_9.0.npz")) for n in ("emiles", "fsps"))
    np.testing.assert_allclose(emiles.wave, air_to_vacuum(AIR))
    np.testing.assert_array_equal(fsps.wave, AIR)
    np.testing.assert_allclose(emiles.flux, spectra())
    np.testing.assert_allclose(emiles.mass_fraction, 0.7)
    assert load_library(npz(tmp_path / "own.npz", imf="Chabrier", frame="vacuum")).imf == "Chabrier"


def test_folder_of_miles_files(folder):
    library = load_library(str(folder))
    np.testing.assert_allclose(library.metallicity, METALLICITY)
    np.testing.assert_allclose(library.age, AGE)
    np.testing.assert_allclose(library.flux, spectra(), rtol=1e-6)
    np.testing.assert_allclose(library.mass_fraction, [[0.6, 0.7, 0.8]] * 2)
    assert library.has_masses
    assert library.imf == "Kroupa universal"


def test_folder_without_masses_says_so(folder, caplog):
    (folder / "out_mass_KU_BASTI.txt").unlink()
    library = load_library(str(folder))
    assert not library.has_masses
    assert library.ml_r is None
    assert "out_mass" in caplog.text


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits", ("E", "ku", 1.3, 0.06, 0.03, "T", 0.0)),
        ("Eun1.30Zm0.40T00.0631_iPp0.00_baseFe_linear_FWHM_variable.fits", ("E", "un", 1.3, -0.4, 0.0631, "P", 0.0)),
        ("Mbi1.30Zm2.27T14.0000_iTp0.40.fits", ("M", "bi", 1.3, -2.27, 14.0, "T", 0.4)),
        ("Mun1.30Zp0.00T12.5893.fits", ("M", "un", 1.3, 0.0, 12.5893, "", None)),
    ],
)
def test_names_of_miles_files(name, parts):
    assert tuple(parse_miles_name(name)) == parts


def test_other_names_are_no_miles_files():
    assert parse_miles_name("spec-0266-51602-0001.fits") is None


def test_mixed_or_incomplete_folders_are_refused(folder):
    first = folder / "Eku1.30Zm0.66T00.1000_iTp0.00_baseFe.fits"
    second = first.rename(folder / "Ech1.30Zm0.66T00.1000_iTp0.00_baseFe.fits")
    with pytest.raises(TemplateError, match="2 kinds"):
        load_library(str(folder))
    second.unlink()
    with pytest.raises(TemplateError, match=r"gaps, first \[M/H\] -0.66 at 0.1 Gyr \(1 of 6\)"):
        load_library(str(folder))


def test_missing_and_unreadable_libraries_say_where_to_get_one(tmp_path):
    with pytest.raises(TemplateError, match=r"neither 'mastar' nor a file or folder(.|\n)*MILES pages(.|\n)*ppxf_data"):
        load_library(str(tmp_path / "nothing.h5"))
    for name, content in (("text.h5", b"no"), ("broken.npz", b"PK no"), ("page.html", b"<html>")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TemplateError, match=f"{name}.*MILES pages"):
            load_library(str(path))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["something"] = 1
    with pytest.raises(TemplateError, match=r"other\.h5.*MILES pages"):
        load_library(str(tmp_path / "other.h5"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TemplateError, match="no FITS file in the MILES naming"):
        load_library(str(tmp_path / "empty"))


@pytest.mark.parametrize("kind", ["S9", bool])
def test_arrays_of_other_than_numbers_are_refused(tmp_path, hdf5, kind):
    path = tmp_path / "spectra_fsps_9.0.npz"
    npz(path)
    with np.load(path) as file:
        np.savez(path, **dict(file) | {"templates": file["templates"].astype(kind)})
    with h5py.File(hdf5, "a") as file:
        flux = file["flux"][:].astype(kind)
        del file["flux"]
        file["flux"] = flux
    for one, name in ((path, "templates"), (hdf5, "flux")):
        with pytest.raises(TemplateError, match=f"{name} holds values of type .*; numbers are needed"):
            load_library(str(one))


def test_a_damaged_header_of_an_array_is_refused(tmp_path):
    path = tmp_path / "spectra_fsps_9.0.npz"
    npz(path)
    content = path.read_bytes()
    for at, byte in ((b"'shape': (", b"\x7f"), (b"'descr': '", b"("), (b"), }", b"(, }")):
        assert at in content
        path.write_bytes(content.replace(at, byte + at[len(byte) :]))
        with pytest.raises(TemplateError, match="not a template library"):
            load_library(str(path))


def test_mass_loss_is_linear_in_log_age_and_leaves_out_short_tables():
    masses = interpolate_mass_loss(MASS_LOSS, np.array([-2.0, -0.5, 0.6]), AGE)
    # Half of the way from 0.1 to 10 Gyr in the log; -2.25 begins at 1 Gyr and takes no part.
    np.testing.assert_allclose(masses, [[0.8, 0.7, 0.6]] * 3)


def test_line_spread_of_emiles():
    np.testing.assert_allclose(emiles_fwhm([3000.0, 5000.0]), [3.0, 2.51])
    # 60 km/s at 9500 Angstrom: 9500 * 60 / 299792.458 * 2.3548.
    assert emiles_fwhm(9500.0) == pytest.approx(4.477, abs=1e-3)


def test_age_ceiling_keeps_a_population_at_the_ceiling():
    mastar = load_mastar()
    young = younger_than(mastar, 13.0)
    np.testing.assert_allclose(young.age, [*mastar.age[:-1], 13.0])
    part = np.log(13 / 9) / np.log(14 / 9)
    np.testing.assert_allclose(young.ml_r[:, -1], mastar.ml_r[:, -2] ** (1 - part) * mastar.ml_r[:, -1] ** part)
    np.testing.assert_array_equal(young.flux[:, :-1], mastar.flux[:, :-1])
    assert younger_than(mastar, 14.0) is mastar
    np.testing.assert_array_equal(younger_than(mastar, 9.0).age, mastar.age[:-1])
    with pytest.raises(TemplateError, match="begins at"):
        younger_than(mastar, 0.001)


def lines_of(width, centres, wave):
    return 1.0 + np.exp(-0.5 * ((wave[:, None] - centres) / width) ** 2).sum(axis=1)


@pytest.mark.parametrize("fwhm_data", [2.51, 2.8, 3.4, 6.0])
def test_lines_get_the_width_of_the_data(hdf5, fwhm_data):
    """Lines as wide as E-MILES's spread, 0.9 Angstrom per pixel, end as wide as the data's, to 0.5 %."""
    library = load_library(str(hdf5))
    centres = np.arange(3700.0, 7300.0, 97.3)
    flux = lines_of(2.51 / SIGMA_TO_FWHM, centres, library.wave)
    library = library._replace(flux=np.broadcast_to(flux, (2, 3, flux.size)), fwhm=np.full(flux.size, 2.51))
    rest = np.linspace(3400.0, 9000.0, 50)
    out = match_lsf(library, STEP, rest, np.full(50, fwhm_data / SIGMA_TO_FWHM), (3650.0, 7400.0))
    excess, width = (out.flux[:, 0] - 1.0) * np.gradient(out.wave), []
    for centre in centres:
        near = np.abs(out.wave - centre) < 4 * fwhm_data
        width.append(np.sqrt(np.sum(excess[near] * (out.wave[near] - centre) ** 2) / np.sum(excess[near])))
    np.testing.assert_allclose(width, fwhm_data / SIGMA_TO_FWHM, rtol=5e-3)
    np.testing.assert_allclose(out.lsf_sigma, fwhm_data / SIGMA_TO_FWHM, rtol=1e-9)


def test_coarser_libraries_keep_their_line_spread(hdf5):
    library = load_library(str(hdf5))
    rest = np.linspace(3400.0, 9000.0, 50)
    out = match_lsf(library, STEP, rest, np.full(50, 0.5), (3650.0, 7400.0))
    np.testing.assert_allclose(out.lsf_sigma, 2.51 / SIGMA_TO_FWHM)
    np.testing.assert_allclose(out.flux[:, 0], np.interp(out.wave, library.wave, library.flux[0, 0]), rtol=1e-6)


def test_templates_are_cut_to_the_fitted_range(hdf5):
    library = load_library(str(hdf5))
    rest = np.linspace(3400.0, 9000.0, 50)
    out = match_lsf(library, STEP, rest, np.full(50, 1.3), (4000.0, 7000.0))
    assert 3900 < out.wave[0] < 4000 / 1.015
    assert 7000 * 1.015 < out.wave[-1] < 7150
    np.testing.assert_allclose(np.diff(np.log(out.wave)), STEP)
    wider = match_lsf(library, STEP, rest, np.full(50, 1.3), (4000.0, 7000.0), 9000.0)
    assert wider.wave[0] == pytest.approx(4000 / np.exp(9000 / C_KMS), abs=1.0)
    assert wider.wave[-1] == pytest.approx(7000 * np.exp(9000 / C_KMS), abs=1.5)
    with pytest.raises(TemplateError, match=r"covers 3501-89\d\d Angstrom.*Set it within 3524-8895"):
        match_lsf(library, STEP, rest, np.full(50, 1.3), (3400.0, 7000.0))
