"""What a training run tells people: progress bar, metrics file, log. Nothing is computed from any of it.

The module is a leaf of the code hash (:data:`mangrove.codehash.LEAVES`): an edit here retrains nothing. What decides
something (which epoch is best, when to stop) belongs in :mod:`mangrove.models.training.loop`.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mangrove.errors import TrainingError
from mangrove.models.training.metrics import read_metrics

log = logging.getLogger(__name__)

_NAMED_ROWS = 20
_SECONDS_BETWEEN_LINES = 2.0


class Reporter:
    """The reports of one run: ``metrics.jsonl`` and, where the loss fails, ``failure.json`` in its folder.

    Parameters
    ----------
    folder : Path
    first_epoch : int
        Where the run starts or resumes; what the file holds of this epoch and later ones goes.

    Attributes
    ----------
    history : list of dict
        One per epoch, as the lines of the file have it; before these, epoch -1 where the start is validated.
    """

    def __init__(self, folder: Path, first_epoch: int) -> None:
        self._folder, self._path = folder, folder / "metrics.jsonl"
        old = read_metrics(self._path) if self._path.exists() else []
        self.history = [row for row in old if row["epoch"] < first_epoch]
        self._path.write_text("".join(json.dumps(row) + "\n" for row in self.history), encoding="utf-8")
        self._started, self._told = time.perf_counter(), -math.inf

    def bar(self, steps: int, done: int) -> "Bar":
        """The bar of the run's steps, ``done`` of which are over."""
        return Bar(steps, done)

    def start(self, loss: float) -> None:
        """Begin the file with the validation loss before the first step, as epoch -1; tell the log."""
        self.history = [{"epoch": -1, "step": 0, "validation_loss": loss}]
        self._path.write_text(json.dumps(self.history[0]) + "\n", encoding="utf-8")
        log.info("before the first step: validation loss %.6g", loss)

    def epoch(self, row: Mapping[str, float], last: bool) -> None:
        """Add an epoch, with its wall time, to the file, and to the log unless that had a line just before."""
        now = time.perf_counter()
        row = {**row, "seconds": round(now - self._started, 3)}
        self._started = now
        self.history.append(row)
        with self._path.open("a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")
        if last or now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            log.info(" ".join(f"{name} {value:.6g}" for name, value in row.items()))

    def not_finite(self, step: int, rows: list[int], names: list[str] | None, checkpoint: int | None) -> TrainingError:
        """Write ``failure.json`` and give the error to raise.

        Parameters
        ----------
        rows : list of int
            Of the batch, as they stand in their source.
        names : list of str or None
            What people call these rows.
        checkpoint : int or None
            Step of the newest checkpoint.
        """
        path = self._folder / "failure.json"
        failure = {"step": step, "rows": rows, "names": names, "checkpoint": checkpoint}
        path.write_text(json.dumps(failure) + "\n", encoding="utf-8")
        called = rows if names is None else names
        shown = ", ".join(map(str, called[:_NAMED_ROWS])) + (", ..." if len(called) > _NAMED_ROWS else "")
        kept = "there is no checkpoint yet" if checkpoint is None else f"step {checkpoint} is kept"
        return TrainingError(
            f"the loss or its gradient is not finite at step {step}, on the rows {shown} (all in {path}). "
            f"Look at these rows, or lower the learning rate; of the checkpoints, {kept}."
        )


class Bar:
    """The progress bar of a run; silent where there is no terminal, as the log has a line per epoch."""

    def __init__(self, steps: int, done: int) -> None:
        self._bar = tqdm(total=steps, initial=done, desc="training", unit="step", leave=False, disable=None)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_) -> None:
        self._bar.close()

    def step(self, losses: np.ndarray) -> None:
        """A host call is over; ``losses`` are those of its steps."""
        self._bar.set_postfix(loss=f"{losses.mean():.4g}", refresh=False)
        self._bar.update(len(losses))


def stopped_early(epoch: int, patience: int) -> None:
    """Say that patience ended after an epoch (from 0)."""
    log.info("stop after epoch %d: no lower validation loss for %d epochs", epoch + 1, patience)


def resumed(epoch: int, call: int) -> None:
    """Say where a run goes on."""
    log.info("resume at epoch %d, host call %d", epoch + 1, call)


def other_machine(environment: Mapping[str, Any]) -> None:
    """Warn that a checkpoint is of another machine."""
    log.warning("the checkpoint is of another machine (%s): results may differ in the last bits", environment)
