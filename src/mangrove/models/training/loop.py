"""The one training loop: any loss over a tree of parameters, several steps per host call, exact resume."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mangrove.errors import TrainingError
from mangrove.models.training import reporting
from mangrove.models.training.checkpoint import Checkpoints, environment
from mangrove.models.training.rows import Chunk, EpochPlan, Rows
from mangrove.models.training.steps import Loss, Params, State, compiled, first_state

_AXIS = "data"


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    batch_size, epochs : int
    steps_per_call : int
        Optimisation steps that one host call does on the device.
    seed : int
        Of the order of the rows and of what the loss draws.
    patience : int or None
        Epochs without a lower validation loss after which training stops; None trains all epochs.
    keep_best : bool
        Whether the parameters of the lowest validation loss are kept, not the last ones.
    checkpoint_calls : int
        Host calls between two checkpoints.
    validation_batch : int
    """

    batch_size: int
    epochs: int
    steps_per_call: int = 50
    seed: int = 0
    patience: int | None = None
    keep_best: bool = True
    checkpoint_calls: int = 20
    validation_batch: int = 4096

    @property
    def plan(self) -> EpochPlan:
        """How an epoch is cut."""
        return EpochPlan(self.batch_size, self.steps_per_call, self.seed)

    def total_steps(self, n_row: int) -> int:
        """Steps of a run that is not stopped early."""
        return self.epochs * (n_row // self.batch_size)


@dataclass
class Position:
    """Where a run stands: host call within the epoch, running sums of the epoch, course of the validation loss."""

    epoch: int = 0
    call: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    n_step: int = 0
    best_loss: float | None = None
    best_epoch: int = -1
    finished: bool = False


class Trained(NamedTuple):
    """Outcome of a run.

    Attributes
    ----------
    params : tree of arrays
        Those of the lowest validation loss; of the last step where there is no validation.
    best_loss : float or None
        The lowest validation loss; None without validation.
    history : list of dict
        For people, never to compute with; one per epoch: epoch, step, loss, validation_loss, what else the loss
        records, seconds.
    """

    params: Params
    best_loss: float | None
    history: list[dict[str, float]]


def train(
    loss: Loss,
    params: Params,
    optimiser: optax.GradientTransformation,
    rows: Rows,
    settings: TrainSettings,
    folder: Path,
    *,
    validation: Rows | None = None,
    identity: Mapping[str, Any] | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Trained:
    """Train, or go on where the checkpoints under ``folder`` stand.

    Batches are shared out over the devices; the loss does not depend on their number beyond rounding. A resumed run
    gives the same bits as an uninterrupted one on the same machine, core count and jaxlib.

    Parameters
    ----------
    loss : callable
        See :data:`mangrove.models.training.steps.Loss`.
    params : tree of float32 arrays
    optimiser : optax.GradientTransformation
    rows, validation : Rows
    settings : TrainSettings
    folder : Path
        Gets ``checkpoints``, ``metrics.jsonl`` and, where the loss fails, ``failure.json``.
    identity : mapping, optional
        Plain values (content hash of the data, architecture) that a checkpoint must share to be resumed.
    devices : sequence of jax.Device, optional
        All by default.

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If the loss is not finite, a checkpoint is of another run, or the rows do not fill a batch.
    """
    devices = list(devices or jax.devices())
    _check(rows, settings, len(devices))
    mesh = Mesh(np.array(devices), (_AXIS,))
    everywhere = NamedSharding(mesh, PartitionSpec())
    state = jax.device_put(first_state(params, optimiser, settings.seed), everywhere)
    known = {"settings": asdict(settings), "n_row": rows.n_row, **(identity or {})}
    folder.mkdir(parents=True, exist_ok=True)
    with Checkpoints(folder / "checkpoints", known) as checkpoints:
        run = _TrainingRun(loss, optimiser, rows, validation, settings, folder, checkpoints, mesh)
        return run.go(*_resumed(checkpoints, state))


class _TrainingRun:
    """One run: its compiled functions and where it writes."""

    def __init__(self, loss, optimiser, rows, validation, settings, folder, checkpoints, mesh) -> None:
        self._rows, self._validation, self._settings = rows, validation, settings
        self._folder, self._checkpoints = folder, checkpoints
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._over_batch = NamedSharding(mesh, PartitionSpec(None, _AXIS))
        self._steps, self._evaluate = compiled(loss, optimiser)
        self._unsaved = 0

    def go(self, state: State, position: Position) -> Trained:
        """Train from a position to the end."""
        self._reporter = reporting.Reporter(self._folder, position.epoch)
        while not position.finished:
            state = self._epoch(state, position)
            row = {"epoch": position.epoch, "step": int(state.step)}
            row |= {name: total / position.n_step for name, total in position.sums.items()}
            state = self._judge(state, position, row)
            self._reporter.epoch(row)
            position.epoch, position.call, position.sums, position.n_step = position.epoch + 1, 0, {}, 0
            position.finished |= position.epoch >= self._settings.epochs
            if position.finished or self._unsaved >= self._settings.checkpoint_calls:
                self._save(state, position)
        keep_best = self._settings.keep_best and self._validation is not None
        return Trained(state.best if keep_best else state.params, position.best_loss, self._reporter.history)

    def _epoch(self, state: State, position: Position) -> State:
        settings, calls = self._settings, self._settings.plan.calls(self._rows.n_row)
        chunks = self._rows.chunks(settings.plan, position.epoch, position.call, self._place)
        with self._reporter.bar(position.epoch, settings.epochs, calls, position.call) as bar:
            for chunk in chunks:
                index = jax.device_put(chunk.index, self._over_batch)
                new, recorded = self._steps(state, chunk.arrays, index)
                recorded = {name: np.asarray(values, np.float64) for name, values in recorded.items()}
                self._demand_finite(state, chunk, recorded["loss"])
                state = new
                self._count(position, recorded)
                bar.step(recorded["loss"])
                if self._unsaved >= settings.checkpoint_calls and position.call < calls:
                    self._save(state, position)
        return state

    def _count(self, position: Position, recorded: Mapping[str, np.ndarray]) -> None:
        position.call += 1
        position.n_step += len(recorded["loss"])
        self._unsaved += 1
        for name, values in recorded.items():
            position.sums[name] = position.sums.get(name, 0.0) + float(values.sum())

    def _judge(self, state: State, position: Position, row: dict[str, float]) -> State:
        """Validate; remember the best parameters; finish when patience is at its end."""
        if self._validation is None:
            return state
        value = row["validation_loss"] = self._validate(state)
        if not np.isfinite(value):
            raise TrainingError(
                f"the validation loss is not finite after epoch {position.epoch + 1}: look at the validation rows."
            )
        if position.best_loss is None or value < position.best_loss:
            position.best_loss, position.best_epoch = value, position.epoch
            return state._replace(best=state.params)
        patience = self._settings.patience
        if patience is not None and position.epoch - position.best_epoch >= patience:
            reporting.stopped_early(position.epoch, patience)
            position.finished = True
        return state

    def _validate(self, state: State) -> float:
        """Mean validation loss over the rows."""
        key, total = jax.random.wrap_key_data(state.key), 0.0
        for arrays in self._validation.ordered(self._settings.validation_batch, self._place):
            value, _ = self._evaluate(state.params, arrays, key, state.step)
            total += float(value) * len(next(iter(arrays.values())))
        return total / self._validation.n_row

    def _save(self, state: State, position: Position) -> None:
        self._checkpoints.save(int(state.step), state, asdict(position))
        self._unsaved = 0

    def _place(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, jax.Array]:
        return jax.device_put(dict(arrays), self._everywhere)

    def _demand_finite(self, before: State, chunk: Chunk, losses: np.ndarray) -> None:
        bad = np.flatnonzero(~np.isfinite(losses))
        if not bad.size:
            return
        rows = np.sort(chunk.rows[chunk.index[bad[0]]]).tolist()
        raise self._reporter.not_finite(int(before.step) + int(bad[0]), rows, self._checkpoints.latest)


def _check(rows: Rows, settings: TrainSettings, n_device: int) -> None:
    if rows.n_row < settings.batch_size:
        raise TrainingError(
            f"{rows.n_row} training rows do not fill one batch of {settings.batch_size}: use a smaller batch."
        )
    if settings.batch_size % n_device:
        raise TrainingError(
            f"a batch of {settings.batch_size} cannot be divided evenly over {n_device} devices: take a batch size that "
            f"is a multiple of {n_device}, or fewer devices (CUDA_VISIBLE_DEVICES)."
        )


def _resumed(checkpoints: Checkpoints, state: State) -> tuple[State, Position]:
    found = checkpoints.restore(state)
    if found is None:
        return state, Position()
    if found.environment != environment():
        reporting.other_machine(found.environment)
    position = Position(**found.position)
    reporting.resumed(position.epoch, position.call)
    return found.arrays, position
