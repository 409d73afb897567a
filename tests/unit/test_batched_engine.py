"""How spectra of several galaxies get through batches; a toy stands in for the fit."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import batched_spectra
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from two_devices import TWO_DEVICES

from mangrove.codes import FitStatus, GasModel
from mangrove.spectra.fit.batched import devices, engine, pool
from mangrove.spectra.fit.batched.engine import Member, fit_all, fit_group
from mangrove.spectra.fit.batched.pool import Pending
from mangrove.spectra.fit.batched.sizes import Sizes
from mangrove.spectra.fit.results import FitResult, no_fit

OUT_OF_MEMORY = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8589934592 bytes.")


def mean_flux(batch):
    """Of the good pixels, and the first template's place: what depends on a spectrum, its mask and its galaxy."""
    spectra = batch.spectra
    flux = jnp.sum(jnp.where(spectra.good, spectra.flux, 0.0), axis=1)
    return flux / jnp.sum(spectra.good, axis=1).astype(flux.dtype), jnp.asarray(batch.galaxies.z)[spectra.galaxy]


class Toy:
    """Takes the place of a fit: v_star is the mean flux, v_gas the redshift; NaN where the mean is negative."""

    def __init__(self, memory=None):
        self.memory, self.sizes, self.rows = memory, [], []

    def __call__(self, piece, lines, settings):
        if self.memory is not None and piece.size > self.memory:
            raise OUT_OF_MEMORY
        self.sizes.append(piece.size)
        self.rows.append(len(piece))
        mean, z = piece.run(mean_flux)
        galaxy = batched_spectra.galaxies()[0]
        none = no_fit(FitStatus.OK, 0, galaxy.stars, galaxy.lines, galaxy.settings)
        columns = {name: np.array([getattr(none, name)] * len(piece)) for name in FitResult._fields}
        return columns | {"v_star": mean, "v_gas": z, "finite": mean > 0}


@pytest.fixture
def toy(monkeypatch):
    def replaced(memory=None, most=8):
        fake = Toy(memory)
        monkeypatch.setattr(pool, "columns_of", fake)
        monkeypatch.setattr(devices, "MOST_ON_CPU", most)
        monkeypatch.setattr(devices, "_HALVED", {})
        monkeypatch.setattr(engine, "keep_compiled", lambda: None)
        return fake

    return replaced


def spectra(galaxy, n):
    return [batched_spectra.spectrum(galaxy, seed=i)._replace(seed=i) for i in range(n)]


def means(of):
    return [spectrum.flux[spectrum.good].mean() for spectrum in of]


@pytest.mark.parametrize(
    ("given", "sizes"),
    [((16,), [16, 4, 1]), ((32, 2, 16), [32]), ((1024, 1, 16), [1024, 256, 64, 16]), ((8, 1, 16), [8])],
)
def test_batches_have_few_sizes(given, sizes):
    assert Sizes(*given).spectra == sizes


@pytest.mark.parametrize(("n", "taken"), [(40, [16, 16, 4, 4]), (27, [16, 11]), (3, [3]), (2, [1, 1])])
def test_batches_are_filled_to_more_than_half(n, taken):
    sizes, found = Sizes(16), []
    while n:
        k, size = sizes.first([0] * n)
        assert k <= size and size in sizes.spectra and 2 * k > size
        found.append(k)
        n -= k
    assert found == taken


def test_a_batch_ends_where_it_has_no_room_for_another_galaxy():
    sizes = Sizes(16)
    room = sizes.galaxies(16)
    assert sizes.first([*range(room), room, room, *[room] * 20])[0] == room
    assert sizes.galaxies(1) == 1 and Sizes(1024).galaxies(1024) < 1024 / 20


def test_results_come_in_order_and_belong_to_their_galaxy(toy):
    fake = toy()
    known, of = batched_spectra.galaxies(), [spectra(0, 5), spectra(1, 9)]
    members = [Member(g, s, np.ones(len(s)), *np.zeros((2, len(s)))) for g, s in zip(known, of, strict=True)]
    fits = fit_group(members)
    for fit, galaxy, own in zip(fits, known, of, strict=True):
        assert [r.v_star for r in fit.results] == pytest.approx(means(own), rel=1e-12)
        assert {r.v_gas for r in fit.results} == {galaxy.z}
        assert fit.guided_by.tolist() == [-1] * len(own)
    assert sum(fake.rows) == 14 and set(fake.sizes) == {8}


def test_processes_share_the_spectra_of_a_galaxy(toy, monkeypatch):
    toy()
    shares = []

    def in_this_process(function, parts, n_process):
        for part in parts:
            shares.append((len(part), n_process))
            yield function(part)

    monkeypatch.setattr(engine, "shared_out", in_this_process)
    galaxy, own = batched_spectra.galaxies()[0], spectra(0, 8)
    (fits,) = fit_group([Member(galaxy, own, np.ones(8), *np.zeros((2, 8)))], n_process=3)
    assert [r.v_star for r in fits.results] == pytest.approx(means(own), rel=1e-12)
    assert shares == [(3, 3), (2, 3), (3, 3)]
    fit_group([Member(galaxy, own[:1], np.ones(1), *np.zeros((2, 1)))], n_process=3)
    assert len(shares) == 3


def test_galaxies_answer_their_guides_together(toy):
    """Bright spectra of both in one round, and the others, guided by them, in the next."""
    fake = toy(most=4)
    galaxy = batched_spectra.galaxies()[0]
    galaxy = galaxy._replace(settings=galaxy.settings._replace(stellar_kinematics="fixed"))
    known = [galaxy, galaxy._replace(z=0.05)]
    snr = np.array([50.0, 5.0, 5.0, 50.0])
    members = [Member(g, spectra(0, 4)[:: 1 - 2 * i], snr, np.arange(4.0), np.zeros(4)) for i, g in enumerate(known)]
    fits = fit_group(members)
    assert fake.rows == [4, 4]
    for i, fit in enumerate(fits):
        assert fit.guided_by.tolist() == [-1, 0, 3, -1]
        assert {r.v_gas for r in fit.results} == {known[i].z}
        assert [r.v_star for r in fit.results] == pytest.approx(means(spectra(0, 4)[:: 1 - 2 * i]), rel=1e-12)


def test_a_group_may_have_no_baxels(toy):
    toy()
    (galaxy, _), nothing = batched_spectra.galaxies(), np.zeros(0)
    assert fit_group([]) == [] and fit_all(galaxy, []) == []
    assert fit_group([Member(galaxy, [], nothing, nothing, nothing)])[0].results == []


def test_spectra_that_cannot_be_fitted_enter_no_batch(toy):
    fake = toy()
    galaxy, (one, two, three, four, five) = batched_spectra.galaxies()[0], spectra(0, 5)
    masked = two._replace(good=np.zeros_like(two.good))
    few = three._replace(good=np.arange(three.good.size) < 50)
    dark = four._replace(flux=np.zeros_like(four.flux))
    results = fit_all(galaxy, [one, masked, few, dark, five])
    assert [r.status for r in results] == [
        FitStatus.OK,
        FitStatus.ALL_MASKED,
        FitStatus.TOO_FEW_PIXELS,
        FitStatus.NO_STELLAR_CONTINUUM,
        FitStatus.OK,
    ]
    assert sum(fake.rows) == 2 and [r.n_pixel for r in results[1:4]] == [0, 50, four.good.sum()]
    assert [results[i].v_star for i in (0, 4)] == pytest.approx(means([one, five]), rel=1e-12)


def test_a_solution_that_is_not_finite_harms_no_other(toy):
    toy()
    galaxy, own = batched_spectra.galaxies()[0], spectra(0, 6)
    bad = own[2]._replace(flux=np.full_like(own[2].flux, -np.inf))
    good = fit_all(galaxy, own)
    results = fit_all(galaxy, [*own[:2], bad, *own[3:]])
    assert results[2].status == FitStatus.NOT_CONVERGED and results[2].n_pixel == bad.good.sum()
    assert np.isnan(results[2].v_star) and results[2].gas_model == GasModel.NONE
    assert [r.v_star for i, r in enumerate(results) if i != 2] == [r.v_star for i, r in enumerate(good) if i != 2]


@pytest.mark.parametrize("memory", [4, 1])
def test_without_memory_batches_are_halved_and_the_log_says_so(toy, memory, caplog):
    fake = toy(memory)
    galaxy, own = batched_spectra.galaxies()[0], spectra(0, 11)
    with caplog.at_level(logging.WARNING):
        results = fit_all(galaxy, own)
        told = [record.getMessage() for record in caplog.records]
        # The next galaxies of the process begin where these have ended.
        caplog.clear()
        assert [r.v_star for r in fit_all(galaxy, own)] == [r.v_star for r in results]
        assert not caplog.records
    assert [r.v_star for r in results] == pytest.approx(means(own), rel=1e-12)
    assert max(fake.sizes) == memory
    assert told == [f"no memory for batches of {2 * n} spectra: {n} from here on" for n in (4, 2, 1) if n >= memory]


def test_memory_too_small_for_one_spectrum_is_an_error(toy):
    toy(0)
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        fit_all(batched_spectra.galaxies()[0], spectra(0, 3))


def test_other_errors_are_not_taken_for_a_lack_of_memory(toy, monkeypatch):
    toy()

    def broken(piece, lines, settings):
        raise jax.errors.JaxRuntimeError("INTERNAL: no kernel image")

    monkeypatch.setattr(pool, "columns_of", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no kernel image"):
        fit_all(batched_spectra.galaxies()[0], spectra(0, 3))
    assert devices.out_of_memory(MemoryError()) and devices.out_of_memory(OUT_OF_MEMORY)


def test_progress_and_compilations_are_told(toy, caplog, monkeypatch):
    toy()
    monkeypatch.setattr(devices, "_LEAST_TOLD", 0.0)
    with caplog.at_level(logging.INFO):
        fit_all(batched_spectra.galaxies(polynomial_degree=5)[0], spectra(0, 9))
    told = [record.getMessage() for record in caplog.records]
    assert "9 of 9 spectra fitted" in told
    assert any(line.startswith("compiled for batches of 8 spectra in ") for line in told)
    assert sum(line.startswith("compiled for batches of 8 spectra") for line in told) == 1


@pytest.mark.parametrize(
    "number", ["calibration_error", "regularisation", "clip_sigma", "velocity_bound", "n_draw", "rescale_noise"]
)
def test_a_setting_that_is_a_number_compiles_no_solution_anew(number):
    usual = batched_spectra.batch()
    changed = batched_spectra.batch(**{number: 3})
    assert changed.layout == usual.layout
    assert batched_spectra.batch(polynomial_degree=3).layout != usual.layout


def test_galaxies_of_different_settings_do_not_share_a_batch(toy):
    """Draws and components of the gas are for all spectra of a batch."""
    one, other = batched_spectra.galaxies()[0], batched_spectra.galaxies(n_draw=3)[0]
    mine = toy()
    pending = [Pending(i, spectrum, None) for i in (0, 1) for spectrum in spectra(0, 2)]
    places = [place for place, _ in pool.fitted(devices.Devices(1), [one, other], pending, "double")]
    assert (sorted(places), mine.rows) == ([0, 1, 2, 3], [2, 2])


CACHED = """
import jax, jax.numpy as jnp
from mangrove.spectra.fit.batched.devices import keep_compiled
keep_compiled()
# Large enough to be worth keeping.
program = lambda x: sum(jnp.linalg.inv(x + k) @ jnp.fft.rfft(jnp.sin(k * x)).real @ jnp.cos(x[:16]) for k in range(8))
jax.jit(program)(jnp.eye(30)).block_until_ready()
print(jax.config.jax_compilation_cache_dir)
"""


def python(code, *args, **environment):
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    env |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{Path(__file__).parents[1]}:{env.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", code, *map(str, args)]
    done = subprocess.run(command, env=env | environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_programs_are_kept_in_the_cache_of_the_user(tmp_path):
    folder = Path(python(CACHED, XDG_CACHE_HOME=str(tmp_path / "cache")))
    assert folder.parent == tmp_path / "cache" / "mangrove" and list(folder.glob("*-cache"))
    assert Path(python(CACHED, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))) == tmp_path / "own"


DEVICES = """
import json, sys
import jax
from unittest import mock
sys.path.insert(0, sys.argv[1])
import test_batched_engine as t
fake = t.Toy()
with mock.patch.object(t.pool, "columns_of", fake), mock.patch.object(t.devices, "MOST_ON_CPU", 4):
    galaxy, own = t.batched_spectra.galaxies()[0], t.spectra(0, 11)
    found = [[r.v_star for r in t.fit_all(galaxy, own, n_device=n)] for n in (1, 2, 2)]
print(json.dumps([len(jax.devices()), sorted(set(fake.sizes)), found]))
"""


def test_two_devices_share_a_batch_and_give_what_one_gives(tmp_path):
    flags = TWO_DEVICES | {"XDG_CACHE_HOME": str(tmp_path)}
    n, sizes, (one, two, again) = json.loads(python(DEVICES, Path(__file__).parent, **flags))
    assert n == 2 and 8 in sizes
    np.testing.assert_allclose(two, one, rtol=1e-12)
    assert two == again


def test_options_that_the_compiler_does_not_know_are_left_out(monkeypatch):
    """With the version of the lock it knows them; another one must fit as well."""
    devices._options_on_cpu.cache_clear()
    known = devices._options_on_cpu()
    assert known == {"xla_cpu_multi_thread_eigen": False, "xla_cpu_use_fusion_emitters": False}
    real = jax.jit

    def of_another_version(function, compiler_options):
        words = {f"{word}_of_old": value for word, value in compiler_options.items()}
        return real(function, compiler_options=words)

    monkeypatch.setattr(jax, "jit", of_another_version)
    devices._options_on_cpu.cache_clear()
    assert devices._options_on_cpu() == {"xla_cpu_multi_thread_eigen": False}
    devices._options_on_cpu.cache_clear()
