"""Speed and memory of the autoencoder of line cubes with the published sizes: the training loop itself.

    python benchmarks/convlstm.py [--device cpu|gpu] [--steps N]

On a CPU (two cores) beside the same network in Keras; on a GPU in float32 and bfloat16, with the time of the whole
published training projected. Ends with 1 where a limit is not kept.
"""

import argparse
import os
import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

import jax
from support.cubes import SIDE, copied_rows, directions, line_cubes, plain_rows
from support.loop_times import LoopTimes, StampedRows
from support.peer import Peer
from support.results import print_result

from mangrove.models.convlstm.design import AE, CubeDesign
from mangrove.models.convlstm.loss import cube_loss
from mangrove.models.convlstm.network import CubeNetwork
from mangrove.models.convlstm.settings import CubeTraining
from mangrove.models.convlstm.training import first_state, optimiser
from mangrove.models.training.cores import share_cores
from mangrove.models.training.loop import Trained, train

#: Lines; wavelength pixels of each: half of them, and the default.
N_LINE, PIXELS = 19, (5, 10)
SETTINGS = CubeTraining()
#: On a CPU: cores; turns of both programs, steps of ours in a turn, of which the first are slower and the median counts;
#: cubes (an epoch of their copies is that many steps).
CORES, TURNS, N_STEP, N_CUBE = 2, 2, 8, 32
#: On a GPU: cubes to train and to validate on, steps of a host call.
N_TRAIN_GPU, N_VALIDATION_GPU, STEPS_PER_CALL = 512, 64, 10
#: The published sample: cubes and the copies of each, with the cube itself.
PUBLISHED_CUBES, COPIES = 9000, 4
#: Limits: time and memory over those of Keras; seconds of an epoch on a GPU; its memory, GB; loss over float32's.
MAX_OVER_KERAS, MAX_MEMORY_OVER_KERAS = 0.9, 1.0
MAX_EPOCH, MAX_MEMORY_GB, MAX_LOSS = {"bfloat16": 100.0, "float32": None}, 16.0, 1.02


def main() -> int:
    """Print the results as JSON lines; 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--steps", type=int, default=400, help="steps of each training on a GPU")
    options = parser.parse_args()
    choose(options.device)
    kept = beside_keras() if options.device == "cpu" else on_gpu(options.steps)
    return 0 if all(kept) else 1


def choose(device: str) -> None:
    """Let JAX use the device; two cores if that is the CPU, as its rule does."""
    jax.config.update("jax_platforms", {"cpu": "cpu", "gpu": "cuda"}[device])
    if device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    share_cores(CORES, SETTINGS.batch_size)


class CubeTrainer:
    """Trains an autoencoder as its rule does, on line cubes of ``n_pixel`` wavelength pixels around each line."""

    def __init__(self, n_pixel: int, precision: str, n_cube: int, n_validation: int = 0) -> None:
        settings = replace(SETTINGS, precision=precision)
        design = CubeDesign(AE, N_LINE, n_pixel, SIDE, n_component=CubeDesign.latent)
        network = CubeNetwork(design, precision)
        self._loss, self._optimiser = cube_loss(network, settings, 1.0, 0), optimiser(settings)
        self._first = first_state(network, settings, directions(design))
        cubes = line_cubes(n_cube + n_validation, N_LINE, n_pixel)
        self._rows = copied_rows(type(cubes)(*(values[:n_cube] for values in cubes)), COPIES - 1)
        held_out = type(cubes)(*(values[n_cube:] for values in cubes))
        self._validation = plain_rows(held_out) if n_validation else None
        self._settings = settings.loop(self._rows.n_row)

    def loop(self, n_step: int, steps_per_call: int) -> tuple[LoopTimes, Trained]:
        """Times of a training from the start."""
        rows = StampedRows(self._rows)
        settings = replace(self._settings, epochs=None, steps=n_step, steps_per_call=steps_per_call)
        with tempfile.TemporaryDirectory(prefix="mangrove-convlstm-") as folder:
            trained = train(
                self._loss, self._first, self._optimiser, rows, settings, Path(folder), validation=self._validation
            )
        return rows.times(steps_per_call), trained


def beside_keras() -> list[bool]:
    """Training beside Keras, the smaller network first: memory is the peak of either process so far."""
    with Peer("keras_convlstm.py", "keras-requirements.txt") as keras:
        return [kept for n_pixel in PIXELS for kept in report_network(n_pixel, keras)]


def report_network(n_pixel: int, keras: Peer) -> list[bool]:
    """Time of a step per cube and memory, in turns with Keras."""
    n_slice, trainer = N_LINE * n_pixel, CubeTrainer(n_pixel, SETTINGS.precision, N_CUBE)
    calls = {
        "ours": lambda: trainer.loop(N_STEP, 1)[0].call / SETTINGS.batch_size,
        "Keras": lambda: keras.value("train", n_slice),
    }
    turns = [{who: call() for who, call in calls.items()} for _ in range(TURNS)]
    times = {who: None if turns[0][who] is None else median(turn[who] for turn in turns) for who in calls}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    kept = []
    for what, value, unit, peer, factor in (
        ("train", times["ours"], "s per cube", times["Keras"], MAX_OVER_KERAS),
        ("peak of memory", memory, "GB", keras.value("memory", n_slice), MAX_MEMORY_OVER_KERAS),
    ):
        limit = None if peer is None else factor * peer
        kept.append(report(f"{what}, {n_slice} channels", value, unit, limit, peer))
    return kept


def on_gpu(n_step: int) -> list[bool]:
    """Training by precision, over the same rows; an epoch of the published sample and the whole training projected."""
    kept, losses = [], {}
    for precision, limit in MAX_EPOCH.items():
        trainer = CubeTrainer(PIXELS[-1], precision, N_TRAIN_GPU, N_VALIDATION_GPU)
        # What the first training compiles, the second finds compiled.
        trainer.loop(3 * STEPS_PER_CALL, STEPS_PER_CALL)
        times, trained = trainer.loop(n_step, STEPS_PER_CALL)
        losses[precision] = trained.history[-1]["validation_loss"]
        n_row = PUBLISHED_CUBES * COPIES
        epoch = times.call * (n_row // SETTINGS.batch_size)
        kept.append(report(f"epoch of {n_row} cubes, {precision}", epoch, "s", limit))
        report(f"{SETTINGS.epochs} epochs of {n_row} cubes, {precision}", epoch * SETTINGS.epochs / 60, "min")
        memory = jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 1e9
        kept.append(report(f"peak of device memory, {precision}", memory, "GB", MAX_MEMORY_GB))
    loss, peer = losses["bfloat16"], losses["float32"]
    metric = f"validation loss after {n_step} steps, bfloat16 beside float32"
    return [*kept, report(metric, loss, "1", MAX_LOSS * peer, peer)]


def report(metric: str, value: float, unit: str, limit: float | None = None, peer: float | None = None) -> bool:
    """Print one result with the device; gives whether it keeps the limit, where there is one."""
    limit = None if limit is None else float(f"{limit:.4g}")
    print_result("convlstm", metric, value, unit, peer, limit, device=jax.devices()[0].device_kind)
    return limit is None or bool(value <= limit)


if __name__ == "__main__":
    sys.exit(main())
