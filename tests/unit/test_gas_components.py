"""A second and a broad component of the gas: taken where the lines have them, with totals, errors and kinematics right."""

import numpy as np
import pytest
from engines import ENGINES
from one_spectrum import LINES, SETTINGS, WAVE, Z, fit, stars
from simulated_lines import (
    BROAD,
    HALPHA,
    HBETA,
    IN_FULL,
    OIII,
    ONE,
    RATIO,
    TWO,
    Gas,
    emission,
    fits,
    hbeta_flux,
    stellar_continuum,
)

from mangrove.codes import GasModel
from mangrove.physics.lines import BROAD_LINES
from mangrove.spectra.fit.component_names import BROAD as BROAD_ROW
from mangrove.spectra.fit.component_names import MAIN, SECOND
from mangrove.spectra.fit.model import model_spectrum

# Their fits are one program, which one worker compiles.
pytestmark = pytest.mark.xdist_group("one spectrum")

ALL = SETTINGS._replace(gas_components=2, broad_lines=True)
#: A stellar continuum of S/N 30, the line of 100.
N = 12 if IN_FULL else 3
BOTH = Gas(((0.0, 60.0, 0.77), (-250.0, 180.0, 0.23)), (0.0, 2000.0, 1.0))


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    return request.param


def true(gas, i, of, line_snr=100):
    return hbeta_flux(30.0, line_snr, of) * RATIO[LINES.name[i]] * gas.share(i)


def pulls(results, gas, i, of):
    return np.array([(r.line_flux[i] - true(gas, i, of)) / r.line_flux_err[i] for r in results])


#: 150 km/s apart and alike: one Gaussian to the data at S/N 100.
CLOSE = "150 km/s, 1:1"


@pytest.mark.parametrize("name", sorted(TWO.keys() - {CLOSE}))
def test_totals_of_two_components_are_those_put_in(engine, name):
    gas = TWO[name]
    results = fits(gas, N, 100, OIII, settings=ALL, seed=9, engine=engine)
    assert [r.gas_model for r in results] == [GasModel.TWO_GAUSSIANS] * N
    for i in (OIII, HALPHA, HBETA):
        off = pulls(results, gas, i, OIII)
        # Three standard errors of the mean of N pulls.
        assert abs(off.mean()) < 3 / np.sqrt(N) and np.all(np.abs(off) < 4)
    assert np.mean([r.line_shape.any() for r in results]) < 0.3


def test_the_total_of_two_components_too_close_to_tell_is_right_all_the_same(engine):
    for r in fits(TWO[CLOSE], 2, 100, OIII, settings=ALL, engine=engine):
        for i in (OIII, HALPHA, HBETA):
            assert r.line_flux[i] == pytest.approx(true(TWO[CLOSE], i, OIII), rel=0.04)


def test_kinematics_and_fluxes_of_two_components_are_right_and_the_narrow_one_is_first(engine):
    gas = TWO["400 km/s, 0.3, wide"]
    for r in fits(gas, N, 100, OIII, settings=ALL, seed=9, engine=engine):
        for row, (v, sigma, part) in zip((MAIN, SECOND), gas.components, strict=True):
            assert r.component_v[row] == pytest.approx(v, abs=4.5 * r.component_v_err[row])
            assert r.component_sigma[row] == pytest.approx(sigma, abs=4.5 * r.component_sigma_err[row])
            flux, error = (values[row, OIII] for values in (r.component_flux, r.component_flux_err))
            assert flux == pytest.approx(part * true(gas, OIII, OIII), abs=4.5 * error)
        assert (r.v_gas, r.sigma_gas) == (r.component_v[MAIN], r.component_sigma[MAIN])
        assert np.nansum(r.component_flux[:, OIII]) == pytest.approx(r.line_flux[OIII])
        assert np.isnan(r.component_v[BROAD_ROW]) and np.all(np.isnan(r.component_flux[BROAD_ROW]))


@pytest.mark.parametrize("name", BROAD)
def test_broad_balmer_lines_are_found_and_their_totals_right(engine, name):
    gas = BROAD[name]
    results = fits(gas, N, 300, HALPHA, settings=ALL, seed=9, engine=engine)
    assert [r.gas_model for r in results] == [GasModel.ONE_AND_BROAD] * N
    # The stellar continuum beneath 400 Angstrom of wings is known to a per cent of the line, which is not noise.
    for i in (HALPHA, HBETA):
        found = np.mean([r.line_flux[i] for r in results])
        assert found == pytest.approx(true(gas, i, HALPHA, 300), rel=0.03)
    sigma = gas.broad[1]
    assert np.median([r.component_sigma[BROAD_ROW] for r in results]) == pytest.approx(sigma, rel=0.05)
    only = np.isin(LINES.name, BROAD_LINES)
    assert all(np.array_equal(np.isfinite(r.component_flux[BROAD_ROW]), only) for r in results)


def test_two_components_and_a_broad_one(engine):
    results = fits(BOTH, N, 300, HALPHA, settings=ALL, seed=9, engine=engine)
    assert [r.gas_model for r in results] == [GasModel.TWO_AND_BROAD] * N
    for i in (HALPHA, OIII):
        assert np.mean([r.line_flux[i] for r in results]) == pytest.approx(true(BOTH, i, HALPHA, 300), rel=0.03)


def test_a_single_gaussian_stays_one(engine):
    results = [
        r
        for gas in ONE.values()
        for s in (10, 100, 300)
        for r in fits(gas, N, s, OIII, settings=ALL, seed=s, engine=engine)
    ]
    assert {r.gas_model for r in results} == {GasModel.ONE_GAUSSIAN}
    assert all(r.gas_bic_gain == 0.0 for r in results)


def test_each_component_is_used_only_where_it_is_asked_for(engine):
    gas = BOTH
    models = {}
    for components, broad in ((1, False), (2, False), (1, True)):
        settings = SETTINGS._replace(gas_components=components, broad_lines=broad)
        (r,) = fits(gas, 1, 300, HALPHA, settings=settings, engine=engine)
        models[components, broad] = r.gas_model
        assert r.component_v.shape == (3 if broad else components,)
    assert models == {
        (1, False): GasModel.ONE_GAUSSIAN,
        (2, False): GasModel.TWO_GAUSSIANS,
        (1, True): GasModel.ONE_AND_BROAD,
    }


def test_the_model_of_several_components_is_stored_whole(engine):
    clean = stellar_continuum() + emission(BOTH, hbeta_flux(30.0, 300, HALPHA))
    error = np.full(WAVE.size, 1 / 30)
    noise = error * np.random.default_rng(1).standard_normal(WAVE.size)
    spectrum, r = fit(clean + noise, error, settings=ALL, engine=engine)
    assert r.n_clipped == 0
    model = model_spectrum(spectrum, Z, r, stars(), LINES)
    residual = ((spectrum.flux - model.stars - model.gas) / spectrum.error)[spectrum.good]
    assert np.sum(residual**2) == pytest.approx(r.chi2_reduced * (r.n_pixel - r.n_free), rel=1e-6)
