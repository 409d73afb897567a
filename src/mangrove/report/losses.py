"""Losses of a training by epoch."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mangrove.report.colours import BLUE, ORANGE


def draw_losses(axes: Axes, history: Sequence[Mapping[str, float]], keep_best: bool) -> None:
    """Loss and validation loss by epoch, counted from 1, with the epoch that was kept; 0 is the start.

    Parameters
    ----------
    history : sequence of mapping
        Epochs of ``metrics.jsonl``: epoch from 0, loss, validation_loss where there is a validation set; epoch -1 is the
        start, which has no loss of training.
    keep_best : bool
        Whether the epoch of the lowest validation loss was kept; else the last.
    """
    for key, label, colour in (("loss", "training", BLUE), ("validation_loss", "validation", ORANGE)):
        rows = [row for row in history if key in row]
        if rows:
            axes.plot(
                [row["epoch"] + 1 for row in rows], [row[key] for row in rows], "o-", ms=3, color=colour, label=label
            )
    validated = [row for row in history if "validation_loss" in row]
    if validated:
        kept = min(validated, key=lambda row: row["validation_loss"])["epoch"] if keep_best else history[-1]["epoch"]
        what = "the start" if kept < 0 else f"epoch {kept + 1:g}"
        label = f"kept: {what}, {'lowest validation loss' if keep_best else 'the last'}"
        axes.axvline(kept + 1, color="0.4", lw=1, ls="--", label=label)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9)
