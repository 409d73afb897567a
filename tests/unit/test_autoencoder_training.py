"""Training the autoencoders of line cubes: the start from principal components, loss, resume, devices, bad input, the rule."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_autoencoder import LINES, small_autoencoder, small_cubes, small_design, write_copies, write_line_cubes
from two_devices import TWO_DEVICES

from mangrove.errors import ModelError, TrainingError
from mangrove.models.convlstm import run, training_set
from mangrove.models.convlstm.activity import active_latents
from mangrove.models.convlstm.copies import Copy
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.convlstm.flips import dihedral
from mangrove.models.convlstm.loss import cube_loss
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.convlstm.network import CubeNetwork
from mangrove.models.convlstm.principal_components import principal_components
from mangrove.models.convlstm.settings import CubeTraining, cube_design
from mangrove.models.convlstm.training import WARM_UP, count_active, first_state, optimiser, train_cubes
from mangrove.models.convlstm.training_set import CubeTrainingSet
from mangrove.models.training import memory
from mangrove.models.training.loop import train

N_TRAIN, N = 20, 30
# The last epoch is kept: of so few galaxies the start validates best, and tests would compare it with itself.
SETTINGS = CubeTraining(optimiser="adam", learning_rate=3e-3, epochs=4, batch_size=16, keep_best=False, kl_weight=1e-3)
DESIGN = small_design()


def write_survey(folder, split=None, cubes=None):
    """The two artefacts that a training needs; the first 20 galaxies are for training, 5 each for the other splits."""
    cubes = small_cubes(N) if cubes is None else cubes
    split = np.repeat([0, 1, 2], [N_TRAIN, 5, 5]) if split is None else split
    path = write_line_cubes(folder / "line_cube_set.h5", cubes, split)
    return path, write_copies(folder / "augmentation.h5", path)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("survey"))


@pytest.fixture(scope="module")
def data(survey):
    return CubeTrainingSet.read(*survey)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    return train_cubes(DESIGN, SETTINGS, data, tmp_path_factory.mktemp("ae"), {"data": "a"})


def bits(model):
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(model.state))


def images(cubes):
    """Scaled flips and turns of cubes less their mean over valid values, 0 where invalid, shape (n, value), and the mean."""
    scale = np.abs(cubes.flux.astype(float)).sum(axis=(1, 2, 3, 4)) / cubes.valid.sum(axis=(1, 2, 3, 4))
    flux = cubes.flux / scale[:, None, None, None, None]
    flux, valid = (np.concatenate([dihedral(values, k) for k in range(8)]) for values in (flux, cubes.valid))
    mean = flux.sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    return np.where(valid, flux - mean, 0).reshape(len(flux), -1), mean, scale


@pytest.mark.parametrize("network", ["ae", "vae"])
def test_the_start_is_principal_component_analysis(data, network):
    """Against a singular value decomposition of all flips and turns of the training cubes."""
    cubes = data.cubes.read(data.galaxies)
    deviation, mean, _ = images(cubes)
    _, value, component = np.linalg.svd(deviation, full_matrices=False)
    found = principal_components(data.cubes, data.galaxies, "scaled", 4, seed=1)
    np.testing.assert_allclose(found.deviation, value[:4] / np.sqrt(len(deviation)), rtol=1e-3)
    design = small_design(network, n_component=4)
    model = CubeModel(design, first_state(CubeNetwork(design), SETTINGS, found), LINES)
    # Held-out galaxies, one of them without a line.
    seen = data.cubes.read(np.arange(N_TRAIN, N))
    seen.valid[0, 1] = False
    seen = seen._replace(flux=np.where(seen.valid, seen.flux, 0))
    scale = np.abs(seen.flux).sum(axis=(1, 2, 3, 4)) / seen.valid.sum(axis=(1, 2, 3, 4))
    scale = scale[:, None, None, None, None]
    own = np.where(seen.valid, seen.flux / scale - mean, 0).reshape(len(scale), -1)
    wanted = (mean + (own @ component[:4].T @ component[:4]).reshape(seen.flux.shape)) * scale
    encoded = model.encode(seen)
    np.testing.assert_allclose(
        model.decode(encoded.mean, encoded.flux_scale), wanted, rtol=1e-3, atol=2e-3 * scale.max()
    )
    # Each latent varies by one standard deviation over the training's images.
    latents = np.concatenate([model.encode(Cubes(*(dihedral(v, k) for v in cubes))).mean for k in range(8)])
    np.testing.assert_allclose((latents**2).mean(axis=0), 1, rtol=1e-3)


def test_fewer_cubes_than_latents_give_fewer_components(data):
    found = principal_components(data.cubes, data.galaxies[:1], "scaled", 12, seed=1)
    assert len(found.deviation) == len(found.component) <= 8
    model = small_autoencoder(latent=12, n_component=len(found.deviation))
    assert model.encode(data.cubes.read([0])).mean.shape == (1, 12)


def test_a_random_part_of_the_images_gives_components_of_nearly_the_same_size(data):
    whole, part, again = (
        principal_components(data.cubes, data.galaxies, "scaled", 3, 1, most) for most in (2000, 120, 120)
    )
    np.testing.assert_array_equal(part.component, again.component)
    assert not np.array_equal(part.mean, whole.mean)
    np.testing.assert_allclose(part.deviation, whole.deviation, rtol=0.25)


def batch_of(cubes, copies=True):
    """Cubes as held-out rows, or as training rows that are copies of nothing but themselves."""
    rows = {name: jnp.asarray(values) for name, values in cubes._asdict().items()}
    none = jnp.zeros(len(cubes.flux), jnp.int8)
    return rows | (dict.fromkeys(Copy._fields, none) | {"noise_seed": none.astype(jnp.uint32)} if copies else {})


def test_what_is_not_valid_changes_neither_loss_nor_gradients():
    """Nor do a line that is missing altogether and a channel that is masked."""
    cubes = small_cubes(4)
    cubes.valid[0, 1], cubes.valid[1, :, 2] = False, False
    other = np.where(cubes.valid, cubes.flux, np.float32(1e3))
    design = small_design("vae", n_component=2)
    network = CubeNetwork(design)
    state = network.first_state(1)
    step = jax.jit(jax.value_and_grad(cube_loss(network, SETTINGS, 1.0, 0), has_aux=True))
    first, second = (
        step(state, batch_of(cubes._replace(flux=flux)), jax.random.key(0), jnp.int32(0))
        for flux in (np.where(cubes.valid, cubes.flux, np.float32(0)), other)
    )
    for ours, theirs in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)
    # Training leaves the principal components: their gradients are 0, not computed.
    for values in jax.tree.leaves(first[1]["linear"]):
        assert not np.asarray(values).any()


def test_the_loss_of_the_variational_network_is_its_parts_and_the_weight_rises():
    cubes, settings = small_cubes(4), replace(SETTINGS, kl_weight=0.5)
    network = CubeNetwork(small_design("vae"))
    state, loss = network.first_state(1), jax.jit(cube_loss(network, settings, 0.0, 10))
    for step, risen in ((0, 0.0), (5, 0.5), (20, 1.0)):
        value, parts = loss(state, batch_of(cubes), jax.random.key(0), jnp.int32(step))
        np.testing.assert_allclose(value, parts["reconstruction"] + 0.5 * risen * parts["divergence"], rtol=1e-5)
    # Held out: the means, and the weight in full.
    value, parts = loss(state, batch_of(cubes, copies=False), jax.random.key(0), jnp.int32(0))
    model = CubeModel(network.design, state, LINES)
    scale = model.encode(cubes).flux_scale[:, None, None, None, None]
    residual = (model.reconstruct(cubes) - cubes.flux) / scale
    mean = [np.mean(residual[i][cubes.valid[i]] ** 2) for i in range(4)]
    np.testing.assert_allclose(parts["reconstruction"], np.mean(mean), rtol=1e-4)
    np.testing.assert_allclose(value, parts["reconstruction"] + 0.5 * parts["divergence"], rtol=1e-5)


def test_adagrad_is_that_of_duchi_et_al_and_leaves_the_components():
    """The n-th step under one gradient is the rate over the root of n along its sign, however small that is; the rate
    rises at first."""
    params = {"linear": jnp.ones(2, jnp.float32), "up": jnp.ones(2, jnp.float32)}
    transformation = optimiser(CubeTraining(learning_rate=0.1))
    state, steps = transformation.init(params), []
    with jax.numpy_dtype_promotion("standard"):
        gradient = jax.tree.map(lambda leaf: jnp.array([3.0, -2e-4], jnp.float32), params)
        for _ in range(WARM_UP + 1):
            updates, state = transformation.update(gradient, state, params)
            steps.append(updates)
    n = np.arange(1, WARM_UP + 2)
    wanted = 0.1 * np.minimum(n / WARM_UP, 1) / np.sqrt(n)
    np.testing.assert_allclose([step["up"] for step in steps], wanted[:, None] * [-1, 1], rtol=1e-4)
    assert not any(np.any(step["linear"]) for step in steps)


def test_training_lowers_the_loss_and_leaves_the_components(data, trained):
    model, outcome = trained
    start, *epochs = outcome.history
    assert epochs[-1]["loss"] < epochs[0]["loss"] and {"validation_loss", "reconstruction"} <= set(epochs[0])
    assert (start["epoch"], start["step"], outcome.kept_epoch) == (-1, 0, 3)
    assert outcome.history[-1]["step"] == 4 * (N_TRAIN * 4 // 16)
    found = principal_components(data.cubes, data.galaxies, "scaled", 4, seed=SETTINGS.seed)
    np.testing.assert_array_equal(model.state["linear"]["component"][...], found.component)
    assert model.lines == LINES


def test_brightness_joins_the_latents_with_training_where_principal_components_begin(data, trained):
    """At the start a galaxy and one twice as bright have the same latents."""
    model, _ = trained
    found = principal_components(data.cubes, data.galaxies, "scaled", 4, seed=SETTINGS.seed)
    start = CubeModel(model.design, first_state(CubeNetwork(model.design), SETTINGS, found), LINES)
    cubes = data.cubes.read(data.galaxies[:4])
    twice = cubes._replace(flux=2 * cubes.flux, ivar=cubes.ivar / 4)
    np.testing.assert_allclose(start.encode(twice).mean, start.encode(cubes).mean, atol=1e-5)
    found = model.encode(twice).mean - model.encode(cubes).mean
    wanted = np.log(2) * np.asarray(model.state["to_latent"]["kernel"][...])[-1]
    np.testing.assert_allclose(found, np.tile(wanted, (4, 1)), atol=1e-5)
    assert np.abs(wanted).max() > 1e-3


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, data, trained, monkeypatch):
    class Killed(RuntimeError):
        pass

    def chunks(plan, epoch, first, place, old=data.rows.chunks):
        for chunk in old(plan, epoch, first, place):
            if epoch == 2:
                raise Killed
            yield chunk

    # Every host call leaves a checkpoint.
    always = lambda self, n_row, old=CubeTraining.loop: replace(old(self, n_row), checkpoint_seconds=0.0)  # noqa: E731
    monkeypatch.setattr(CubeTraining, "loop", always)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(data.rows, "chunks", chunks)
        train_cubes(DESIGN, SETTINGS, data, tmp_path, {"data": "a"})
    assert sorted((tmp_path / "checkpoints").iterdir())
    with pytest.raises(TrainingError, match="differ in data"):
        train_cubes(DESIGN, SETTINGS, data, tmp_path, {"data": "b"})
    resumed, outcome = train_cubes(DESIGN, SETTINGS, data, tmp_path, {"data": "a"})
    assert bits(resumed) == bits(trained[0])
    ours, theirs = ([row | {"seconds": 0} for row in found.history] for found in (outcome, trained[1]))
    assert ours == theirs and outcome.kept_epoch == trained[1].kept_epoch


DEVICES = """
import sys
sys.path[:0] = {tests!r}
import test_autoencoder_training as t
t.print_losses(sys.argv[1])
"""


def print_losses(folder):
    """Losses by epoch of a short training on one device and on two."""
    paths = write_survey(Path(folder))
    network = CubeNetwork(small_design("vae"))
    settings = replace(SETTINGS, epochs=2)
    loss, transformation, state = cube_loss(network, settings, 1.0, 0), optimiser(settings), network.first_state(1)
    for n in (1, 2):
        data = CubeTrainingSet.read(*paths)
        loop, place = settings.loop(data.rows.n_row), Path(folder) / str(n)
        found = train(loss, state, transformation, data.rows, loop, place, devices=jax.devices()[:n])
        print(json.dumps([row["loss"] for row in found.history]))


def test_two_devices_give_the_loss_curve_of_one(tmp_path):
    code = DEVICES.format(tests=[str(Path(__file__).parent), str(Path(__file__).parents[1])])
    env = os.environ | {"JAX_PLATFORMS": "cpu"} | TWO_DEVICES
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    one, two = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    np.testing.assert_allclose(one, two, rtol=1e-4)


def gathered(rows):
    """All that one epoch of two-row batches trains on, by row."""
    place = lambda arrays: jax.tree.map(jnp.asarray, dict(arrays))  # noqa: E731
    blocks = list(rows.ordered(7, place))
    return {name: np.concatenate([np.asarray(block[name]) for block in blocks]) for name in blocks[0]}


def test_cubes_that_outgrow_the_memory_are_streamed_and_are_the_same_rows(survey, monkeypatch):
    lines = LINES[::-2]
    # From the file to the device seven cubes at a time, the last time fewer.
    monkeypatch.setattr(training_set, "_BLOCK", 7)
    on_device = CubeTrainingSet.read(*survey, lines)
    monkeypatch.setattr(memory, "_HOST_BYTES", 1000)
    streamed = CubeTrainingSet.read(*survey, lines)
    assert type(on_device.rows) is not type(streamed.rows)
    for ours, theirs in zip((on_device.rows, on_device.validation), (streamed.rows, streamed.validation), strict=True):
        one, other = gathered(ours), gathered(theirs)
        assert set(one) == set(other) and ours.n_row == theirs.n_row
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    chunk = next(streamed.rows.chunks(SETTINGS.loop(80).plan(80, 0), 0, 0, dict))
    flux = small_cubes(N).flux[:, [2, 0]]
    for row in chunk.index.ravel()[:5]:
        np.testing.assert_array_equal(chunk.arrays["flux"][row], flux[chunk.rows[row]])
    assert streamed.names(np.array([3])) == ["8485-1904"]


def test_cubes_that_are_not_finite_are_named(tmp_path):
    cubes = small_cubes(N)
    cubes.flux[3, 0, 0, 0, 0] = np.nan
    with pytest.raises(TrainingError, match="line cubes of 8485-1904 hold NaN or inf"):
        CubeTrainingSet.read(*write_survey(tmp_path, cubes=cubes))


def test_copies_of_other_galaxies_are_refused(tmp_path, survey):
    other = write_line_cubes(tmp_path / "other.h5", small_cubes(3))
    with pytest.raises(TrainingError, match="is of other galaxies than"):
        CubeTrainingSet.read(survey[0], write_copies(tmp_path / "copies.h5", other))


PARAMS = {
    "network": "vae",
    "lines": ["Halpha_6565", "Hbeta_4863"],
    "latent": 6,
    "input_filters": [2],
    "filters": [2, 3],
    "kernel": 3,
    "dense": 5,
    "decoder": "coded",
    "slice_code": 3,
    "flux": "scaled",
    "norm": "layer",
    "linear": "pca",
    "loss": "mae",
    "optimiser": "adagrad",
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 1000,
    "keep_best": True,
    "rematerialise": True,
    "precision": "float32",
    "kl": [1e-3, 1],
    "seed": 1,
    "code": "none",
}


def test_the_rule_trains_on_the_chosen_lines(tmp_path, survey, script, Params):
    outputs = Params(
        description=str(tmp_path / "vae/model/model.json"),
        arrays=str(tmp_path / "vae/model/arrays.npz"),
        metrics=str(tmp_path / "vae/metrics.jsonl"),
    )
    inputs = Params(line_cube_set=str(survey[0]), augmentation=str(survey[1]))
    script("autoencoder_train").main(inputs, outputs, Params(PARAMS))
    model = CubeModel.load(tmp_path / "vae/model", "vae", PARAMS["lines"])
    training = model.description["training"]
    assert training["made_from"]["params"] == PARAMS and model.design.n_component == 6
    assert (model.design.slice_code, model.design.filters, model.design.norm) == (3, (2, 3), "layer")
    assert (training["settings"]["kl_weight"], training["settings"]["kl_warmup"]) == (1e-3, 1)
    # 80 copies are one batch: a step is an epoch.
    lines = [json.loads(line) for line in Path(outputs.metrics).read_text().splitlines()]
    assert [(row["epoch"], row["step"]) for row in lines] == [(-1, 0), (0, 1), (1, 2)]
    assert training["active_latents"] == 6
    assert training["kept_epoch"] == min(lines, key=lambda row: row["validation_loss"])["epoch"]
    assert not (tmp_path / "vae/checkpoints").exists()
    cubes = LineCubes.open(survey[0], model.lines).read([0, 1])
    assert np.isfinite(model.reconstruct(cubes)).all()


@pytest.mark.parametrize(("n_device", "n_row", "batch"), [(1, 13, 13), (2, 13, 12), (2, 40, 16), (4, 3, 3)])
def test_a_batch_of_all_cubes_can_be_shared_out_over_the_devices(monkeypatch, n_device, n_row, batch):
    monkeypatch.setattr(jax, "device_count", lambda: n_device)
    assert SETTINGS.batch(n_row) == SETTINGS.loop(n_row).batch_size == batch


def test_a_missing_setting_is_no_default():
    shape = (2, 4, 8, 8)
    for name in set(PARAMS) - {"lines", "code"}:
        few = {key: value for key, value in PARAMS.items() if key != name}
        with pytest.raises(KeyError, match=name):
            (cube_design(few, shape), CubeTraining.from_params(few))


def test_a_posterior_that_collapsed_is_a_warning(data, caplog):
    model = small_autoencoder("vae", latent=6)
    with caplog.at_level(logging.WARNING):
        count_active(model, data)
        assert not caplog.text
        for name in ("kernel", "bias"):
            model.state["to_latent"][name][...] = jnp.zeros_like(model.state["to_latent"][name][...])
        assert count_active(model, data) == 0
    assert "only 0 of 6 latents vary from galaxy to galaxy" in caplog.text and "autoencoder.kl_weight" in caplog.text


@pytest.mark.parametrize(
    ("split", "reason"),
    [([0, 3, 3], "no galaxy to train on has a line cube with data"), ([3, 0, 3], "no galaxy to validate on")],
)
def test_without_galaxies_the_folder_says_why_it_has_no_model(tmp_path, split, reason):
    paths = write_survey(tmp_path, np.repeat([0, 1, 2], split), small_cubes(sum(split)))
    (tmp_path / "ae").mkdir()
    run.train_run(*paths, PARAMS | {"lines": []}, tmp_path / "ae/model", tmp_path / "ae/metrics.jsonl")
    with pytest.raises(ModelError, match=reason):
        CubeModel.load(tmp_path / "ae/model", "vae")
    assert (tmp_path / "ae/metrics.jsonl").read_text() == ""


def test_galaxies_without_data_are_not_trained_on(tmp_path):
    cubes = small_cubes(N)
    cubes.valid[[2, 21]] = False
    data = CubeTrainingSet.read(*write_survey(tmp_path, cubes=cubes))
    assert (data.rows.n_row, data.validation.n_row) == (4 * (N_TRAIN - 1), 4)
    assert 2 not in data.galaxies


def test_latents_in_use_vary():
    latent = np.random.default_rng(0).normal(size=(400, 4)) * [1.0, 0.2, 0.05, 0.0]
    latent[3] = np.nan
    assert active_latents("vae", latent).tolist() == [True, True, False, False]
    assert active_latents("vae", 0.01 * latent).tolist() == [False] * 4
    assert active_latents("ae", 0.01 * latent).tolist() == [True, True, False, False]
    for network in ("ae", "vae"):
        assert active_latents(network, np.full((3, 2), np.nan)).tolist() == [False, False]
        assert active_latents(network, np.empty((0, 2))).tolist() == [False, False]
        assert active_latents(network, np.empty((3, 0))).tolist() == []
