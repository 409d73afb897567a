"""The one training loop: any loss over a tree of parameters, several steps per host call, exact resume."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from mangrove.errors import TrainingError
from mangrove.models.training import reporting
from mangrove.models.training.checkpoint import Checkpoints, environment
from mangrove.models.training.position import Position
from mangrove.models.training.rows import Chunk, EpochPlan, Rows
from mangrove.models.training.steps import (
    FINITE,
    Loss,
    Params,
    State,
    compiled,
    copied,
    fetched,
    first_state,
    mesh_of,
    scans,
)


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes
    ----------
    batch_size : int
    epochs : int or None
    steps_per_call : int
        Optimisation steps between two looks at their losses (one host call).
    seed : int
        Of the order of the rows and of what the loss draws.
    patience : int or None
        Epochs without a lower validation loss after which training stops; None trains all epochs.
    keep_best : bool
        Whether the parameters of the lowest validation loss are kept, not the last ones.
    checkpoint_calls : int
        Host calls between two checkpoints, at least.
    checkpoint_seconds : float
        Seconds between two checkpoints, at least: writing one takes longer than hundreds of small steps.
    validation_batch : int
    validation_every : int
        Epochs between two validations; the last epoch is always validated.
    validate_start : bool
        Whether the parameters before the first step are validated too, so that ``keep_best`` may keep them.
    steps : int or None
        Optimisation steps after which training ends, be it within an epoch; given instead of ``epochs``.

    Raises
    ------
    ValueError
        Unless one of epochs and steps is given.
    """

    batch_size: int
    epochs: int | None = None
    steps_per_call: int = 50
    seed: int = 0
    patience: int | None = None
    keep_best: bool = True
    checkpoint_calls: int = 20
    validation_batch: int = 4096
    validation_every: int = 1
    steps: int | None = None
    checkpoint_seconds: float = 30.0
    validate_start: bool = False

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")

    def total_steps(self, n_row: int) -> int:
        """Steps of a run that is not stopped early."""
        return self.epochs * (n_row // self.batch_size) if self.steps is None else self.steps

    def total_epochs(self, n_row: int) -> int:
        """Epochs of a run that is not stopped early; the last may be a part of one."""
        return -(-self.total_steps(n_row) // (n_row // self.batch_size))

    def plan(self, n_row: int, epoch: int) -> EpochPlan:
        """How an epoch is cut."""
        whole = n_row // self.batch_size
        n_step = min(whole, self.total_steps(n_row) - epoch * whole)
        return EpochPlan(self.batch_size, self.steps_per_call, self.seed, n_step)


class Trained(NamedTuple):
    """Outcome of a run.

    Attributes
    ----------
    params : tree of arrays
        Those of the lowest validation loss; of the last step where there is no validation.
    best_loss : float or None
        The lowest validation loss; None without validation.
    kept_epoch : int
        Which epoch these parameters are of, from 0; -1 for those before the first step.
    history : list of dict
        For people, never to compute with; one per epoch: epoch, step, loss, what else the loss records,
        validation_loss (of the epochs that are validated), seconds. Where the start is validated, the first is of it:
        epoch -1, step 0, validation_loss.
    """

    params: Params
    best_loss: float | None
    kept_epoch: int
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
    identify: Callable[[np.ndarray], Sequence[str]] | None = None,
    devices: Sequence[jax.Device] | None = None,
    scan: bool | None = None,
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
    identify : callable, optional
        Gives what people call the rows of an array, for the message of a loss that is not finite.
    scan : bool, optional
        Whether the steps of a host call are one compiled scan; by default what suits the devices
        (:func:`mangrove.models.training.steps.scans`).

    Returns
    -------
    Trained

    Raises
    ------
    TrainingError
        If a loss or its gradient is not finite, a checkpoint is of another run, or there are too few rows.
    """
    devices = list(devices or jax.devices())
    _check(rows, validation, settings, len(devices))
    functions = compiled(loss, optimiser, scans(devices) if scan is None else scan)
    known = {"settings": asdict(settings), "n_row": rows.n_row, **(identity or {})}
    folder.mkdir(parents=True, exist_ok=True)
    with Checkpoints(folder / "checkpoints", known) as checkpoints:
        run = _TrainingRun(functions, rows, validation, settings, folder, checkpoints, mesh_of(devices), identify)
        return run.go(first_state(params, optimiser, settings.seed))


class _TrainingRun:
    """One run: its compiled functions, where it writes, and where it stands."""

    def __init__(self, functions, rows, validation, settings, folder, checkpoints, mesh, identify) -> None:
        self._functions, self._mesh, self._identify = functions, mesh, identify
        self._rows, self._validation, self._settings = rows, validation, settings
        self._folder, self._checkpoints = folder, checkpoints
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._position, self._unsaved, self._saved_at = Position(), 0, time.monotonic()

    def go(self, first: State) -> Trained:
        """Train, from the newest checkpoint on, to the end."""
        self._state, self._best = jax.device_put((first, copied(first.params)), self._everywhere)
        self._resume()
        position, settings = self._position, self._settings
        n_epoch = settings.total_epochs(self._rows.n_row)
        self._reporter = reporting.Reporter(self._folder, position.epoch)
        if settings.validate_start and self._validation is not None and position.best_loss is None:
            position.best_loss, position.best_epoch = self._validate("before the first step"), -1
            self._reporter.start(position.best_loss)
        with self._reporter.bar(settings.total_steps(self._rows.n_row), position.step) as bar:
            while not position.finished:
                self._epoch(bar)
                row = position.means()
                last = position.epoch + 1 >= n_epoch
                if self._validation is not None and (last or (position.epoch + 1) % settings.validation_every == 0):
                    row["validation_loss"] = self._judge()
                position.next_epoch()
                position.finished |= last
                self._reporter.epoch(row, position.finished)
                if position.finished or self._may_save():
                    self._save()
        keep_best = settings.keep_best and self._validation is not None
        params, kept = (self._best, position.best_epoch) if keep_best else (self._state.params, position.epoch - 1)
        return Trained(params, position.best_loss, kept, self._reporter.history)

    def _resume(self) -> None:
        found = self._checkpoints.restore((self._state, self._best))
        if found is None:
            return
        if found.environment != environment():
            reporting.other_machine(found.environment)
        self._state, self._best = found.arrays
        self._position = Position(**found.position)
        reporting.resumed(self._position.epoch, self._position.call)

    def _epoch(self, bar: reporting.Bar) -> None:
        position, n_row = self._position, self._rows.n_row
        plan = self._settings.plan(n_row, position.epoch)
        chunks = self._rows.chunks(plan, position.epoch, position.call, self._place)
        chunk = next(chunks, None)
        while chunk is not None:
            self._state, recorded = self._functions.steps(self._state, chunk.arrays, chunk.index, self._mesh)
            # The device computes: time to place what it needs next, before its losses are waited for.
            following = next(chunks, None)
            values = fetched(recorded)
            self._demand_finite(chunk, values.pop(FINITE))
            self._position.count(values)
            self._unsaved += 1
            bar.step(values["loss"])
            if position.call < plan.calls(n_row) and self._may_save():
                self._save()
            chunk = following

    def _judge(self) -> float:
        """The validation loss; remembers the best parameters, finishes when patience is at its end."""
        position, settings = self._position, self._settings
        value = self._validate(f"after epoch {position.epoch + 1}")
        if position.best_loss is None or value < position.best_loss:
            position.best_loss, position.best_epoch = value, position.epoch
            if settings.keep_best:
                # The steps that follow take the memory of the parameters.
                self._best = copied(self._state.params)
        elif settings.patience is not None and position.epoch - position.best_epoch >= settings.patience:
            reporting.stopped_early(position.epoch, settings.patience)
            position.finished = True
        return value

    def _validate(self, when: str) -> float:
        """Mean validation loss over the rows; it has to be finite."""
        state, key, losses, weights = self._state, jax.random.wrap_key_data(self._state.key), [], []
        for arrays in self._validation.ordered(self._settings.validation_batch, self._place):
            # No more than two blocks are on the device at a time.
            jax.block_until_ready(losses[-1:])
            losses.append(self._functions.evaluate(state.params, arrays, key, state.step)[0])
            weights.append(len(next(iter(arrays.values()))))
        value = float(np.average(np.array(jax.device_get(losses), np.float64), weights=weights))
        if not np.isfinite(value):
            raise TrainingError(f"the validation loss is not finite {when}: look at the validation rows.")
        return value

    def _may_save(self) -> bool:
        settings, waited = self._settings, time.monotonic() - self._saved_at
        return self._unsaved >= settings.checkpoint_calls and waited >= settings.checkpoint_seconds

    def _save(self) -> None:
        self._checkpoints.save(self._position.step, (self._state, self._best), asdict(self._position))
        self._unsaved, self._saved_at = 0, time.monotonic()

    def _place(self, arrays: Mapping[str, np.ndarray]) -> Mapping[str, jax.Array]:
        return jax.device_put(dict(arrays), self._everywhere)

    def _demand_finite(self, chunk: Chunk, finite: np.ndarray) -> None:
        if finite.all():
            return
        bad = int(np.argmin(finite))
        rows = np.sort(chunk.rows[chunk.index[bad]])
        names = None if self._identify is None else list(self._identify(rows))
        raise self._reporter.not_finite(self._position.step + bad, rows.tolist(), names, self._checkpoints.latest)


def _check(rows: Rows, validation: Rows | None, settings: TrainSettings, n_device: int) -> None:
    if rows.n_row < settings.batch_size:
        raise TrainingError(
            f"{rows.n_row} training rows do not fill one batch of {settings.batch_size}: use a smaller batch."
        )
    if validation is not None and not validation.n_row:
        raise TrainingError("the validation set is empty: give it rows, or train without one.")
    if settings.batch_size % n_device:
        raise TrainingError(
            f"a batch of {settings.batch_size} cannot be divided evenly over {n_device} devices: take a batch size that "
            f"is a multiple of {n_device}, or fewer devices (CUDA_VISIBLE_DEVICES)."
        )
