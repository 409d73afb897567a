"""Bad spectra: a named status or flag for each fault, and never a number that is silently missing."""

import numpy as np
import pytest
from engines import ENGINES, fitted

from mangrove.codes import FitStatus, LabelFlag, LineStatus
from mangrove.errors import TemplateError
from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.galaxy import GalaxyFit, as_columns
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import broaden, gas_templates, match_lsf
from mangrove.spectra.labels.galaxy_labels import baxel_labels, dispersion_flag, line_flag
from mangrove.spectra.labels.label import is_clean
from mangrove.spectra.labels.populations import template_table
from mangrove.ssp.loading import load_library

# Their fits are one program, which one worker compiles.
pytestmark = pytest.mark.xdist_group("one spectrum")

Z = 0.03
LIBRARY = load_library("mastar")
TABLE = template_table(LIBRARY)
REST = LIBRARY.wave
WAVE = REST * (1 + Z)
STEP = 1e-4 * np.log(10)
#: Line spread in the rest frame, sigma in Angstrom, coarser than MaStar.
SIGMA = REST / 1200.0 / 2.3548
STARS = match_lsf(LIBRARY, STEP, REST, SIGMA)
LINES = fit_lines()
HALPHA, HBETA = LINES.index("Halpha_6565"), LINES.index("Hbeta_4863")
SETTINGS = FitSettings(n_draw=4)
FLUX = {"Halpha_6565": 30.0, "NII_6585": 10.0, "Hbeta_4863": 9.0, "OIII_5008": 15.0}


def spectrum_of(continuum=1.0, lines=FLUX, sigma=150.0, stars=STARS, line_spread=SIGMA, velocity=0.0, snr=60.0, seed=5):
    """A 3 Gyr population and lines, and its error; the unit of the lines is that of the spectrum times pixels."""
    old = np.flatnonzero((stars.age == 3.0) & (stars.metallicity == 0.0))
    flux = continuum * broaden(stars.flux[:, old], STEP, velocity, sigma)[:, 0]
    gas = gas_templates(LINES, np.ones(len(LINES.name), bool), REST, np.interp(LINES.wave, REST, line_spread))
    area = np.array([lines.get(LINES.name[i], 0.0) for i in gas.free])
    flux = flux + broaden(gas.flux, STEP, velocity, 70.0) @ area
    error = np.full(REST.size, 1.0 / snr)
    return flux + error * np.random.default_rng(seed).normal(size=REST.size), error


@pytest.fixture(scope="module", params=ENGINES)
def fit(request):
    """A function that fits a spectrum by an engine."""

    def one(flux, error, settings=SETTINGS, mask=None, stars=STARS, line_spread=SIGMA):
        mask = np.zeros(WAVE.size) if mask is None else mask
        ivar = np.where(error > 0, 1.0 / np.where(error > 0, error, 1.0) ** 2, 0.0)
        spectrum = prepare(WAVE, flux, ivar, mask, line_spread * (1 + Z), Z, np.ones(WAVE.size), settings)
        (result,) = fitted(request.param, GalaxyFit(Z, stars, LINES, settings), [spectrum])
        return result

    return one


def labels(result: FitResult, settings=SETTINGS):
    columns = as_columns([result], GalaxyFit(Z, STARS, LINES, settings), np.zeros(1))
    return baxel_labels(columns, TABLE, Z, 0.5)


def no_silent_nan(result: FitResult):
    """Every missing label has a flag, every missing line a status or a flag, all kinematics a status."""
    for name, label in labels(result).items():
        assert np.isfinite(label.value[0]) or label.flag[0], name
    flags = line_flag(result.line_status, result.line_continuum, result.line_shape)
    assert np.all(np.isfinite(result.line_flux) | (flags & LabelFlag.LINE_MISSING > 0))
    assert np.all(np.isfinite(result.line_ew) | (flags > 0))
    if not np.isfinite([result.v_star, result.sigma_star, result.v_gas, result.sigma_gas]).all():
        assert result.status != FitStatus.OK


def test_hbeta_outside_of_the_range(fit):
    result = fit(*spectrum_of(), SETTINGS._replace(rest_range=(5000.0, 7400.0)))
    assert result.status == FitStatus.OK
    assert result.line_status[HBETA] == LineStatus.OUTSIDE_RANGE and np.isnan(result.line_flux[HBETA])
    assert result.line_status[HALPHA] == LineStatus.OK
    out = labels(result)
    for name in ("ebv_gas", "log_sfr_density", "log_ssfr", "d_bpt"):
        assert np.isnan(out[name].value[0]) and out[name].flag[0] & LabelFlag.LINE_MISSING, name
    assert is_clean(out["log_age_lw"])[0]
    no_silent_nan(result)


def test_a_negative_balmer_decrement(fit):
    result = fit(*spectrum_of(lines=FLUX | {"Hbeta_4863": 20.0}))
    out = labels(result)
    assert out["ebv_gas"].value[0] < 0 and out["ebv_gas"].flag[0] == LabelFlag.NEGATIVE_DECREMENT
    # No dust is assumed, and the label is there.
    assert np.isfinite(out["log_sfr_density"].value[0])
    assert out["log_sfr_density"].flag[0] == LabelFlag.NEGATIVE_DECREMENT
    no_silent_nan(result)


def test_negative_stellar_continuum_leaves_the_lines(fit):
    result = fit(*spectrum_of(continuum=-1.0))
    assert result.status == FitStatus.NO_STELLAR_CONTINUUM
    seen = result.line_status == LineStatus.OK
    flags = line_flag(result.line_status, result.line_continuum, result.line_shape)
    assert np.all(np.isnan(result.line_ew[seen])) and np.all(flags[seen] & LabelFlag.ZERO_CONTINUUM)
    out = labels(result)
    for name in ("log_age_lw", "metallicity_mw", "log_ml_r", "log_mass_density", "log_ssfr"):
        assert np.isnan(out[name].value[0]) and out[name].flag[0] & LabelFlag.NO_WEIGHTS, name
    # The lines are still measured.
    assert result.line_flux[HALPHA] > 5 * result.line_flux_err[HALPHA]
    no_silent_nan(result)


def test_lines_on_noise_alone(fit):
    """The stellar continuum is then what noise allows, and its kinematics run to a bound: a status, and large errors."""
    result = fit(*spectrum_of(continuum=0.0))
    assert result.status in (FitStatus.NO_STELLAR_CONTINUUM, FitStatus.VELOCITY_AT_BOUND, FitStatus.SIGMA_STAR_AT_BOUND)
    assert result.line_flux[HALPHA] > 10 * result.line_flux_err[HALPHA]
    no_silent_nan(result)


@pytest.mark.parametrize("seed", [106, 121])
def test_weak_lines_on_noise_alone_are_where_they_are(fit, seed):
    """The velocity of the stars is noise, 700 and 1000 km/s off in these, and says nothing about that of the gas."""
    result = fit(*spectrum_of(continuum=0.0, lines={name: 0.01 * flux for name, flux in FLUX.items()}, seed=seed))
    assert result.status == FitStatus.NO_STELLAR_CONTINUUM
    assert abs(result.v_gas) < 3 * result.v_gas_err < 100
    assert result.line_flux[HALPHA] > 4 * result.line_flux_err[HALPHA]


def test_templates_that_do_not_cover_the_range_say_which_range_they_would():
    with pytest.raises(TemplateError, match=r"fit.rest_range 3000-7400 shifted by 1900 km/s .* within 3645-10276,"):
        match_lsf(LIBRARY, STEP, REST, SIGMA, (3000.0, 7400.0))


def test_all_inverse_variances_zero(fit):
    result = fit(spectrum_of()[0], np.zeros(REST.size))
    assert result.status == FitStatus.ALL_MASKED and result.n_pixel == 0
    assert all(label.flag[0] & LabelFlag.NO_FIT for label in labels(result).values())
    no_silent_nan(result)


def test_all_template_weights_zero(fit):
    out = labels(fit(*spectrum_of())._replace(weights=np.zeros(TABLE.light.size)))
    for name in ("log_age_lw", "metallicity_lw", "log_age_mw", "metallicity_mw", "log_ml_r", "log_mass_density"):
        assert np.isnan(out[name].value[0]) and out[name].flag[0] & LabelFlag.NO_WEIGHTS, name


def test_flux_that_is_not_finite_is_masked(fit):
    flux, error = spectrum_of()
    clean = fit(flux, error, mask=(np.arange(REST.size) % 50 == 0))
    flux[::50] = np.nan
    broken = fit(flux, error)
    assert broken.status == FitStatus.OK
    assert broken.v_star == pytest.approx(clean.v_star) and broken.n_pixel == clean.n_pixel


def test_a_correction_for_the_line_spread_above_the_measured_dispersion(fit):
    """Stars at rest seen by an instrument much finer than the library."""
    fine = LIBRARY.fwhm / 2.3548 * 0.3
    stars = match_lsf(LIBRARY, STEP, REST, fine)
    result = fit(*spectrum_of(sigma=1.0, stars=stars, line_spread=fine), stars=stars, line_spread=fine)
    assert result.sigma_star_correction > result.sigma_star_fit**2
    assert result.status == FitStatus.SIGMA_BELOW_LSF
    assert dispersion_flag([result.status])[0] == LabelFlag.BELOW_LSF
    # The value is the library's own excess width, and neither NaN nor imaginary.
    assert result.sigma_star == pytest.approx(np.sqrt(result.sigma_star_correction + result.sigma_star_fit**2))
    # Populations do not suffer.
    assert is_clean(labels(result)["log_age_lw"])[0]
    no_silent_nan(result)


@pytest.mark.parametrize("lines", [FLUX, {}])
@pytest.mark.parametrize("velocity", [1000.0, -1000.0])
def test_a_redshift_wrong_by_1000_km_s_is_flagged(fit, velocity, lines):
    """With strong lines the stars may end in a false minimum: then their dispersion is at its bound."""
    result = fit(*spectrum_of(velocity=velocity, lines=lines, snr=30.0))
    assert result.status in (FitStatus.VELOCITY_AT_BOUND, FitStatus.SIGMA_STAR_AT_BOUND)
    assert all(label.flag[0] & LabelFlag.AT_BOUND for label in labels(result).values())
    no_silent_nan(result)
