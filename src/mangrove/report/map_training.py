"""Figure of the training of a self-organising map with its autoencoder."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.models.desom.cooling import temperature
from mangrove.report.colours import BLUE, GREEN, ORANGE, PURPLE
from mangrove.report.drawing import new_figure, note, plain_log_ticks


class Cooling(NamedTuple):
    """How the temperature falls: from a first to a last value over some steps, after those of the pretraining."""

    start: float
    end: float
    steps: int
    pretraining: int = 0

    def at(self, step) -> np.ndarray:
        """The temperature at steps, int of shape (n,); NaN during the pretraining, which has none."""
        step = np.asarray(step) - self.pretraining
        return np.where(step < 0, np.nan, np.asarray(temperature(step, self.start, self.end, self.steps)))


def training_figure(history: Sequence[Mapping[str, float]], gamma: float, cooling: Cooling) -> Figure:
    """Losses, the parts of the loss and the temperature by training step.

    Parameters
    ----------
    history : sequence of mapping
        Epochs of ``metrics.jsonl``: step, loss, its parts reconstruction and som, validation_loss where there is a validation set.
    gamma : float
        Weight of the map's part in the loss.
    cooling : Cooling
    """
    figure = new_figure(16, 5)
    left, middle, right = figure.subplots(1, 3)
    if not history:
        note(middle, "no epoch")
        return figure
    step = np.array([row["step"] for row in history])
    _curves(left, step, history, {"loss": ("training loss", BLUE), "validation_loss": ("validation", ORANGE)})
    left.set_title("loss; validation: reconstruction alone, unweighted")
    parts = [{"reconstruction": row["reconstruction"], "som": gamma * row["som"]} for row in history]
    shown = {"reconstruction": ("reconstruction", GREEN), "som": (f"{gamma:g} x distances on the map", PURPLE)}
    _curves(middle, step, parts, shown)
    middle.set_title("parts of the training loss")
    right.semilogy(step, cooling.at(step - 1), "-", color=BLUE)
    plain_log_ticks(right.yaxis)
    right.set(ylabel="temperature (nodes)", title="width of the neighbourhood")
    for axes in (left, middle, right):
        axes.set_xlabel("training step")
    return figure


def _curves(axes: Axes, step, rows: Sequence[Mapping[str, float]], shown: Mapping[str, tuple[str, str]]) -> None:
    for key, (label, colour) in shown.items():
        values = np.array([row.get(key, np.nan) for row in rows], float)
        # Not every epoch is validated.
        known = values > 0
        if known.any():
            axes.semilogy(step[known], values[known], "-", color=colour, lw=1.5, label=label)
    axes.set_ylabel("mean per value")
    axes.legend(frameon=False, fontsize=9)
