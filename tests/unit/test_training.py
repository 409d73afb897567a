"""The training loop: seeds, resume after a kill, devices, failures, model folders."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from two_devices import TWO_DEVICES

from mangrove import codehash, source_gists
from mangrove.errors import ModelError, TrainingError
from mangrove.models.training import model_folder
from mangrove.models.training.loop import TrainSettings, train
from mangrove.models.training.metrics import read_metrics
from mangrove.models.training.rows import DeviceRows, EpochPlan, StreamedRows, epoch_order
from mangrove.models.training.steps import scans

SETTINGS = TrainSettings(batch_size=16, epochs=3, steps_per_call=3, seed=3, checkpoint_calls=2, checkpoint_seconds=0)
OPTIMISER = optax.adam(1e-2)
N_ROW = 150


def network(seed=0):
    """A small network: its graph and its state."""

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first, self.last = nnx.Linear(3, 8, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)

        def __call__(self, x):
            return self.last(nnx.tanh(self.first(x)))

    # Layers of flax add a bias of lower rank; these tests are about the loop.
    return nnx.split(Net(nnx.Rngs(seed)))


GRAPH, STATE = network()


def loss(params, batch, key, step):
    """Mean square with a little noise on the input, so that the keys matter."""
    with jax.numpy_rank_promotion("allow"):
        x = batch["x"] + 0.01 * jax.random.normal(key, batch["x"].shape, jnp.float32)
        residual = nnx.merge(GRAPH, params)(x) - batch["y"]
    return (residual**2).mean(), {"largest": jnp.abs(residual).max()}


def arrays(n=N_ROW):
    x = np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32)
    return {"x": x, "y": np.sin(x.sum(axis=1, keepdims=True))}


def run(folder, settings=SETTINGS, rows=None, validation=None, **options):
    rows = rows or DeviceRows(arrays())
    return train(loss, STATE, OPTIMISER, rows, settings, Path(folder), validation=validation, **options)


@pytest.fixture(params=[False, True], ids=["one-by-one", "scan"])
def scan(request):
    """The form of a host call: on a CPU its steps run one by one, on accelerators as one scan; both keep every promise."""
    return request.param


def bits(trained):
    return b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(trained.params))


def losses(trained):
    return np.array([row["loss"] for row in trained.history])


def test_one_seed_gives_one_result_and_another_seed_another(tmp_path, scan):
    first, second = run(tmp_path / "a", scan=scan), run(tmp_path / "b", scan=scan)
    other = run(tmp_path / "c", TrainSettings(16, 3, steps_per_call=3, seed=4), scan=scan)
    assert bits(first) == bits(second) and bits(first) != bits(other)
    assert losses(first)[-1] < losses(first)[0]


def test_both_forms_of_a_host_call_give_one_loss_curve(tmp_path):
    one_by_one, scan = run(tmp_path / "a", scan=False), run(tmp_path / "b", scan=True)
    np.testing.assert_allclose(losses(one_by_one), losses(scan), rtol=1e-5)


def test_a_cpu_steps_one_by_one_and_an_accelerator_scans():
    assert not scans(jax.devices("cpu"))
    assert scans([SimpleNamespace(platform="gpu")])


def test_parameters_given_to_a_training_are_left_as_they_are(tmp_path, scan):
    """Steps take the memory of what they change: never that of the caller."""
    before = [np.array(leaf) for leaf in jax.tree.leaves(STATE)]
    first = run(tmp_path / "a", scan=scan, validation=DeviceRows(arrays(40)))
    kept = bits(first)
    train(loss, first.params, OPTIMISER, DeviceRows(arrays()), SETTINGS, tmp_path / "b", scan=scan)
    assert bits(first) == kept
    for leaf, old in zip(jax.tree.leaves(STATE), before, strict=True):
        np.testing.assert_array_equal(leaf, old)


def test_one_step_lowers_the_loss_on_a_tiny_batch(tmp_path):
    batch = {name: values[:4] for name, values in arrays().items()}
    trained = train(loss, STATE, optax.sgd(1e-2), DeviceRows(batch), TrainSettings(4, 1, 1), tmp_path)
    key = jax.random.key(9)
    before, _ = loss(STATE, batch, key, 0)
    after, _ = loss(trained.params, batch, key, 0)
    assert after < before


# One process that kills itself while the second epoch trains: its arguments are the folder and the form.
KILLED = """
import os, signal, sys
sys.path[:0] = {tests!r}
import test_training as t

class Fatal(t.DeviceRows):
    def chunks(self, plan, epoch, first, place):
        for i, chunk in enumerate(super().chunks(plan, epoch, first, place)):
            if epoch == 1 and i == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            yield chunk

t.run(sys.argv[1], rows=Fatal(t.arrays()), validation=t.DeviceRows(t.arrays(40)), scan=sys.argv[2] == "True")
"""


def python(code, *args, **environment):
    command = [
        sys.executable,
        "-c",
        code.format(tests=[str(Path(__file__).parent), str(Path(__file__).parents[1])]),
        *map(str, args),
    ]
    env = os.environ | {"JAX_PLATFORMS": "cpu"} | environment
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_a_killed_run_goes_on_to_the_same_parameters(tmp_path, scan):
    validation = DeviceRows(arrays(40))
    whole = run(tmp_path / "whole", validation=validation, scan=scan)
    died = python(KILLED, tmp_path / "killed", scan)
    assert died.returncode == -signal.SIGKILL, died.stderr
    resumed = run(tmp_path / "killed", validation=validation, scan=scan)
    assert bits(resumed) == bits(whole)
    assert [row["epoch"] for row in resumed.history] == [0, 1, 2]
    for name in ("loss", "largest", "validation_loss"):
        assert [row[name] for row in resumed.history] == [row[name] for row in whole.history]


def test_a_finished_run_is_not_trained_again(tmp_path, scan):
    first = run(tmp_path, scan=scan)
    again = run(tmp_path, scan=scan)
    assert bits(first) == bits(again) and first.history == again.history


def test_checkpoints_of_another_run_are_refused(tmp_path):
    run(tmp_path, identity={"data": "a"})
    with pytest.raises(TrainingError, match="differ in data"):
        run(tmp_path, identity={"data": "b"})


DEVICES = """
import json, sys
sys.path[:0] = {tests!r}
import jax, test_training as t
print(json.dumps([
    t.losses(t.run(f"{{sys.argv[1]}}/{{scan}}-{{n}}", devices=jax.devices()[:n], scan=scan)).tolist()
    for scan in (False, True)
    for n in (1, 2)
]))
"""


def test_two_devices_give_the_loss_curve_of_one(tmp_path):
    done = python(DEVICES, tmp_path, **TWO_DEVICES)
    assert done.returncode == 0, done.stderr
    one, *others = json.loads(done.stdout.splitlines()[-1])
    for other in others:
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize(("step", "checkpoint"), [(1, None), (4, 3), (8, 6)])
def test_a_loss_that_is_not_finite_names_step_and_rows_and_keeps_the_checkpoint(tmp_path, scan, step, checkpoint):
    """Three steps per host call, a checkpoint after each: the newest one before the bad step is left."""
    settings = TrainSettings(
        batch_size=16, epochs=2, steps_per_call=3, seed=3, checkpoint_calls=1, checkpoint_seconds=0
    )
    bad = int(epoch_order(N_ROW, 1, settings.seed, 0)[16 * step + 5])
    data = arrays()
    data["y"][bad] = np.nan
    with pytest.raises(TrainingError, match=f"not finite at step {step}, ") as caught:
        run(tmp_path / "a", settings, DeviceRows(data, np.arange(N_ROW) + 1000), scan=scan)
    failure = json.loads((tmp_path / "a/failure.json").read_text())
    assert (failure["step"], failure["checkpoint"], failure["names"]) == (step, checkpoint, None)
    assert 1000 + bad in failure["rows"] and len(failure["rows"]) == 16
    assert f"{1000 + bad}" in str(caught.value)
    kept = sorted(int(path.name) for path in (tmp_path / "a/checkpoints").iterdir())
    assert kept == ([checkpoint - 3, checkpoint] if checkpoint == 6 else [checkpoint] if checkpoint else [])
    told = "there is no checkpoint yet" if checkpoint is None else f"step {checkpoint} is kept"
    assert told in str(caught.value)
    # With the row mended, training goes on from there: the steps before did not see it.
    assert bits(run(tmp_path / "a", settings, scan=scan)) == bits(run(tmp_path / "b", settings, scan=scan))


def test_a_failure_names_its_rows_as_people_know_them(tmp_path):
    data = arrays()
    data["x"][7] = np.inf
    names = np.array([f"8485-{1901 + row // 50}:{row % 50}" for row in range(N_ROW)])
    with pytest.raises(TrainingError, match=r"8485-1901:7[, ]"):
        run(tmp_path, rows=DeviceRows(data), identify=names.__getitem__)
    failure = json.loads((tmp_path / "failure.json").read_text())
    assert failure["names"] == names[failure["rows"]].tolist() and "8485-1901:7" in failure["names"]


def test_a_gradient_that_is_not_finite_leaves_no_checkpoint_of_its_step(tmp_path, scan):
    """The loss is finite where its gradient is not: it would show only one step later, behind a checkpoint."""

    def steep(params, batch, key, step):
        return jnp.sqrt(jnp.abs(params["a"] * batch["x"])).mean(), {}

    data = {"x": np.ones((12, 1), np.float32)}
    order = epoch_order(12, 1, 0, 0)
    data["x"][order[8:10]] = 0
    settings = TrainSettings(2, 1, steps_per_call=1, checkpoint_calls=1, checkpoint_seconds=0)
    first = {"a": jnp.ones((1, 1), jnp.float32)}
    with pytest.raises(TrainingError, match=r"not finite at step 4, .*; of the checkpoints, step 4 is kept"):
        train(steep, first, optax.sgd(1e-3), DeviceRows(data), settings, tmp_path, scan=scan)


def test_training_stops_when_patience_is_at_its_end_and_keeps_the_best(tmp_path):
    settings = TrainSettings(batch_size=16, epochs=50, steps_per_call=3, seed=0, patience=2)
    validation = DeviceRows({"x": arrays(30)["x"], "y": np.full((30, 1), 5, np.float32)})
    trained = run(tmp_path, settings, validation=validation)
    course = [row["validation_loss"] for row in trained.history]
    assert len(course) < 50 and int(np.argmin(course)) == len(course) - 3


@pytest.mark.parametrize(("keep_best", "epochs"), [(True, 1), (False, 4)])
def test_the_best_epoch_is_kept_or_the_last(tmp_path, keep_best, epochs):
    """Against validation rows that training only leads away from, the first epoch is the best."""
    validation = DeviceRows({"x": arrays(30)["x"], "y": -10 * arrays(30)["y"]})
    plan = {"batch_size": 16, "steps_per_call": 3, "seed": 0}
    settings = TrainSettings(epochs=4, keep_best=keep_best, **plan)
    kept = run(tmp_path / "kept", settings, validation=validation)
    assert int(np.argmin([row["validation_loss"] for row in kept.history])) == 0
    assert bits(kept) == bits(run(tmp_path / "alone", TrainSettings(epochs=epochs, **plan)))


def test_the_start_is_kept_where_no_epoch_is_better(tmp_path):
    """As of a network that starts at principal components: training leads away from the validation rows."""
    validation = DeviceRows({"x": arrays(30)["x"], "y": -10 * arrays(30)["y"]})
    settings = TrainSettings(batch_size=16, epochs=6, steps_per_call=3, patience=2, validate_start=True)
    kept = run(tmp_path, settings, validation=validation)
    assert bits(kept) == b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(STATE))
    start, *epochs = kept.history
    assert start == {"epoch": -1, "step": 0, "validation_loss": kept.best_loss} and kept.kept_epoch == -1
    assert kept.best_loss < min(row["validation_loss"] for row in epochs) and len(epochs) == 2
    assert read_metrics(tmp_path / "metrics.jsonl") == kept.history
    # A second call finds the run finished.
    again = run(tmp_path, settings, validation=validation)
    assert (again.kept_epoch, again.history, bits(again)) == (-1, kept.history, bits(kept))
    last = run(tmp_path / "last", replace(settings, keep_best=False, patience=None), validation=validation)
    assert last.kept_epoch == 5 and bits(last) != bits(kept)


def test_a_start_whose_validation_loss_is_not_finite_is_refused(tmp_path):
    validation = DeviceRows({"x": arrays(30)["x"], "y": np.full((30, 1), np.nan, np.float32)})
    settings = TrainSettings(batch_size=16, epochs=2, validate_start=True)
    with pytest.raises(TrainingError, match="not finite before the first step: look at the validation rows"):
        run(tmp_path, settings, validation=validation)


def test_metrics_end_before_half_a_line(tmp_path):
    """A kill may cut the last line; an empty file is that of a run that trained nothing."""
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 0, "loss": 1.5}\n{"epoch": 1, "loss": 1.25}\n{"epoch": 2, "lo')
    assert read_metrics(path) == [{"epoch": 0, "loss": 1.5}, {"epoch": 1, "loss": 1.25}]
    path.write_text("")
    assert read_metrics(path) == []


@pytest.mark.parametrize(("module", "counts"), [("reporting", False), ("loop", True), ("steps", True)])
def test_what_a_training_tells_is_not_in_the_hash_of_its_code(tmp_path, module, counts):
    """Of a copy of the package, so that the edit is no one else's."""
    package = Path(codehash.__file__).parent
    copy = shutil.copytree(package, tmp_path / "mangrove", ignore=shutil.ignore_patterns("__pycache__"))
    script = package.parents[1] / "workflow/scripts/emulator_train.py"
    before = codehash.code_hash(script, copy)
    edited = copy / f"models/training/{module}.py"
    edited.write_text(edited.read_text(encoding="utf-8") + "\nEDITED = True\n", encoding="utf-8")
    source_gists.gist.cache_clear()
    assert (codehash.code_hash(script, copy) != before) == counts


def test_the_lowest_validation_loss_is_that_of_the_history(tmp_path):
    trained = run(tmp_path / "with", validation=DeviceRows(arrays(40)))
    assert trained.best_loss == min(row["validation_loss"] for row in trained.history)
    assert run(tmp_path / "without").best_loss is None


def test_rows_that_fill_no_batch_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="smaller batch"):
        run(tmp_path, rows=DeviceRows(arrays(10)))
    with pytest.raises(TrainingError, match="validation set is empty"):
        run(tmp_path, validation=DeviceRows(arrays(0)))


def test_training_ends_at_a_number_of_steps_within_an_epoch(tmp_path, scan):
    """An epoch has nine steps: thirteen are one and four, of which a host call has three and the last one."""
    seen = []

    class Seen(DeviceRows):
        def chunks(self, plan, epoch, first, place):
            for chunk in super().chunks(plan, epoch, first, place):
                seen.append(len(chunk.index))
                yield chunk

    plan = {"batch_size": 16, "steps_per_call": 3, "seed": 3}
    short = run(tmp_path / "short", TrainSettings(steps=13, **plan), Seen(arrays()), scan=scan)
    assert seen == [3, 3, 3, 3, 1] and [row["step"] for row in short.history] == [9, 13]
    epochs = run(tmp_path / "epochs", TrainSettings(epochs=2, **plan), scan=scan)
    assert bits(run(tmp_path / "steps", TrainSettings(steps=18, **plan), scan=scan)) == bits(epochs)


def test_a_run_by_steps_resumes_within_its_last_epoch(tmp_path, scan):
    class Broken(DeviceRows):
        def chunks(self, plan, epoch, first, place):
            chunks = list(super().chunks(plan, epoch, first, place))
            yield from chunks[:2] if epoch == 1 else chunks
            if epoch == 1:
                raise OSError("disk")

    settings = TrainSettings(16, steps=17, steps_per_call=2, seed=3, checkpoint_calls=1, checkpoint_seconds=0)
    whole = run(tmp_path / "whole", settings, scan=scan)
    with pytest.raises(OSError, match="disk"):
        run(tmp_path / "broken", settings, Broken(arrays()), scan=scan)
    assert bits(run(tmp_path / "broken", settings, scan=scan)) == bits(whole)


def test_a_run_has_either_epochs_or_steps():
    for given in ({}, {"epochs": 1, "steps": 1}):
        with pytest.raises(ValueError, match="either epochs or steps"):
            TrainSettings(16, **given)


def test_validation_comes_every_so_many_epochs_and_after_the_last(tmp_path):
    settings = TrainSettings(16, 5, steps_per_call=3, validation_every=2)
    trained = run(tmp_path, settings, validation=DeviceRows(arrays(40)))
    validated = [row["epoch"] for row in trained.history if "validation_loss" in row]
    assert validated == [1, 3, 4]


def test_the_order_of_an_epoch_is_a_permutation_that_keeps_blocks():
    order = epoch_order(100, 8, seed=1, epoch=2)
    assert sorted(order) == list(range(100))
    assert np.array_equal(order, epoch_order(100, 8, 1, 2)) and not np.array_equal(order, epoch_order(100, 8, 1, 3))
    assert (np.diff(order) == 1).sum() >= 100 - 2 * 13


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "rows.h5"
    with h5py.File(path, "w") as f:
        for name, values in arrays().items():
            f[f"set_{name}"] = values
    return path


def test_streamed_rows_are_those_of_the_file_each_once(stored):
    rows = np.arange(0, N_ROW, 2)
    source = StreamedRows(stored, {"x": "set_x", "y": "set_y"}, rows, block=8)
    plan = EpochPlan(batch_size=5, steps_per_call=4, seed=2)
    seen = []
    for chunk in source.chunks(plan, 0, 0, lambda a: a):
        np.testing.assert_array_equal(chunk.arrays["x"], arrays()["x"][chunk.rows])
        assert sorted(chunk.index.ravel()) == list(range(len(chunk.rows)))
        seen += chunk.rows.tolist()
    assert sorted(seen) == rows.tolist()
    ordered = np.concatenate([a["y"] for a in source.ordered(20, lambda a: a)])
    np.testing.assert_array_equal(ordered, arrays()["y"][rows])


def test_streamed_rows_keep_their_types_and_bound_the_memory(tmp_path):
    """Fluxes and masks of scattered rows: never much more than three chunks, of a file a hundred times as large."""
    n, n_wave = 12_800, 256
    flux = np.random.default_rng(0).normal(size=(n, n_wave)).astype(np.float32)
    with h5py.File(tmp_path / "rows.h5", "w") as f:
        f["flux"], f["mask"] = flux, (flux > 1).astype(np.int8)
    rows = np.sort(np.random.default_rng(1).permutation(n)[: n // 20])
    source = StreamedRows(tmp_path / "rows.h5", {"flux": "flux", "mask": "mask"}, rows, block=16)
    chunk_size, n_seen = 8 * 4 * n_wave * 5, 0
    tracemalloc.start()
    for chunk in source.chunks(EpochPlan(batch_size=8, steps_per_call=4, seed=2), 0, 0, lambda a: a):
        assert (chunk.arrays["flux"].dtype, chunk.arrays["mask"].dtype) == (np.float32, np.int8)
        np.testing.assert_array_equal(chunk.arrays["flux"], flux[chunk.rows])
        np.testing.assert_array_equal(chunk.arrays["mask"], flux[chunk.rows] > 1)
        n_seen += len(chunk.rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_seen == len(rows) and peak < 10 * chunk_size


def test_a_shorter_last_chunk_does_not_compile_the_steps_again(stored, tmp_path):
    """Nine steps in calls of four: the last call has one."""
    traced = []

    def counted(*args):
        traced.append(args)
        return loss(*args)

    source = StreamedRows(stored, {"x": "set_x", "y": "set_y"}, block=8)
    settings = TrainSettings(16, 2, steps_per_call=4)
    train(counted, STATE, OPTIMISER, source, settings, tmp_path, scan=False)
    assert len(traced) == 1


def test_checkpoints_are_as_far_apart_as_asked(tmp_path):
    """A run of many short epochs does not spend its time on them; its end is always kept."""
    settings = TrainSettings(16, 3, steps_per_call=3, checkpoint_calls=1, checkpoint_seconds=1000)
    run(tmp_path, settings)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["27"]


def test_streamed_training_resumes_within_an_epoch(stored, tmp_path, scan):
    def source():
        return StreamedRows(stored, {"x": "set_x", "y": "set_y"}, block=8)

    class Broken(StreamedRows):
        def chunks(self, plan, epoch, first, place):
            chunks = super().chunks(plan, epoch, first, place)
            yield from [next(chunks), next(chunks)]
            raise OSError("disk")

    settings = TrainSettings(16, 2, steps_per_call=2, checkpoint_calls=1, checkpoint_seconds=0)
    whole = run(tmp_path / "a", settings, source(), scan=scan)
    with pytest.raises(OSError, match="disk"):
        run(tmp_path / "b", settings, Broken(stored, {"x": "set_x", "y": "set_y"}, block=8), scan=scan)
    assert [path.name for path in (tmp_path / "b/checkpoints").iterdir()] == ["2"]
    assert bits(run(tmp_path / "b", settings, source(), scan=scan)) == bits(whole)


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "model"
    model_folder.save(folder, "toy", {"size": 3}, model_folder.named_arrays(STATE))
    return folder


def test_a_model_folder_gives_back_what_was_saved_and_the_same_bytes(saved, tmp_path):
    found = model_folder.load(saved, "toy")
    assert found.description["size"] == 3
    filled = model_folder.fill(network(seed=5)[1], found.arrays)
    for a, b in zip(jax.tree.leaves(filled), jax.tree.leaves(STATE), strict=True):
        np.testing.assert_array_equal(a, b)
    model_folder.save(tmp_path / "again", "toy", {"size": 3}, model_folder.named_arrays(STATE))
    for path in saved.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["model.json", "arrays.npz"])
def test_a_model_folder_with_a_missing_file_is_refused(saved, name):
    (saved / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        model_folder.load(saved, "toy")


def test_an_altered_model_folder_is_refused(saved):
    text = (saved / "model.json").read_text()
    (saved / "model.json").write_text(text.replace('"size": 3', '"size": 4'))
    with pytest.raises(ModelError, match="altered"):
        model_folder.load(saved, "toy")
    (saved / "model.json").write_text(text)
    np.savez(saved / "arrays.npz", a=np.ones(3))
    with pytest.raises(ModelError, match="does not belong"):
        model_folder.load(saved, "toy")
    (saved / "model.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        model_folder.load(saved, "toy")


def test_a_model_folder_of_an_older_format_is_refused(tmp_path, monkeypatch):
    """Models of format 1 have other names of lines."""
    monkeypatch.setattr(model_folder, "FORMAT", 1)
    model_folder.save(tmp_path / "old", "toy", {"size": 3}, model_folder.named_arrays(STATE))
    monkeypatch.undo()
    with pytest.raises(ModelError, match="format 1; toy, format 2, is needed"):
        model_folder.load(tmp_path / "old", "toy")


def test_arrays_of_another_architecture_are_refused(saved):
    found = model_folder.load(saved, "toy")
    with pytest.raises(ModelError, match=r"first\.kernel|first/kernel"):
        model_folder.fill(STATE, found.arrays | {"first/kernel": np.ones((2, 2), np.float32)})
    with pytest.raises(ModelError, match="kind toy"):
        model_folder.load(saved, "emulator")
