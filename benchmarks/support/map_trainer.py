"""Times of the training loop as it runs, and of the bare compiled step of the same loss."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from support.loop_times import LoopTimes, StampedRows

from mangrove.models.desom.loss import map_training_loss, snr_weights
from mangrove.models.desom.network import MapNetwork
from mangrove.models.desom.settings import MapTraining
from mangrove.models.desom.training import first_state, optimiser
from mangrove.models.desom.training_set import TrainingSet
from mangrove.models.training.loop import Trained, train


class MapTrainer:
    """Trains a map as its rule does, in pieces of any length, and by the bare step.

    Parameters
    ----------
    network : MapNetwork
    settings : MapTraining
    data : TrainingSet

    Attributes
    ----------
    first : nnx.State
        The parameters before training.
    """

    def __init__(self, network: MapNetwork, settings: MapTraining, data: TrainingSet) -> None:
        self._data, self._settings = data, settings.loop(data.rows.n_row)
        self._loss, self._optimiser = (
            map_training_loss(network, settings, snr_weights(settings, data.snr)),
            optimiser(settings),
        )
        self.first = first_state(network, settings.seed, data.flux)
        self._bare_steps = _bare_steps(self._loss, self._optimiser)

    def loop(self, folder: Path, validate: bool = True, **other) -> tuple[LoopTimes, Trained]:
        """Train by the loop; ``other`` are settings of it that differ from those of the rule."""
        rows, settings = StampedRows(self._data.rows), replace(self._settings, **other)
        validation = self._data.validation if validate else None
        trained = train(self._loss, self.first, self._optimiser, rows, settings, folder, validation=validation)
        return rows.times(settings.steps_per_call), trained

    def bare(self, n_step: int, repeats: int = 3) -> float:
        """Median seconds per step without the loop, ``n_step`` at a time."""
        sample = {"flux": self._data.flux, "mask": self._data.masked, "snr": self._data.snr[: len(self._data.flux)]}
        arrays, batch = jax.device_put(sample), self._settings.batch_size
        index = np.random.default_rng(0).integers(0, len(self._data.flux), (n_step, batch), np.int32)
        take_steps = self._bare_steps
        carry = jax.tree.map(jnp.copy, (self.first, self._optimiser.init(self.first), jnp.int32(0)))
        times = []
        for _ in range(1 + repeats):
            start = time.perf_counter()
            carry = jax.block_until_ready(take_steps(carry, arrays, jax.device_put(index)))
            times.append((time.perf_counter() - start) / n_step)
        return float(np.median(times[1:]))


def _bare_steps(loss, optimiser: optax.GradientTransformation):
    """A function of (parameters, optimiser's state, step), arrays and rows: a scan; on a CPU a step at a time."""

    def step(carry, rows, arrays):
        params, opt_state, count = carry
        batch = {name: values[rows] for name, values in arrays.items()}
        _, gradient = jax.value_and_grad(loss, has_aux=True)(params, batch, jax.random.key(0), count)
        updates, opt_state = optimiser.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, count + 1

    @partial(jax.jit, donate_argnums=0)
    def scanned(carry, arrays, index):
        return jax.lax.scan(lambda carry, rows: (step(carry, rows, arrays), None), carry, index)[0]

    one = jax.jit(step, donate_argnums=0)

    def one_by_one(carry, arrays, index):
        for rows in index:
            carry = one(carry, rows, arrays)
        return carry

    return one_by_one if jax.default_backend() == "cpu" else scanned
