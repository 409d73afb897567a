"""Fits through batches: those of the pPXF engine, whatever shares the batch, on one device or on two."""

import json
import logging
from pathlib import Path

import batched_spectra
import jax
import numpy as np
import pytest
from one_spectrum import LSF, WAVE, noisy
from test_batched_engine import python
from two_devices import TWO_DEVICES

from mangrove.codes import FitStatus
from mangrove.spectra.fit.batched import devices, engine
from mangrove.spectra.fit.batched.engine import fit_all
from mangrove.spectra.fit.ppxf import pool
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.templates import match_lsf
from mangrove.ssp.loading import load_library, younger_than

CHOSEN = {"polynomial_degree": 2, "n_draw": 2}
N_GOOD = 4
#: Pixels of the whole spectrum with a spike: two of the continuum, and one of [OIII], which is real.
SPIKES = np.searchsorted(WAVE / (1 + batched_spectra.Z), [5090.0, 5330.0, 5008.24])


def prepared(flux, ivar, mask=None, z=batched_spectra.Z):
    galaxy = batched_spectra.galaxies(**CHOSEN)[0]
    mask = np.zeros(WAVE.size, int) if mask is None else mask
    return prepare(WAVE, flux, ivar, mask, LSF, z, np.ones(WAVE.size), galaxy.settings, 5)


def good_spectra():
    """Of which the last has spikes."""
    given = [noisy(snr, seed) for seed, snr in enumerate((60.0, 20.0, 30.0, 40.0))]
    flux, error = given[-1]
    flux[SPIKES] += np.array([30.0, -30.0, 30.0]) * error[SPIKES]
    return [prepared(flux, error**-2.0) for flux, error in given]


def bad_spectra():
    """By what is wrong with them."""
    flux, error = noisy(30.0, 9)
    ivar, some = error**-2.0, np.arange(WAVE.size) % 7 == 0
    return {
        "NaN": prepared(np.where(some, np.nan, flux), ivar),
        "infinite": prepared(np.where(some, np.inf, flux), ivar),
        "infinite weight": prepared(flux, np.where(some, np.inf, ivar)),
        "zero errors": prepared(flux, np.zeros_like(ivar)),
        "masked": prepared(flux, ivar, np.ones(WAVE.size, int)),
        "negative": prepared(-flux, ivar),
        "zero": prepared(np.zeros_like(flux), ivar),
        "noise": prepared(flux * 1e-3 + error * np.random.default_rng(0).normal(size=WAVE.size), ivar),
    }


@pytest.fixture(scope="module", autouse=True)
def few_sizes():
    """Batches of four; what is compiled here is for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "MOST_ON_CPU", 4)
        patch.setattr(engine, "keep_compiled", lambda: None)
        yield


@pytest.fixture(scope="module")
def galaxy():
    return batched_spectra.galaxies(**CHOSEN)[0]


@pytest.fixture(scope="module")
def results(galaxy):
    return fit_all(galaxy, good_spectra())


@pytest.fixture(scope="module")
def references(galaxy):
    return pool.fit_all(galaxy, good_spectra(), 1)


def assert_alike(one: FitResult, other: FitResult, rtol: float, of_draws: float | None = None):
    """Every number of two results; those of draws, and errors that rest on them, may have a tolerance of their own."""
    limits = dict.fromkeys(FitResult._fields, rtol)
    limits |= dict.fromkeys(("weights_draw", "ebv_draw", "line_ew_err"), of_draws or rtol)
    for name, rtol in limits.items():
        a, b = (np.asarray(getattr(r, name), float) for r in (one, other))
        size = np.max(np.abs(b[np.isfinite(b)]), initial=1e-300)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * size, err_msg=name)


@pytest.mark.parametrize("i", range(N_GOOD))
def test_a_fit_is_that_of_the_ppxf_engine(results, references, i):
    ours, other = results[i], references[i]
    for name in ("v_star", "sigma_star", "v_gas", "sigma_gas"):
        error = getattr(other, f"{name}_err")
        assert getattr(ours, name) == pytest.approx(getattr(other, name), abs=0.3 * error), name
        assert getattr(ours, f"{name}_err") == pytest.approx(error, rel=0.15), name
    np.testing.assert_array_less(np.abs(ours.line_flux - other.line_flux), 0.3 * other.line_flux_err + 1e-12)
    n_left = ours.n_pixel - ours.n_free
    assert ours.chi2_reduced * n_left < other.chi2_reduced * (other.n_pixel - other.n_free) + 0.5
    for name in ("status", "gas_model", "n_clipped", "n_pixel"):
        assert getattr(ours, name) == getattr(other, name), name
    np.testing.assert_array_equal(ours.line_status, other.line_status)


def test_results_have_the_types_and_shapes_of_the_ppxf_engine(results, references):
    for name in FitResult._fields:
        ours, other = (np.array([getattr(r, name) for r in of]) for of in (results, references))
        assert (ours.dtype, ours.shape) == (other.dtype, other.shape), name
    assert all(type(r.status) is FitStatus for r in results)
    weights = np.array([r.weights for r in results])
    assert np.all(weights >= 0) and np.all(np.count_nonzero(weights, axis=1) < 20)


def test_spikes_are_clipped_and_the_spectra_beside_it_are_the_same_to_the_bit(galaxy, results):
    assert [r.n_clipped for r in results] == [0, 0, 0, 2]
    clean = [*good_spectra()[:3], good_spectra()[0]]
    for one, other in zip(fit_all(galaxy, clean)[:3], results, strict=False):
        assert_alike(one, other, 0.0)


def test_a_spectrum_has_one_result_alone_and_in_any_batch_and_order(galaxy, results):
    spectra = good_spectra()
    assert_alike(fit_all(galaxy, spectra[:1])[0], results[0], 1e-6)
    turned = fit_all(galaxy, [spectra[i] for i in (3, 1, 0, 2, 2)])
    for one, i in zip(turned, (3, 1, 0, 2, 2), strict=True):
        assert_alike(one, results[i], 1e-6)


def test_a_second_galaxy_compiles_nothing_anew(galaxy, results, caplog):
    """Another redshift, templates of another resolution, other spectra."""
    z = galaxy.z + 0.0003
    rest_range = batched_spectra.RANGES[0]
    stars = match_lsf(load_library("mastar"), 1e-4 * np.log(10), WAVE / (1 + z), 1.02 * LSF / (1 + z), rest_range)
    other = galaxy._replace(z=z, stars=stars)
    spectra = [prepared(flux, error**-2.0, z=z) for flux, error in (noisy(35.0, seed) for seed in range(7, 7 + N_GOOD))]
    with jax.log_compiles(), caplog.at_level(logging.DEBUG, logger="jax"):
        found = fit_all(other, spectra)
    assert [result.status for result in found] == [FitStatus.OK] * N_GOOD
    assert [record.getMessage() for record in caplog.records if "XLA compilation" in record.getMessage()] == []


def test_galaxies_with_different_numbers_of_templates_share_a_batch(galaxy, results):
    """As at other redshifts; what has more templates is another program, which may round draws differently."""
    library = younger_than(load_library("mastar"), 5.0)
    rest_range = batched_spectra.RANGES[0]
    stars = match_lsf(library, 1e-4 * np.log(10), WAVE / (1 + galaxy.z), LSF / (1 + galaxy.z), rest_range)
    fewer, spectra = galaxy._replace(stars=stars), good_spectra()
    assert stars.flux.shape[1] < galaxy.stars.flux.shape[1]
    members = [engine.Member(g, spectra[i : i + 2], *np.ones((3, 2))) for i, g in enumerate((fewer, galaxy))]
    ours, others = (fits.results for fits in engine.fit_group(members))
    for one, alone in zip(ours, fit_all(fewer, spectra[:2]), strict=True):
        assert_alike(one, alone, 1e-6, of_draws=1e-3)
    for one, alone in zip(others, results[1:3], strict=True):
        assert_alike(one, alone, 1e-6)


def test_bad_spectra_have_the_statuses_of_the_ppxf_engine_and_harm_no_other(galaxy, results):
    bad = bad_spectra()
    mixed = [one for pair in zip(good_spectra() * 2, bad.values(), strict=True) for one in pair]
    found = fit_all(galaxy, mixed)
    for i in range(2 * N_GOOD):
        assert_alike(found[2 * i], results[i % N_GOOD], 1e-6)
    references = pool.fit_all(galaxy, list(bad.values()), 1)
    statuses = dict(zip(bad, (r.status for r in found[1::2]), strict=True))
    assert statuses == dict(zip(bad, (r.status for r in references), strict=True))
    assert statuses["masked"] == statuses["zero errors"] == FitStatus.ALL_MASKED
    assert statuses["zero"] == statuses["negative"] == FitStatus.NO_STELLAR_CONTINUUM


TOGETHER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import test_batched_fits as t
from mangrove.spectra.fit.batched import forms
forms.together = lambda: True
t.devices.MOST_ON_CPU = 8
galaxy = t.batched_spectra.galaxies(**t.CHOSEN)[0]
good = t.good_spectra()
found = t.fit_all(galaxy, [*good[:2], t.bad_spectra()["negative"], *good[2:]])
print(json.dumps([[t.np.asarray(v, float).tolist() for v in result] for result in found]))
"""


def test_the_form_of_accelerators_gives_what_that_of_a_cpu_gives(results, tmp_path):
    """Spectra are computed together there, beside those that only fill the batch."""
    # Matrices that are factorised many at a time may wait for each other for ever on the threads of a CPU.
    flags = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "XDG_CACHE_HOME": str(tmp_path)}
    *first, negative, third, last = json.loads(python(TOGETHER, Path(__file__).parent, **flags))
    assert FitResult(*negative).status == FitStatus.NO_STELLAR_CONTINUUM
    for one, other in zip([*first, third, last], results, strict=True):
        # Draws divide light among templates that are nearly alike: what was rounded differently may go to the other.
        assert_alike(FitResult(*one), other, 1e-6, of_draws=1e-3)


ON_TWO = """
import json, sys
sys.path.insert(0, sys.argv[1])
import jax
import test_batched_fits as t
t.devices.MOST_ON_CPU = 2
galaxy = t.batched_spectra.galaxies(**t.CHOSEN)[0]
runs = [t.fit_all(galaxy, t.good_spectra()) for _ in range(2)]
as_lists = [[[t.np.asarray(v, float).tolist() for v in r] for r in run] for run in runs]
print(json.dumps([len(jax.devices()), *as_lists]))
"""


def test_two_devices_give_what_one_gives_and_the_same_bytes_each_time(results, tmp_path):
    flags = TWO_DEVICES | {"XDG_CACHE_HOME": str(tmp_path)}
    n, once, again = json.loads(python(ON_TWO, Path(__file__).parent, **flags))
    assert n == 2 and json.dumps(once) == json.dumps(again)
    for one, other in zip(once, results, strict=True):
        # Draws divide light among templates that are nearly alike, and programs of two processes may round differently.
        assert_alike(FitResult(*one), other, 1e-6, of_draws=1e-3)
