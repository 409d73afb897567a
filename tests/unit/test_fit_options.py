"""Options of the fit: what each does to a spectrum of known content, and what it leaves alone."""

import numpy as np
import pytest
from engines import ENGINES
from one_spectrum import FLUX, LINES, SETTINGS, WAVE, Z, fit, noisy, stars

from mangrove.codes import FitStatus
from mangrove.physics.dust import calzetti
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.labels.populations import population_labels, population_values, scatter, template_table
from mangrove.ssp.loading import load_library

# Their fits are one program, which one worker compiles.
pytestmark = pytest.mark.xdist_group("one spectrum")

REST = WAVE / (1 + Z)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def usual(engine):
    """Spectrum and result with the usual settings."""
    return fit(*noisy(), engine=engine)


@pytest.fixture(scope="module")
def fitted(engine):
    """A function that gives the result with changed settings."""
    return lambda flux, error, **changes: fit(flux, error, settings=SETTINGS._replace(**changes), engine=engine)[1]


def roughness(result):
    """Sum of the squared second differences of light between templates of neighbouring age and metallicity."""
    templates = stars()
    light = (result.weights * np.median(templates.flux, axis=0)).reshape(np.unique(templates.metallicity).size, -1)
    return sum(np.sum(np.diff(light, 2, axis=axis) ** 2) for axis in (0, 1))


def behind_dust(spectrum, ebv):
    """Flux and error behind dust, on the level of the unattenuated spectrum at 5500 Angstrom."""
    return [values * 10 ** (-0.4 * ebv * (calzetti(REST) - calzetti(5500.0))) for values in spectrum]


def test_regularisation_smooths_the_weights_for_little_chi2(usual, fitted):
    spectrum, rough = usual
    smooth = fitted(*noisy(), regularisation=10.0)
    assert roughness(smooth) < 0.75 * roughness(rough)
    cost = (smooth.chi2_reduced - rough.chi2_reduced) * spectrum.good.sum()
    # The standard deviation of chi2, sqrt(2 n), is what regularisation may cost (Cappellari 2017, section 3.5).
    assert 0 < cost < np.sqrt(2 * spectrum.good.sum())
    assert abs(smooth.v_star - rough.v_star) < rough.v_star_err


@pytest.mark.parametrize(("clip", "n_clipped", "chi2"), [(5.0, 2, 1.0), (0.0, 0, 1.6)])
def test_an_outlier_away_from_lines_is_clipped(usual, fitted, clip, n_clipped, chi2):
    """Two pixels 30 standard deviations high at 5400 Angstrom."""
    flux, error = noisy()
    pixel = np.argmin(np.abs(REST - 5400.0))
    flux[pixel : pixel + 2] += 30 * error[pixel]
    result = fitted(flux, error, clip_sigma=clip)
    assert result.n_clipped == n_clipped
    assert result.chi2_reduced == pytest.approx(chi2, abs=0.1)
    assert abs(result.v_star - usual[1].v_star) < usual[1].v_star_err


def test_a_wing_of_a_line_is_not_clipped(fitted):
    """The same two pixels 800 km/s from [OIII] could be an outflow."""
    flux, error = noisy()
    pixel = np.argmin(np.abs(REST - 5008.24 * np.exp(800 / C_KMS)))
    flux[pixel : pixel + 2] += 30 * error[pixel]
    assert fitted(flux, error).n_clipped == 0


def test_a_calibration_error_within_its_prior_is_absorbed(usual, fitted):
    """A response curved by 1 %, as much as the prior expects, in the third Legendre term."""
    spectrum, straight = usual
    x = np.interp(REST, spectrum.wave, np.linspace(-1, 1, spectrum.wave.size))
    response = 1 + 0.01 * np.polynomial.legendre.legval(x, [0, 0, 0, 1])
    curved = fitted(*(response * values for values in noisy()))
    assert curved.polynomial[2] - straight.polynomial[2] == pytest.approx(0.01, rel=0.15)
    assert abs(curved.ebv_star - straight.ebv_star) < 0.1 * scatter(straight.ebv_draw)
    assert curved.chi2_reduced == pytest.approx(straight.chi2_reduced, abs=0.005)


def test_polynomials_shrink_with_the_prior(usual, fitted):
    narrow, wide = (fitted(*noisy(), calibration_error=size) for size in (0.003, 0.03))
    sizes = [np.linalg.norm(result.polynomial) for result in (narrow, usual[1], wide)]
    assert sizes[0] < 0.8 * sizes[1] < 0.8 * sizes[2]
    # What the polynomial may not do is left in the residuals.
    assert narrow.chi2_reduced > usual[1].chi2_reduced > wide.chi2_reduced


@pytest.mark.parametrize("ebv", [0.0, 0.4, 0.8, 1.2])
def test_dust_from_the_polynomial_alone(fitted, ebv):
    """Within 0.01 mag plus three errors; nothing but the curve bends the spectrum."""
    result = fitted(*behind_dust(noisy(response=0.0), ebv), attenuation="polynomial")
    assert result.status == FitStatus.OK
    assert result.ebv_star == pytest.approx(ebv, abs=0.01 + 3 * scatter(result.ebv_draw))
    assert scatter(result.ebv_draw) < 0.01


@pytest.fixture(scope="module")
def quiet_and_loud(fitted):
    """Errors of log age, E(B-V) and equivalent widths with noise of one and of twice the size, by calibration error."""
    templates = stars()
    table = template_table(load_library("mastar"), templates.age, templates.metallicity)
    strong = [LINES.index(name) for name in FLUX]

    def errors(scale, calibration_error):
        # With seed 0 the engines' solutions, alike in chi2 to 0.02, share the light of old templates differently, and the
        # draws about one are wider by half: as far as draws about a solution at the edge of what is allowed can tell.
        spectrum = behind_dust(noisy(120.0, seed=1, scale=scale, response=0.0), 0.3)
        result = fitted(*spectrum, n_draw=64, calibration_error=calibration_error)
        labels = population_labels(result.weights[None], population_values(result.weights_draw[None], table), table)
        return np.array([labels["log_age_lw"].error[0], scatter(result.ebv_draw), *result.line_ew_err[strong]])

    return {size: (errors(1.0, size), errors(2.0, size)) for size in (1e-4, 0.01)}


def test_twice_the_noise_gives_twice_the_errors_of_labels(quiet_and_loud):
    quiet, loud = quiet_and_loud[1e-4]
    np.testing.assert_allclose(loud / quiet, 2.0, rtol=0.1)


def test_the_calibration_is_a_part_of_the_error_of_dust_that_noise_does_not_change(quiet_and_loud):
    """Age and equivalent widths still follow the noise; E(B-V) of a bright spectrum is as good as its calibration."""
    (age, dust, *widths), (age_loud, dust_loud, *widths_loud) = quiet_and_loud[0.01]
    np.testing.assert_allclose([age_loud / age, *np.divide(widths_loud, widths)], 2.0, rtol=0.1)
    assert dust_loud < 1.3 * dust
    # The part of the noise is what is there without an error of the calibration.
    assert dust > 3 * quiet_and_loud[1e-4][0][1]
