"""Losses of a training by epoch."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mangrove.report.drawing import BLUE, ORANGE


def draw_losses(axes: Axes, history: Sequence[Mapping[str, float]], keep_best: bool) -> None:
    """Loss and validation loss by epoch, with the epoch that was kept.

    Parameters
    ----------
    history : sequence of mapping
        Epochs of ``metrics.jsonl``: epoch from 0, loss, validation_loss where there is a validation set.
    keep_best : bool
        Whether the epoch of the lowest validation loss was kept; else the last.
    """
    epochs = [row["epoch"] + 1 for row in history]
    for key, label, colour in (("loss", "training", BLUE), ("validation_loss", "validation", ORANGE)):
        if history and key in history[0]:
            axes.plot(epochs, [row[key] for row in history], "o-", ms=3, color=colour, label=label)
    if history and "validation_loss" in history[0]:
        best = min(history, key=lambda row: row["validation_loss"]) if keep_best else history[-1]
        kept = f"kept: epoch {best['epoch'] + 1:g}, {'lowest validation loss' if keep_best else 'the last'}"
        axes.axvline(best["epoch"] + 1, color="0.4", lw=1, ls="--", label=kept)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9)
