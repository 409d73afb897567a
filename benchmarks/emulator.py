"""Speed of the emulator: inference beside nearest neighbours, training, gradient of one prediction.

Ends with 1 where a limit is not kept.

REAL_DATA=FOLDER python benchmarks/emulator.py
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from support.results import median_seconds, print_result, seconds
from threadpoolctl import threadpool_limits

from mangrove.models.emulator.emulator import Emulator, predict_table
from mangrove.models.emulator.line_table import LineTable, read_desi, split_table
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.training import EmulatorSettings, train_emulator
from mangrove.validation.emulator_baselines import nearest_neighbours

N_PREDICT, N_MILLION = 100_000, 1_000_000
N_MEMBER = 4
REPEATS, GRADIENTS = 7, 200
THREADS = 2
#: Limits: times faster than 20 neighbours (single model), seconds of a training, milliseconds of a gradient.
MIN_TIMES_FASTER, MAX_TRAINING_S, MAX_GRADIENT_MS = 200, 180, 1.0


def main() -> int:
    """Print the results as JSON lines; 1 where a limit is not kept."""
    kept = []
    path = Path(os.environ.get("REAL_DATA", "../shared/data")) / "desi" / "desi_sv3_continuum_ew.h5"
    table, _ = read_desi(path)
    split = split_table(table)
    train = table.take(np.concatenate([split.train, split.validation]))
    batch = resampled(table.take(split.test), N_PREDICT)
    models = {}
    for n_member in (1, N_MEMBER):
        with tempfile.TemporaryDirectory(prefix="mangrove-emulator-") as folder:
            settings = EmulatorSettings(Architecture(n_member=n_member))
            start = time.perf_counter()
            models[n_member], _ = train_emulator(table, split, settings, Path(folder), {})
            took = time.perf_counter() - start
            kept.append(report(f"training, {name_of(n_member)}", took, "s", limit=MAX_TRAINING_S))
    neighbours = neighbour_seconds(models[1], train, batch)
    for n_member, model in models.items():
        ours = median_prediction(model, batch)
        limit = round(neighbours / MIN_TIMES_FASTER, 4) if n_member == 1 else None
        metric = f"prediction of {N_PREDICT} galaxies, {name_of(n_member)}, over 20 neighbours"
        kept.append(report(metric, ours, "s", neighbours, limit))
        million = resampled(batch, N_MILLION)
        report(f"prediction of {N_MILLION} galaxies, {name_of(n_member)}", seconds(predict, model, million), "s")
        gradient = 1000 * gradient_seconds(model, batch)
        kept.append(report(f"gradient of one prediction, {name_of(n_member)}", gradient, "ms", limit=MAX_GRADIENT_MS))
    return 0 if all(kept) else 1


def predict(model: Emulator, table: LineTable):
    """Predictions for a whole table, on the host."""
    return predict_table(model, table.flux_bins, table.log_luminosity)


def neighbour_seconds(model: Emulator, train: LineTable, batch: LineTable) -> float:
    """Time of the nearest neighbours of a batch, all rows for training, two threads, the tree already built."""
    x, test = (
        np.asarray(model.features(jnp.asarray(t.flux_bins), jnp.asarray(t.log_luminosity))) for t in (train, batch)
    )
    centre, scale = np.median(x, 0), x.std(0)
    y = np.where(train.measured, np.arcsinh(train.ew), np.nan)
    with threadpool_limits(THREADS):
        predictor = nearest_neighbours((x - centre) / scale, y)
        return seconds(predictor, (test - centre) / scale)


def gradient_seconds(model: Emulator, batch: LineTable) -> float:
    """Time of the gradient of one line of one galaxy with respect to its bins, after compilation."""
    halpha = model.line("Halpha_6565")
    gradient = jax.jit(jax.grad(lambda flux, luminosity: model(flux, luminosity).observed[halpha]))
    flux, luminosity = jnp.asarray(batch.flux_bins[0]), jnp.asarray(batch.log_luminosity[0])
    gradient(flux, luminosity).block_until_ready()
    return median_seconds(GRADIENTS, lambda: gradient(flux, luminosity).block_until_ready())


def median_prediction(model: Emulator, batch: LineTable) -> float:
    """Median time to predict a batch, after compilation."""
    predict(model, batch)
    return median_seconds(REPEATS, predict, model, batch)


def resampled(table: LineTable, n: int) -> LineTable:
    """So many rows drawn from a table."""
    return table.take(np.random.default_rng(0).integers(0, len(table.flux_bins), n))


def name_of(n_member: int) -> str:
    """What the model is called in the results."""
    return "single model" if n_member == 1 else f"ensemble of {n_member}"


def report(metric: str, value: float, unit: str, peer: float | None = None, limit: float | None = None) -> bool:
    """Print one result; gives whether it is below the limit, where there is one."""
    more = {} if peer is None else {"times_faster": round(peer / value, 1)}
    print_result("emulator", metric, value, unit, peer, limit, **more)
    return limit is None or value < limit


if __name__ == "__main__":
    sys.exit(main())
