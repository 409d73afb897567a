"""Where a training run stands, in plain values that a checkpoint keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Position:
    """Step, host call within the epoch, sums over the epoch, course of the validation loss.

    Attributes
    ----------
    step : int
        Steps done since the start.
    epoch, call : int
        Epoch, from 0, and host calls done in it.
    sums : dict of float
        Sums over the epoch of what its steps recorded.
    n_step : int
        Steps done in the epoch.
    best_loss : float or None
    best_epoch : int
        Of the lowest validation loss.
    finished : bool
    """

    step: int = 0
    epoch: int = 0
    call: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    n_step: int = 0
    best_loss: float | None = None
    best_epoch: int = -1
    finished: bool = False

    def count(self, recorded: Mapping[str, np.ndarray]) -> None:
        """A host call is over; its steps recorded values of shape (n_step,)."""
        n_step = len(recorded["loss"])
        self.call += 1
        self.step += n_step
        self.n_step += n_step
        for name, values in recorded.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(values.sum())

    def means(self) -> dict[str, float]:
        """The epoch's line: its number, the step, means of what its steps recorded."""
        row = {"epoch": self.epoch, "step": self.step}
        return row | {name: total / self.n_step for name, total in self.sums.items()}

    def next_epoch(self) -> None:
        """The epoch is over."""
        self.epoch, self.call, self.sums, self.n_step = self.epoch + 1, 0, {}, 0
