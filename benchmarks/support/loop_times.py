"""Times of the training loop as it runs."""

import time
from typing import NamedTuple

import numpy as np

from mangrove.models.training.rows import Rows


class LoopTimes(NamedTuple):
    """Seconds per step of a training.

    Attributes
    ----------
    mean : float
        Over all steps but the first, with validations and checkpoints.
    call : float
        Of the median host call: without what happens once in several of them.
    """

    mean: float
    call: float


class StampedRows:
    """Rows that note when each chunk is asked for, and how many steps it holds."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self.n_row = rows, rows.n_row
        self.stamps: list[tuple[float, int]] = []

    def chunks(self, *args):
        """See :class:`mangrove.models.training.rows.Rows`."""
        for chunk in self._rows.chunks(*args):
            self.stamps.append((time.perf_counter(), len(chunk.index)))
            yield chunk

    def times(self, steps_per_call: int) -> LoopTimes:
        """Of the training that took the chunks, with host calls of so many steps where they are whole."""
        # The loop asks for a chunk when the steps of the one before are under way; in the first interval it may compile.
        when, n_step = (np.array(column) for column in zip(*self.stamps[1:], strict=True))
        intervals, n_step = np.diff(when), n_step[:-1]
        whole = n_step == steps_per_call
        return LoopTimes(intervals.sum() / n_step.sum(), float(np.median(intervals[whole]) / steps_per_call))
