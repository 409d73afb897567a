"""Training the maps: what a step does, that the map lives, resume, devices, bad input, the runs of the rules."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from attributes import attributes_of
from two_devices import TWO_DEVICES

from mangrove import artefacts
from mangrove.errors import ModelError, TrainingError
from mangrove.models.desom import run
from mangrove.models.desom.assignment import assign
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.loss import map_training_loss, snr_weights
from mangrove.models.desom.model import DESOM, GALAXY_MAP, MapModel
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.desom.settings import MapTraining, spectrum_design
from mangrove.models.desom.som import neighbourhood, squared_distances
from mangrove.models.desom.training import optimiser, train_map
from mangrove.models.desom.training_set import TrainingSet
from mangrove.models.training import memory
from mangrove.models.training.loop import train

N_WAVE = 16
DESIGN = MapDesign(SpectrumArchitecture(N_WAVE, (4, 4), 4, 4), SomGrid(4, 4))
SETTINGS = MapTraining(
    batch_size=32, iterations=300, cooling_iterations=230, temperature_start=4.0, learning_rate=2e-3, pretraining=40
)
WAVE = np.geomspace(3650, 8950, N_WAVE)


def spectra(n=300, seed=5):
    """Two parameters make each spectrum."""
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(size=(2, n, 1))
    x = np.linspace(0, 1, N_WAVE)
    flux = 1 + 0.5 * first * np.sin(4 * x) + 0.5 * second * np.cos(6 * x) + 0.02 * rng.normal(size=(n, N_WAVE))
    return flux.astype(np.float32)


def data(flux=None, **options):
    flux = spectra() if flux is None else flux
    split = np.repeat([0, 1, 2], [len(flux) - 60, 30, 30])
    names = [f"8485-1901:{i}" for i in range(len(flux))]
    return TrainingSet.of_arrays(flux, split, names, wave=WAVE, **options)


def network():
    return MapNetwork(DESIGN, InputScale.none((N_WAVE,)))


def batch(n=32):
    return {
        "flux": jnp.asarray(spectra()[:n]),
        "mask": jnp.zeros((n, N_WAVE), jnp.int8),
        "snr": jnp.full((n,), 20.0, jnp.float32),
    }


def occupation(model):
    return np.bincount(assign(model, spectra()[:240]).node, minlength=16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_map(DESOM, DESIGN, SETTINGS, data(), tmp_path_factory.mktemp("map"), {"data": "a"})


def test_training_orders_the_map_and_lowers_the_validation_loss(trained):
    model, outcome = trained
    assert (occupation(model) > 0).all()
    found = assign(model, spectra())
    position = model.grid.positions()
    step = np.abs(position[found.node] - position[found.second_node]).max(axis=1)
    assert np.mean(step > 1) < 0.3
    validated = [row["validation_loss"] for row in outcome.history if "validation_loss" in row]
    assert validated[-1] < 0.1 * validated[0]
    assert {"reconstruction", "mse", "som"} <= set(outcome.history[0])
    # 43 steps an epoch are whole, the last epoch is a part of one.
    assert outcome.history[-1]["step"] == SETTINGS.n_step


def one_step(settings, state, step):
    loss, transformation = map_training_loss(network(), settings, jnp.ones_like), optimiser(settings)
    gradients, recorded = jax.grad(loss, has_aux=True)(state, batch(), jax.random.key(0), jnp.int32(step))
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = transformation.update(gradients, transformation.init(state), state)
        return optax.apply_updates(state, updates), recorded


def first_state():
    state = network().first_state(2)
    state["prototypes"][...] = jnp.asarray(np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32))
    return state


def test_a_step_moves_the_prototypes_by_the_batch_rule():
    state, net = first_state(), network()
    settings = MapTraining(pretraining=0, step=0.05, temperature_start=3.0)
    new, _ = one_step(settings, state, 0)
    z, old = (np.asarray(v, float) for v in (net.encode(state, batch()["flux"]), state["prototypes"][...]))
    best = ((z[:, None] - old) ** 2).sum(-1).argmin(1)
    w = np.exp(-((DESIGN.grid.distances()[best] / 3.0) ** 2))
    wanted = old.copy()
    for k in range(16):
        mean = (w[:, k, None] * z).sum(0) / w[:, k].sum()
        wanted[k] += 0.05 * min(1, w[:, k].sum() / 2) * (mean - old[k])
    np.testing.assert_allclose(new["prototypes"][...], wanted, rtol=1e-4, atol=1e-5)


def test_the_published_way_moves_prototypes_by_adam_on_the_loss():
    state = first_state()
    new, _ = one_step(MapTraining(update="gradient", learning_rate=1e-3), state, 0)
    # The first step of Adam has the length of the learning rate in every component.
    moved = np.abs(np.asarray(new["prototypes"][...] - state["prototypes"][...]))
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-2)


def test_rates_fall_to_zero_with_the_last_step_where_a_pretraining_comes_first():
    """A gradient of ones moves every parameter by the learning rate in a step of Adam."""
    settings = MapTraining(
        update="gradient", schedule="cosine", pretraining=10, iterations=10, cooling_iterations=8, learning_rate=1.0
    )
    transformation = optimiser(settings)
    params = {"autoencoder": jnp.zeros(1), "prototypes": jnp.zeros(1)}
    moves, state = [], transformation.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(settings.n_step):
            updates, state = transformation.update(jax.tree.map(jnp.ones_like, params), state, params)
            moves.append({name: abs(float(value[0])) for name, value in updates.items()})
    for name, last in (("autoencoder", 20), ("prototypes", 10)):
        assert moves[-1][name] == pytest.approx(0.5 * (1 + np.cos(np.pi * (last - 1) / last)), rel=1e-3)


@pytest.mark.parametrize("update", ["batch", "gradient"])
def test_before_the_map_the_prototypes_are_set_on_encodings_and_do_not_pull(update):
    state, net = first_state(), network()
    new, recorded = one_step(MapTraining(pretraining=5, update=update), state, 1)
    z = net.encode(state, batch()["flux"])
    distance = np.abs(np.asarray(new["prototypes"][...])[:, None] - np.asarray(z)).max(axis=-1)
    assert (distance.min(axis=1) < 1e-5).all() and float(recorded["som"]) == 0


def test_the_encoder_feels_the_map_and_the_weights_have_no_gradient():
    """Of the loss as it is written, with the weights as constants."""
    state, net, settings = first_state(), network(), MapTraining(gamma=0.3, temperature_start=2.0)
    loss = map_training_loss(net, settings, jnp.ones_like)
    grid = jnp.asarray(DESIGN.grid.distances())
    z0 = net.encode(state, batch()["flux"])
    weights = neighbourhood(grid[squared_distances(z0, state["prototypes"][...]).argmin(axis=1)], 2.0)

    def written(params):
        flux = batch()["flux"]
        z = net.encode(params, flux)
        pull = (weights * squared_distances(z, state["prototypes"][...])).sum(axis=1).mean()
        return ((net.decode(params, z) - flux) ** 2).mean() + 0.3 * pull

    value, gradient = jax.value_and_grad(lambda p: loss(p, batch(), None, jnp.int32(0))[0])(state)
    wanted_value, wanted = jax.value_and_grad(written)(state)
    assert float(value) == pytest.approx(float(wanted_value), rel=1e-5)
    for a, b in zip(*(jax.tree.leaves(g["autoencoder"]) for g in (gradient, wanted)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_masked_values_change_no_loss():
    loss = jax.jit(map_training_loss(network(), SETTINGS, jnp.ones_like))
    net, state, some = network(), first_state(), batch()
    mask = some["mask"].at[:, 3].set(1)
    held_out = {"flux": some["flux"], "mask": mask}
    residual = np.asarray(net.decode(state, net.encode(state, some["flux"])) - some["flux"])
    wanted = (np.delete(residual, 3, axis=1) ** 2).mean()
    for step in (0, 200):
        found, _ = loss(state, held_out, None, jnp.int32(step))
        assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_noise_is_added_to_what_the_encoder_sees_alone():
    """The network encodes noisy spectra and is compared with the spectra themselves; held-out ones stay as they are."""
    net, state, some, key = network(), first_state(), batch(), jax.random.key(3)
    loss = map_training_loss(net, MapTraining(input_noise=2.0), jnp.ones_like)
    noisy = some["flux"] * (1 + 2.0 / 20.0 * jax.random.normal(key, some["flux"].shape))
    for rows, seen in ((some, noisy), ({k: some[k] for k in ("flux", "mask")}, some["flux"])):
        wanted = ((net.decode(state, net.encode(state, seen)) - some["flux"]) ** 2).mean()
        assert float(loss(state, rows, key, jnp.int32(0))[1]["mse"]) == pytest.approx(float(wanted), rel=1e-4)


def test_weights_by_snr_are_capped_and_1_on_average():
    snr = np.array([10.0, 20.0, 50.0, 80.0], np.float32)
    weight = np.asarray(snr_weights(MapTraining(loss_weights="ivar"), snr)(jnp.asarray(snr)))
    assert weight.mean() == pytest.approx(1) and weight[2] == weight[3] == pytest.approx(25 * weight[0])
    np.testing.assert_array_equal(snr_weights(MapTraining(), snr)(jnp.asarray(snr)), 1)


def test_the_recorded_parts_add_up_to_the_loss():
    """Of spectra of different S/N; those held out have no weights."""
    snr = np.where(np.arange(32) % 2, 10.0, 40.0).astype(np.float32)
    settings = MapTraining(loss_weights="ivar", gamma=0.3, update="gradient")
    loss = map_training_loss(network(), settings, snr_weights(settings, snr))
    rows = batch() | {"snr": jnp.asarray(snr)}
    value, parts = loss(first_state(), rows, None, jnp.int32(0))
    assert float(value) == pytest.approx(float(parts["reconstruction"] + 0.3 * parts["som"]), rel=1e-5)
    assert float(parts["reconstruction"]) != pytest.approx(float(parts["mse"]), rel=1e-3)
    held_out, _ = loss(first_state(), {k: rows[k] for k in ("flux", "mask")}, None, jnp.int32(0))
    assert float(held_out) == pytest.approx(float(parts["mse"]), rel=1e-5)


def bits(model):
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(model.state))


def test_one_seed_gives_one_map_and_a_killed_training_goes_on_to_it(tmp_path, trained, monkeypatch):
    rows, loop = data(), MapTraining.loop
    monkeypatch.setattr(MapTraining, "loop", lambda self, n: replace(loop(self, n), checkpoint_seconds=0))

    class Killed(RuntimeError):
        pass

    def chunks(plan, epoch, first, place, old=rows.rows.chunks):
        for chunk in old(plan, epoch, first, place):
            if epoch == 40:
                raise Killed
            yield chunk

    monkeypatch.setattr(rows.rows, "chunks", chunks)
    with pytest.raises(Killed):
        train_map(DESOM, DESIGN, SETTINGS, rows, tmp_path / "a", {"data": "a"})
    assert sorted((tmp_path / "a/checkpoints").iterdir())
    resumed, outcome = train_map(DESOM, DESIGN, SETTINGS, data(), tmp_path / "a", {"data": "a"})
    assert bits(resumed) == bits(trained[0])
    assert [row["epoch"] for row in outcome.history] == [row["epoch"] for row in trained[1].history]


DEVICES = """
import sys
sys.path[:0] = {tests!r}
import jax, test_desom_training as t
print(t.losses_on(jax.devices()[:1], sys.argv[1] + "/1"), t.losses_on(jax.devices()[:2], sys.argv[1] + "/2"), sep="|")
"""


def losses_on(devices, folder):
    """Losses by epoch of a short training."""
    rows, net = data(), network()
    found = train(
        map_training_loss(net, SETTINGS, jnp.ones_like),
        first_state(),
        optimiser(SETTINGS),
        rows.rows,
        MapTraining(batch_size=32, iterations=60).loop(rows.rows.n_row),
        Path(folder),
        devices=devices,
    )
    return [row["loss"] for row in found.history]


def test_two_devices_give_the_loss_curve_of_one(tmp_path):
    code = DEVICES.format(tests=[str(Path(__file__).parent), str(Path(__file__).parents[1])])
    env = os.environ | {"JAX_PLATFORMS": "cpu"} | TWO_DEVICES
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    one, two = (json.loads(part) for part in done.stdout.splitlines()[-1].split("|"))
    np.testing.assert_allclose(one, two, rtol=1e-3)


def test_spectra_that_are_not_finite_are_named():
    flux = spectra()
    flux[7, 3], flux[245, 0] = np.nan, np.inf
    with pytest.raises(TrainingError, match=r"1 of the spectra .* 8485-1901:7\."):
        data(flux)


@pytest.mark.parametrize(
    ("n", "split", "message"),
    [(75, [15, 30, 30], "15 spectra to train a map of 16 nodes"), (75, [45, 0, 30], "no spectra for validation")],
)
def test_too_few_spectra_are_refused(tmp_path, n, split, message):
    few = TrainingSet.of_arrays(spectra(n), np.repeat([0, 1, 2], split), np.arange(n).astype(str), wave=WAVE)
    with pytest.raises(TrainingError, match=message):
        train_map(DESOM, DESIGN, SETTINGS, few, tmp_path, {})


def test_a_loss_that_is_not_finite_names_the_baxels_of_the_batch(tmp_path):
    settings = MapTraining(batch_size=32, iterations=50, cooling_iterations=40, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"not finite at step \d+.*8485-1901:\d+"):
        train_map(DESOM, DESIGN, settings, data(), tmp_path, {})


def test_wavelengths_that_cannot_be_halved_are_refused():
    params = {"filters": [4, 4, 4], "kernel": 4, "latent": 4, "rows": 2, "columns": 2, "som_distance": "manhattan"}
    with pytest.raises(TrainingError, match="36 wavelengths cannot be halved 3 times"):
        spectrum_design(params | {"latent_scale": "none"}, 36)


SOM = {"som_update": "batch", "som_step": 0.05, "som_distance": "manhattan"}
PARAMS = SOM | {
    "rows": 4,
    "columns": 4,
    "latent": 4,
    "filters": [4, 4],
    "kernel": 4,
    "batch_size": 1000,
    "iterations": 12,
    "cooling_iterations": 9,
    "temperature_start": 4.0,
    "temperature_end": 0.7,
    "gamma": 5e-4,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "pretraining": 3,
    "input_scale": "standard",
    "loss_weights": "ivar",
    "input_noise": 0.5,
    "latent_scale": "layer",
    "precision": "float32",
    "seed": 1,
    "code": "0",
}
OK = {"status": "ok", "reason": ""}


def write_spectra(path, flux, split):
    """The artefact 'training_spectra'; the last two rows did not pass the cuts."""
    n, n_wave = flux.shape
    cut = np.repeat([0, 2], [n - 2, 2]).astype(np.int8)
    whole = {
        "wave": np.geomspace(3650, 8950, n_wave),
        "flux": flux,
        "mask": np.zeros(flux.shape, np.int8),
        "norm": np.ones(n, np.float32),
        "snr": np.full(n, 20, np.float32),
        "galaxy": np.arange(n, dtype=np.int32) % 2,
        "baxel": np.arange(n, dtype=np.int32) // 2,
        "split": split.astype(np.int8),
        "cut": cut,
        "radius_re": np.ones(n, np.float32),
        "lsf": np.ones(n_wave, np.float32),
        "plateifu": np.array(["8485-1901", "8486-1901"]),
        "mangaid": np.array(["1-1", "1-2"]),
        "candidate_galaxy": np.arange(n, dtype=np.int32) % 2,
        "candidate_baxel": np.arange(n, dtype=np.int32) // 2,
        "candidate_cut": cut,
    }
    artefacts.write(path, "training_spectra", whole, artefacts.Provenance(), attributes_of("training_spectra"))
    return path


@pytest.fixture
def stored(tmp_path):
    flux = spectra(80)
    flux[-1] = np.nan
    return write_spectra(tmp_path / "training_spectra.h5", flux, np.repeat([0, 1, 2], [50, 10, 20]))


def test_the_rule_trains_on_the_spectra_that_passed_the_cuts(tmp_path, stored, script, Params):
    outputs = Params(
        description=str(tmp_path / "desom/model/model.json"),
        arrays=str(tmp_path / "desom/model/arrays.npz"),
        metrics=str(tmp_path / "desom/metrics.jsonl"),
    )
    script("desom_train").main(Params(training_spectra=str(stored)), outputs, Params(PARAMS))
    model = MapModel.load(tmp_path / "desom/model", DESOM, WAVE)
    assert (model.grid, model.network.scale.kind) == (SomGrid(4, 4), "standard")
    assert model.description["training"]["made_from"]["params"] == PARAMS
    lines = [json.loads(line) for line in Path(outputs.metrics).read_text().splitlines()]
    # All 50 spectra are a batch: a step is an epoch.
    assert [row["step"] for row in lines] == list(range(1, 16))
    assert not (tmp_path / "desom/checkpoints").exists()


def test_spectra_that_outgrow_the_memory_are_streamed_and_train_alike(tmp_path, stored, monkeypatch):
    in_memory = TrainingSet.of_spectra(stored)
    monkeypatch.setattr(memory, "_HOST_BYTES", 1000)
    streamed = TrainingSet.of_spectra(stored)
    assert type(in_memory.rows) is not type(streamed.rows)
    for name in ("flux", "masked", "snr", "wave"):
        np.testing.assert_array_equal(getattr(in_memory, name), getattr(streamed, name))
    assert streamed.names(np.array([3])) == ["8486-1901:1"]
    first, second = (
        train_map(DESOM, DESIGN, MapTraining.from_params(PARAMS), rows, tmp_path / str(i), {})[1].history
        for i, rows in enumerate((in_memory, streamed))
    )
    np.testing.assert_allclose(first[-1]["validation_loss"], second[-1]["validation_loss"], rtol=1e-3)


def test_a_streamed_spectrum_that_is_not_finite_is_named(tmp_path, monkeypatch):
    flux = spectra(80)
    flux[4, 2] = np.inf
    path = write_spectra(tmp_path / "training_spectra.h5", flux, np.repeat([0, 1, 2], [50, 10, 20]))
    monkeypatch.setattr(memory, "_HOST_BYTES", 1000)
    with pytest.raises(TrainingError, match="8485-1901:2"):
        TrainingSet.of_spectra(path)


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        ([2, 0, 0], "no spectrum to train on passed the cuts"),
        ([15, 30, 30], "15 spectra to train a map of 16 nodes"),
        ([45, 0, 30], "no spectra for validation"),
    ],
)
def test_with_too_few_spectra_the_folder_says_why_it_has_no_model(tmp_path, split, reason):
    path = write_spectra(tmp_path / "training_spectra.h5", spectra(sum(split)), np.repeat([0, 1, 2], split))
    (tmp_path / "desom").mkdir()
    run.train_spectra(path, PARAMS, tmp_path / "desom/model", tmp_path / "desom/metrics.jsonl")
    with pytest.raises(ModelError, match=reason):
        MapModel.load(tmp_path / "desom/model", DESOM)
    assert (tmp_path / "desom/metrics.jsonl").read_text() == ""


def test_the_rule_of_the_galaxy_map_trains_on_fingerprints(tmp_path, script, Params):
    n, rng = 30, np.random.default_rng(0)
    normalised = rng.uniform(size=(n, 20)).astype(np.float32)
    # One galaxy without baxels, one on nodes of limit 0 alone.
    normalised[[3, 4]] = 0
    whole = {
        "plateifu": np.array([f"8485-{i}" for i in range(n)]),
        "mangaid": np.array([f"1-{i}" for i in range(n)]),
        "node_row": np.arange(20, dtype=np.int32) // 5,
        "node_column": np.arange(20, dtype=np.int32) % 5,
        "split": np.repeat([0, 1, 2], [20, 5, 5]).astype(np.int8),
        "counts": np.ones((n, 20), np.int32),
        "weight": np.ones((n, 20), np.float32),
        "normalised": normalised,
        "mean_radius": np.ones((n, 20), np.float32),
        "n_baxel": np.where(np.arange(n) == 3, 0, 20).astype(np.int32),
        "n_patch": np.ones(n, np.int32),
        "patch_spread": np.ones(n, np.float32),
        "node_limit": np.arange(20, dtype=np.float32),
    }
    attrs = OK | {"rows": 4, "columns": 5, "weighting": "count", "clip_percentile": 99.9}
    path = tmp_path / "fingerprints.h5"
    artefacts.write(path, "fingerprints", whole, artefacts.Provenance(), attrs)
    outputs = Params(
        description=str(tmp_path / "galaxy_map/model/model.json"),
        arrays=str(tmp_path / "galaxy_map/model/arrays.npz"),
        metrics=str(tmp_path / "galaxy_map/metrics.jsonl"),
    )
    own = ("schedule", "pretraining", "input_scale", "loss_weights", "input_noise")
    own += ("latent_scale", "precision")
    params = {name: value for name, value in PARAMS.items() if name not in own} | {
        "rows": 2,
        "columns": 3,
        "filters": 2,
        "kernel": 2,
    }
    script("galaxy_map_train").main(Params(fingerprints=str(path)), outputs, Params(params))
    model = MapModel.load(tmp_path / "galaxy_map/model", GALAXY_MAP)
    assert model.grid == SomGrid(2, 3) and model.decode(model.prototypes).shape == (6, 4, 5)
    assert model.network.design.architecture.kernel == 2
    np.testing.assert_array_equal(model.node_limit, whole["node_limit"])
    assert TrainingSet.of_fingerprints(path).rows.n_row == 18
