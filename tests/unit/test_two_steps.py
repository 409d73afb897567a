"""Kinematics of bright baxels first: what they do to the others, against truth and against the free fit."""

import numpy as np
import pytest
from engines import ENGINES

from mangrove.codes import FitStatus
from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.batched.engine import Member, fit_group
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.ppxf.pool import fit_galaxy
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.results import no_fit
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.templates import StellarTemplates, broaden, match_lsf
from mangrove.spectra.fit.two_steps import gradients, nearest
from mangrove.ssp.loading import load_library

Z = 0.03
RANGE = (4800.0, 6800.0)
WAVE = load_library("mastar").wave * (1 + Z)
LSF = WAVE / 1500.0 / 2.3548
STEP = np.log(WAVE[1] / WAVE[0])
#: Two halves of a turning disc, each a bright baxel with faint ones around, the last of which has no light.
V = np.array([100.0, 100.0, 100.0, -100.0, -100.0, 0.0])
SIGMA = 120.0
SNR = np.array([70.0, 6.0, 6.0, 70.0, 6.0, 0.0])
X, Y = np.array([0.0, 2.0, 3.0, 20.0, 18.0, 19.0]), np.zeros(6)
BRIGHT, FAINT = [0, 3], [1, 2, 4]
#: A fit of 5 km/s in velocity, 6 in dispersion.
KINEMATICS = no_fit(0, 0, StellarTemplates(*[np.zeros((1, 1))] * 5), fit_lines(), FitSettings())._replace(
    v_star=50.0, v_star_err=5.0, sigma_star=100.0, sigma_star_err=6.0, sigma_star_fit=100.0
)


def galaxy(**chosen) -> tuple[GalaxyFit, list]:
    """The galaxy with its spectra: half old, half young stars."""
    settings = FitSettings(rest_range=RANGE, polynomial_degree=2, n_draw=2, **chosen)
    library = load_library("mastar")
    templates = match_lsf(library, STEP, WAVE / (1 + Z), LSF / (1 + Z), RANGE)
    full = match_lsf(library, STEP, WAVE / (1 + Z), LSF / (1 + Z))
    mixture = full.flux[:, (full.age > 8) & (full.metallicity == 0.0)].sum(1) + full.flux[:, full.age < 1].mean(1)
    rng, spectra = np.random.default_rng(7), []
    for v, snr in zip(V, SNR, strict=True):
        clean = broaden(mixture[:, None], STEP, v, SIGMA)[:, 0]
        error = np.full(WAVE.size, np.median(clean) / max(snr, 1.0))
        flux = clean + error * rng.standard_normal(WAVE.size) if snr else np.zeros(WAVE.size)
        nothing = np.zeros(WAVE.size)
        spectra.append(prepare(WAVE, flux, error**-2.0, nothing, LSF, Z, np.ones(WAVE.size), settings))
    return GalaxyFit(Z, templates, fit_lines(), settings), spectra


def fitted(engine, **chosen):
    if engine == "batched":
        return fit_group([Member(*galaxy(**chosen), SNR, X, Y)])[0]
    return fit_galaxy(*galaxy(**chosen), SNR, X, Y, 1)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def ways(engine):
    return {how: fitted(engine, stellar_kinematics=how, kinematics_range=30.0) for how in ("free", "bounded", "fixed")}


def column(fits, name, rows):
    return np.array([getattr(fits.results[i], name) for i in rows])


def test_bright_baxels_are_fitted_freely_whatever_the_way(ways):
    for name in ("v_star", "sigma_star", "chi2_reduced"):
        values = [column(fits, name, BRIGHT) for fits in ways.values()]
        assert np.array_equal(values[0], values[1]) and np.array_equal(values[0], values[2])
    assert np.allclose(column(ways["fixed"], "v_star", BRIGHT), V[BRIGHT], atol=10)


def test_each_faint_baxel_is_guided_by_the_nearest_bright_one(ways):
    assert np.all(ways["free"].guided_by == -1)
    for how in ("bounded", "fixed"):
        assert ways[how].guided_by.tolist() == [-1, 0, 0, -1, 3, 3]


def test_fixed_takes_velocity_and_dispersion(ways):
    fits = ways["fixed"]
    for name in ("v_star", "sigma_star_fit"):
        assert np.array_equal(column(fits, name, FAINT), column(fits, name, fits.guided_by[FAINT]))


def test_errors_of_taken_velocities_grow_with_distance_as_the_disc_turns(ways):
    """The bright baxels differ by 200 km/s over 20 spaxels: 10 km/s for every spaxel away from the guide."""
    fits = ways["fixed"]
    away = np.abs(X[FAINT] - X[fits.guided_by[FAINT]])
    own = column(fits, "v_star_err", fits.guided_by[FAINT])
    assert np.allclose(column(fits, "v_star_err", FAINT), np.hypot(own, 10.0 * away), rtol=0.04)


def test_noise_alone_makes_no_gradient():
    rng, n = np.random.default_rng(3), 400
    still = [one._replace(v_star=v) for one, v in zip([KINEMATICS] * n, rng.normal(50.0, 5.0, n), strict=True)]
    assert gradients(still, *rng.uniform(0, 300, (2, n)))[0] < 0.5
    assert np.array_equal(gradients(still[:1], X[:1], Y[:1]), [0.0, 0.0])


def test_bounded_stays_within_the_bounds(ways):
    fits = ways["bounded"]
    for name in ("v_star", "sigma_star_fit"):
        away = np.abs(column(fits, name, FAINT) - column(fits, name, fits.guided_by[FAINT]))
        assert np.all(away <= 30.001)


def test_a_bounded_fit_at_its_bound_is_flagged(engine):
    narrow = fitted(engine, stellar_kinematics="bounded", kinematics_range=0.5)
    status = column(narrow, "status", FAINT)
    assert np.all(np.isin(status, [FitStatus.VELOCITY_AT_BOUND, FitStatus.SIGMA_STAR_AT_BOUND]))


def test_guided_kinematics_are_nearer_to_the_truth(ways):
    def rms(how):
        return np.sqrt(np.mean((column(ways[how], "v_star", FAINT) - V[FAINT]) ** 2))

    assert rms("fixed") < 8 < rms("free")


def test_populations_agree_with_those_of_the_free_fit_within_their_errors(ways):
    ages = np.log10(galaxy()[0].stars.age)
    for i in FAINT:
        light = [ways[how].results[i].weights for how in ("free", "fixed")]
        age = [np.sum(w * ages) / w.sum() for w in light]
        draws = ways["free"].results[i].weights_draw
        error = np.std(draws @ ages / draws.sum(1))
        assert abs(age[0] - age[1]) < max(3 * error, 0.1)


def test_a_baxel_without_light_is_no_guide_and_keeps_its_status(ways):
    assert ways["fixed"].results[5].status == FitStatus.NO_STELLAR_CONTINUUM


def test_a_galaxy_without_bright_baxels_is_fitted_freely(engine):
    fits = fitted(engine, stellar_kinematics="fixed", bright_snr=1000.0)
    assert np.all(fits.guided_by == -1)


def test_equally_near_candidates_give_the_first():
    at = np.array([0.0, 2.0, 1.0])
    assert nearest(np.array([0, 1]), np.array([2]), at, at).tolist() == [0]
