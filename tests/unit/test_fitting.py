"""The fit of one spectrum: what was put in comes back, and errors are honest."""

import numpy as np
import pytest
from engines import ENGINES
from engines import fitted as fitted_by
from one_spectrum import (
    FLUX,
    LINES,
    LSF,
    SETTINGS,
    SIGMA_GAS,
    SIGMA_STAR,
    V_GAS,
    V_STAR,
    WAVE,
    Z,
    fit,
    fit_several,
    noise_free,
    noisy,
    stars,
)
from peers.plain_ppxf import plain_ppxf

from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus, LineStatus
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.galaxy import GalaxyFit, as_columns, prepare_galaxy
from mangrove.spectra.fit.model import model_spectrum
from mangrove.spectra.fit.ppxf.pool import fit_all
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import broaden, match_lsf
from mangrove.ssp.loading import load_library

# Their fits are one program, which one worker compiles.
pytestmark = pytest.mark.xdist_group("one spectrum")

#: As one call of pPXF with its multiplicative polynomial.
PLAIN = FitSettings(attenuation="polynomial", clip_sigma=0.0)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(engine):
    return fit(*noisy(), engine=engine)


def test_kinematics_come_back(fitted):
    result = fitted[1]
    assert result.status == FitStatus.OK
    for name, true in [("v_star", V_STAR), ("sigma_star", SIGMA_STAR), ("v_gas", V_GAS), ("sigma_gas", SIGMA_GAS)]:
        value, error = getattr(result, name), getattr(result, f"{name}_err")
        assert abs(value - true) < 3.5 * error < 25, name


@pytest.mark.parametrize("name", FLUX)
def test_a_line_of_known_area_comes_back(fitted, name):
    i = LINES.index(name)
    flux, error = fitted[1].line_flux[i], fitted[1].line_flux_err[i]
    assert abs(flux - FLUX[name]) < 3.5 * error
    assert error < 0.1 * FLUX[name]


def test_area_without_noise_is_exact(engine):
    clean = noise_free()
    _, result = fit(clean, np.full(WAVE.size, np.median(clean) / 2000), engine=engine)
    measured = [result.line_flux[LINES.index(name)] for name in FLUX]
    np.testing.assert_allclose(measured, list(FLUX.values()), rtol=0.01)


def test_tied_lines_keep_their_ratio(fitted):
    flux = fitted[1].line_flux
    assert flux[LINES.index("OIII_4960")] / flux[LINES.index("OIII_5008")] == pytest.approx(0.3356)


def test_equivalent_width_is_rest_frame_and_positive_in_emission(fitted):
    _, result = fitted
    i = LINES.index("OIII_5008")
    clean = noise_free(0.0)
    velocity = C_KMS * np.log(WAVE / (LINES.wave[i] * (1 + Z))) - V_GAS
    continuum = clean[np.abs(velocity) < 500].mean()
    expected = FLUX["OIII_5008"] / continuum / (1 + Z)
    assert result.line_ew[i] == pytest.approx(expected, abs=3.5 * result.line_ew_err[i])
    assert result.line_continuum[i] == pytest.approx(continuum, rel=0.02)


def test_twice_the_noise_gives_twice_the_errors(engine):
    names = ("v_star_err", "sigma_star_err", "v_gas_err", "sigma_gas_err")
    (_, quiet), (_, loud) = fit_several([noisy(120.0, scale=s) for s in (1.0, 2.0)], engine=engine)
    np.testing.assert_allclose([getattr(loud, n) / getattr(quiet, n) for n in names], 2.0, rtol=0.1)
    strong = [LINES.index(n) for n in FLUX]
    np.testing.assert_allclose(loud.line_flux_err[strong] / quiet.line_flux_err[strong], 2.0, rtol=0.1)


def test_strong_lines_have_one_minimum(fitted):
    assert np.isnan(fitted[1].v_gas_other)


def test_errors_follow_the_scatter(engine):
    results = [result for _, result in fit_several([noisy(40.0, seed) for seed in range(12)], engine=engine)]
    pulls = [(r.v_star - V_STAR) / r.v_star_err for r in results] + [(r.v_gas - V_GAS) / r.v_gas_err for r in results]
    # 24 pulls: the standard deviation of a unit Gaussian lies within 0.6 and 1.4 at 99.5 per cent.
    assert 0.6 < np.std(pulls) < 1.4


def test_it_is_the_fit_of_the_whole_library_with_ppxf_s_own_polynomial(engine):
    """Against pPXF run once with all templates and its own multiplicative polynomial."""
    spectrum, result = fit(*noisy(), settings=PLAIN, engine=engine)
    templates = stars()
    pp = plain_ppxf(spectrum, templates, LINES, PLAIN)
    best = pp.bestfit * np.median(np.abs(spectrum.flux[spectrum.good]))
    model = model_spectrum(spectrum, Z, result, templates, LINES)
    good = spectrum.good
    ours = np.sum(((spectrum.flux - model.stars - model.gas) / spectrum.error)[good] ** 2)
    theirs = np.sum(((spectrum.flux - best) / spectrum.error)[good] ** 2)
    # Of 3000: here the polynomial multiplies before the broadening, there after it.
    assert ours < theirs + 2.0
    np.testing.assert_allclose(result.v_star, pp.sol[0][0], atol=0.1 * result.v_star_err)
    np.testing.assert_allclose(result.sigma_star_fit, pp.sol[0][1], atol=0.1 * result.sigma_star_err)
    np.testing.assert_allclose(result.v_gas, pp.sol[1][0], atol=0.1 * result.v_gas_err)
    assert result.v_star_err == pytest.approx(pp.error[0][0] * np.sqrt(pp.chi2), rel=0.1)


def chi2_of_model(spectrum, result) -> float:
    """Of the model from the stored parameters, over the good pixels."""
    model = model_spectrum(spectrum, Z, result, stars(), LINES)
    return float(np.sum(((spectrum.flux - model.stars - model.gas) / spectrum.error)[spectrum.good] ** 2))


@pytest.mark.parametrize("settings", [SETTINGS, PLAIN], ids=["dust curve", "polynomial"])
def test_chi2_of_the_stored_parameters_is_that_of_the_fit(engine, settings):
    """A steep response, so that dust and polynomial before the broadening are not those after it."""
    flux, error = noisy(200.0, response=0.5)
    spectrum, result = fit(flux, error, settings=settings, engine=engine)
    assert result.n_clipped == 0
    chi2 = result.chi2_reduced * (result.n_pixel - result.n_free)
    assert chi2_of_model(spectrum, result) == pytest.approx(chi2, rel=1e-6)
    free = np.count_nonzero(result.weights) + np.sum(result.line_flux[LINES.partner == np.arange(len(LINES.name))] > 0)
    # Kinematics, polynomial, and dust where it has a curve of its own.
    assert result.n_free == free + 4 + 8 + (settings is SETTINGS)


def test_chi2_of_the_stored_parameters_is_that_of_the_fit_where_a_line_is_masked(engine):
    """Most of [OIII] 5008 is masked and has no flux; its wing, and the line tied to it, are in the model."""
    mask = np.abs(WAVE / (1 + Z) - 5008) < 6
    spectrum, result = fit(*noisy(), mask, engine=engine)
    assert result.n_clipped == 0
    assert np.isnan(result.line_flux[LINES.index("OIII_5008")])
    assert result.line_flux[LINES.index("OIII_4960")] > 0
    chi2 = result.chi2_reduced * (result.n_pixel - result.n_free)
    assert chi2_of_model(spectrum, result) == pytest.approx(chi2, rel=1e-6)


def test_the_night_sky_does_not_count(engine):
    flux, error = noisy()
    sky = np.abs(WAVE - 5578.9) < 7
    (_, clean), (_, dirty) = fit_several([(flux, error), (np.where(sky, 1e5, flux), error)], engine=engine)
    assert dirty.chi2_reduced == pytest.approx(clean.chi2_reduced)
    assert dirty.v_star == pytest.approx(clean.v_star)


def test_what_cannot_be_fitted_says_why(engine):
    flux, error = noisy()
    masked = fit(flux, error, np.ones(WAVE.size), engine=engine)[1]
    assert masked.status == FitStatus.ALL_MASKED
    assert np.isnan(masked.v_star) and np.all(masked.line_status == LineStatus.NO_FIT)
    assert fit(flux, error, WAVE > 4500, engine=engine)[1].status == FitStatus.TOO_FEW_PIXELS
    assert fit(np.zeros(WAVE.size), error, engine=engine)[1].status == FitStatus.NO_STELLAR_CONTINUUM


def test_masked_lines_are_named_and_not_measured(engine):
    flux, error = noisy()
    mask = np.abs(WAVE / (1 + Z) - 5008) < 8
    result = fit(flux, error, mask, engine=engine)[1]
    i = LINES.index("OIII_5008")
    assert result.line_status[i] == LineStatus.MASKED and np.isnan(result.line_flux[i])
    assert result.line_status[LINES.index("Halpha_6565")] == LineStatus.OK


def test_lines_in_the_midst_of_masked_pixels_are_no_part_of_the_model(engine):
    """Good pixels hold nothing of them but ringing and rounding, which any amount of their light would make follow noise."""
    rest = WAVE / (1 + Z)
    spectrum, result = fit(*noisy(), (rest > 6400) & (rest < 6900), engine=engine)
    hidden = [LINES.index(name) for name in ("Halpha_6565", "NII_6585", "SII_6718", "SII_6733")]
    assert set(result.line_status[hidden]) == {LineStatus.MASKED}
    gas = model_spectrum(spectrum, Z, result, stars(), LINES).gas
    assert np.all(np.abs(gas[(spectrum.wave > 6450) & (spectrum.wave < 6850)]) < 1e-3 * np.median(spectrum.error))
    assert gas[np.argmin(np.abs(spectrum.wave - 5008.2))] > 3 * np.median(spectrum.error)


def test_a_velocity_beyond_the_bound_is_flagged(engine):
    flux, error = noisy()
    # The redshift is wrong by 430 km/s, so the stars move at about -310.
    result = fit(flux, error, z=Z + 0.0015, settings=SETTINGS._replace(velocity_bound=300.0), engine=engine)[1]
    assert result.status == FitStatus.VELOCITY_AT_BOUND


def test_wrong_formal_errors_are_rescaled_on_request(engine):
    flux, error = noisy(60.0, scale=3.0)
    result = fit(flux, error / 3.0, settings=SETTINGS._replace(rescale_noise=True), engine=engine)[1]
    honest = fit(flux, error, engine=engine)[1]
    assert result.noise_scale == pytest.approx(3.0, rel=0.1)
    assert result.chi2_reduced == pytest.approx(1.0, abs=0.1)
    assert result.v_star_err == pytest.approx(honest.v_star_err, rel=0.15)


def test_coarse_templates_are_corrected_not_deconvolved(engine):
    """Data finer than the library: the corrected dispersion is the true one, the fitted one is smaller."""
    library = load_library("mastar")
    step, rest = 1e-4 * np.log(10), WAVE / (1 + Z)
    fine = library.fwhm / 2.3548 * 0.85
    templates = match_lsf(library, step, rest, fine)
    np.testing.assert_array_equal(templates.flux, library.flux.reshape(54, -1).T)
    flux = np.zeros(WAVE.size)
    # Broadening by less than the dispersion makes up for the library's own excess width, in bands.
    for low in np.arange(3500, 9500, 250.0):
        band = (rest >= low) & (rest < low + 250)
        excess = np.mean((library.fwhm / 2.3548 / library.wave)[(library.wave >= low) & (library.wave < low + 250)])
        missing = np.sqrt(SIGMA_STAR**2 - (C_KMS * excess) ** 2 * (1 - 0.85**2))
        flux[band] = broaden(templates.flux[:, [30]], step, 0.0, missing)[band, 0]
    error = np.full(WAVE.size, np.median(flux) / 300)
    flux = flux + error * np.random.default_rng(1).normal(size=WAVE.size)
    spectrum = prepare(WAVE, flux, error**-2, np.zeros(WAVE.size), fine * (1 + Z), Z, np.ones(WAVE.size), SETTINGS)
    (result,) = fitted_by(engine, GalaxyFit(Z, templates, LINES, SETTINGS), [spectrum])
    assert result.sigma_star == pytest.approx(SIGMA_STAR, abs=max(3 * result.sigma_star_err, 1.0))
    assert result.sigma_star_fit < SIGMA_STAR - 3


def test_the_number_of_processes_changes_nothing():
    rows = [noisy(30.0, seed) for seed in range(3)]
    data = {
        "wave": WAVE,
        "flux": np.array([r[0] for r in rows]),
        "ivar": np.array([r[1] ** -2 for r in rows]),
        "mask": np.zeros((3, WAVE.size)),
        "lsf": np.tile(LSF, (3, 1)),
    }
    extract = Artefact("extract", data, {"plateifu": ""}, "")
    galaxy, spectra = prepare_galaxy(extract, Z, 0.0, "mastar", SETTINGS)
    one, two = (as_columns(fit_all(galaxy, spectra, n), galaxy, np.zeros(3)) for n in (1, 2))
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)


def test_galactic_extinction_is_removed():
    from mangrove.physics.galactic_extinction import galactic_transmission

    flux, error = noisy(200.0)
    transmission = galactic_transmission(WAVE, 0.3)
    # Fitzpatrick (1999), R_V = 3.1: A(V) = 3.1 E(B-V), so 0.93 mag at 5500 Angstrom.
    assert -2.5 * np.log10(np.interp(5500, WAVE, transmission)) == pytest.approx(0.93, abs=0.03)
    extract = Artefact(
        "extract",
        {
            "wave": WAVE,
            "flux": [flux * transmission],
            "ivar": [(error * transmission) ** -2],
            "mask": [np.zeros(WAVE.size)],
            "lsf": [LSF],
        },
        {"plateifu": ""},
        "",
    )
    galaxy, spectra = prepare_galaxy(extract, Z, 0.3, "mastar", SETTINGS)
    (result,) = fit_all(galaxy, spectra, 1)
    i = LINES.index("Hbeta_4863")
    assert result.line_flux[i] == pytest.approx(FLUX["Hbeta_4863"], abs=4 * result.line_flux_err[i])
