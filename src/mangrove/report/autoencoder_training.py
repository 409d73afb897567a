"""Figure of the training of an autoencoder of line cubes."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mangrove.report.colours import GREEN, PURPLE
from mangrove.report.drawing import new_figure, note, plain_log_ticks
from mangrove.report.losses import draw_losses

#: Parts of the loss of the variational network, their labels and colours.
_PARTS = {
    "reconstruction": ("reconstruction", GREEN),
    "divergence": ("Kullback-Leibler divergence, unweighted", PURPLE),
}


def training_figure(history: Sequence[Mapping[str, float]], keep_best: bool) -> Figure:
    """Losses by epoch with the one that was kept; beside them the parts of the loss where it has two.

    Parameters
    ----------
    history : sequence of mapping
        Epochs of ``metrics.jsonl``: epoch, loss, validation_loss, and of the variational network reconstruction and
        divergence; of the start, epoch -1, the validation_loss alone.
    keep_best : bool
        Whether the epoch of the lowest validation loss was kept; else the last.
    """
    parts = [key for key in _PARTS if any(key in row for row in history)]
    both = len(parts) > 1
    figure = new_figure(13 if both else 7.5, 4.8)
    panels = figure.subplots(1, 2 if both else 1, squeeze=False)[0]
    if not history:
        note(panels[0], "no epoch")
        return figure
    draw_losses(panels[0], history, keep_best)
    panels[0].set_title("loss, mean per value", fontsize=11)
    if both:
        for key in parts:
            label, colour = _PARTS[key]
            rows = [row for row in history if key in row]
            panels[1].plot(
                [row["epoch"] + 1 for row in rows],
                [row[key] for row in rows],
                "o-",
                ms=3,
                color=colour,
                label=label,
            )
        panels[1].set(xlabel="epoch", ylabel="part of the training loss", yscale="log")
        plain_log_ticks(panels[1].yaxis)
        panels[1].set_title("parts of the loss", fontsize=11)
        panels[1].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[1].legend(frameon=False, fontsize=9)
    return figure
