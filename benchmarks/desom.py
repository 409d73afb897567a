"""Speed of the map of spectra with the published network: encoding, the training loop itself, a stream of spectra.

    python benchmarks/desom.py [--device cpu|gpu] [--steps N] [--parts stream network]

On a CPU (two cores) beside the same network in Keras; on a GPU in float32 and bfloat16, with the time of the whole
published training projected from a schedule of N steps, in which the temperature falls as in the published one. The
stream on a GPU takes 27 GB of disk. Ends with 1 where a limit is not kept.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
from support.loop_times import LoopTimes
from support.map_trainer import MapTrainer
from support.peer import Peer
from support.results import median_seconds, print_result
from support.spectra import mixtures, wavelengths
from support.stream import assigned, write_spectra

from mangrove.codes import Split
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.network import MapDesign, MapNetwork
from mangrove.models.desom.settings import MapTraining
from mangrove.models.desom.training_set import TrainingSet

DESIGN = MapDesign(SpectrumArchitecture(), SomGrid())
SCALE = InputScale.none(DESIGN.architecture.shape)
N_WAVE = DESIGN.architecture.n_wave
#: On a CPU: cores; turns of both programs, and in each the spectra to encode and to train on in a host call, and calls.
CORES, BATCHES, TURNS, N_ENCODE, N_TRAIN, N_CALL = 2, (32, 128), 3, 1024, 256, 6
N_TRAIN_CPU, N_STREAM_CPU = 512, (8192, 20_480)
#: On a GPU: spectra to train on, whole host calls an epoch; to encode at a time, and times; to stream; steps of the bare scan.
N_TRAIN_GPU, N_ENCODE_GPU, N_REPEAT, N_STREAM_GPU, BARE_STEPS = 19_200, 2048, 20, (65_536, 1_048_576), 50
#: Limits: time over that of Keras; minutes of the whole training; host overhead; time to encode; loss over float32's.
MAX_OVER_KERAS, MAX_OVERHEAD, MAX_ENCODE_US, MAX_LOSS = 1.0, 0.05, 3.0, 1.02
MAX_MINUTES = {"bfloat16": 2.5, "float32": 4.0}


def main() -> int:
    """Print the results as JSON lines; 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--steps", type=int, default=15_000, help="steps of each training on a GPU")
    parser.add_argument("--parts", nargs="+", choices=("stream", "network"), default=("stream", "network"))
    options = parser.parse_args()
    choose(options.device)
    # The stream first: it has a process of its own, and the device to itself.
    if "stream" in options.parts:
        report_stream(N_STREAM_CPU if options.device == "cpu" else N_STREAM_GPU)
    if "network" not in options.parts:
        return 0
    kept = beside_keras() if options.device == "cpu" else on_gpu(options.steps)
    return 0 if all(kept) else 1


def choose(device: str) -> None:
    """Let JAX, here and in other processes, use the device; two cores if that is the CPU."""
    platform = {"cpu": "cpu", "gpu": "cuda"}[device]
    os.environ["JAX_PLATFORMS"] = platform
    jax.config.update("jax_platforms", platform)
    if device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def beside_keras() -> list[bool]:
    """Encoding and training beside Keras."""
    data, network = training_set(N_TRAIN_CPU), MapNetwork(DESIGN, SCALE)
    with Peer("keras_desom.py", "keras-requirements.txt") as keras:
        return [kept for batch in BATCHES for kept in report_batch(batch, network, data, keras)]


def report_batch(batch: int, network: MapNetwork, data: TrainingSet, keras: Peer) -> list[bool]:
    """Encoding, and the training loop with its bare step, at a batch size, in turns with Keras."""
    trainer, n_step = MapTrainer(network, MapTraining(batch_size=batch), data), N_TRAIN // batch
    calls = {
        "encode": lambda: 1000 * encode_seconds(network, trainer.first, data.flux[:batch], N_ENCODE // batch),
        "train": lambda: 1000 * short_training(trainer, n_step).call / batch,
        "bare step": lambda: 1000 * trainer.bare(n_step) / batch,
        "Keras encode": lambda: keras.value("encode", batch),
        "Keras train": lambda: keras.value("train", batch),
    }
    turns = [{what: call() for what, call in calls.items()} for _ in range(TURNS)]
    times = {what: None if turns[0][what] is None else median(turn[what] for turn in turns) for what in calls}
    overhead = times["train"] / times["bare step"] - 1
    report(f"overhead of the loop over its bare step, batch {batch}", overhead, "ratio")
    kept = []
    for what in ("encode", "train"):
        peer = times[f"Keras {what}"]
        limit = None if peer is None else MAX_OVER_KERAS * peer
        kept.append(report(f"{what}, batch {batch}", times[what], "ms per spectrum", limit, peer))
    return kept


def on_gpu(n_step: int) -> list[bool]:
    """Training and encoding by precision, over the same rows; the whole published training projected."""
    kept, losses = [], {}
    data = training_set(N_TRAIN_GPU)
    settings = MapTraining(iterations=n_step, cooling_iterations=10 * n_step // 13)
    batch = mixtures(N_ENCODE_GPU, N_WAVE)
    for precision in ("bfloat16", "float32"):
        network = MapNetwork(DESIGN, SCALE, precision)
        trainer = MapTrainer(network, replace(settings, precision=precision), data)
        with tempfile.TemporaryDirectory(prefix="mangrove-desom-") as folder:
            # What the first epoch compiles, the second training finds compiled.
            trainer.loop(Path(folder) / "first", epochs=1, steps=None)
            times, trained = trainer.loop(Path(folder) / "second")
        losses[precision] = trained.history[-1]["validation_loss"]
        minutes = times.mean * MapTraining.iterations / 60
        metric = f"{MapTraining.iterations} steps of {settings.batch_size}, {precision}"
        kept.append(report(metric, minutes, "min", MAX_MINUTES[precision]))
        report(f"peak of device memory, {precision}", jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 1e9, "GB")
        overhead = times.call / trainer.bare(BARE_STEPS) - 1
        kept.append(report(f"overhead of the loop over its bare step, {precision}", overhead, "ratio", MAX_OVERHEAD))
        encode_us = 1e6 * encode_seconds(network, trainer.first, batch, N_REPEAT)
        kept.append(report(f"encode, {precision}", encode_us, "us per spectrum", MAX_ENCODE_US))
    loss, peer = losses["bfloat16"], losses["float32"]
    metric = f"validation loss at the end of {n_step} steps, bfloat16 beside float32"
    return [*kept, report(metric, loss, "1", MAX_LOSS * peer, peer)]


def report_stream(sizes: tuple[int, int]) -> None:
    """Spectra per second of a file that is assigned as a stream, at two sizes: what both need alike does not count."""
    with tempfile.TemporaryDirectory(prefix="mangrove-desom-") as folder:
        path, found = Path(folder) / "spectra.h5", []
        for n in sizes:
            write_spectra(path, n, N_WAVE)
            found.append(assigned(path))
    for n, streamed in zip(sizes, found, strict=True):
        report(f"peak of memory, stream of {n} spectra", streamed.memory, "GB")
    few, many = found
    per_second = (sizes[1] - sizes[0]) / (many.seconds - few.seconds)
    report("stream of spectra assigned", per_second, "spectra per second")
    report("share of reading in the stream", many.reading * per_second / sizes[1], "ratio")


def training_set(n: int) -> TrainingSet:
    """So many spectra to train on, and a tenth of that for validation."""
    n_all = n + n // 10
    split = np.where(np.arange(n_all) < n, Split.TRAIN, Split.VALIDATION)
    return TrainingSet.of_arrays(mixtures(n_all, N_WAVE), split, np.arange(n_all).astype(str), wave=wavelengths(N_WAVE))


def short_training(trainer: MapTrainer, n_step: int) -> LoopTimes:
    """Times of a training of a few host calls of so many steps, from the start."""
    with tempfile.TemporaryDirectory(prefix="mangrove-desom-") as folder:
        return trainer.loop(Path(folder), validate=False, steps=N_CALL * n_step, steps_per_call=n_step)[0]


def encode_seconds(network: MapNetwork, state, flux: np.ndarray, repeats: int) -> float:
    """Median time to encode a spectrum of a batch that lies on the device."""
    encode, on_device = compiled_encoder(network), jnp.asarray(flux)
    encode(state, on_device).block_until_ready()
    return median_seconds(repeats, lambda: encode(state, on_device).block_until_ready()) / len(flux)


@lru_cache(maxsize=2)
def compiled_encoder(network: MapNetwork):
    """The encoder as maps compile it."""
    return jax.jit(lambda state, flux: network.encode(state, network.scale.forward(flux)))


def report(metric: str, value: float, unit: str, limit: float | None = None, peer: float | None = None) -> bool:
    """Print one result with the device; gives whether it keeps the limit, where there is one."""
    limit = None if limit is None else float(f"{limit:.4g}")
    print_result("desom", metric, value, unit, peer, limit, device=jax.devices()[0].device_kind)
    return limit is None or bool(value <= limit)


if __name__ == "__main__":
    sys.exit(main())
