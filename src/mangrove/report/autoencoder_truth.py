"""Figure of planted anomalies: how well the scores of a network, and of principal components, find them by strength."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mangrove.artefacts import Artefact
from mangrove.report.autoencoder_sample import NETWORK_TITLE
from mangrove.report.colours import BLUE, GREEN, ORANGE, RED
from mangrove.report.drawing import new_figure, note, noted
from mangrove.report.wording import plain

_COLOURS = (RED, BLUE, GREEN, ORANGE)
#: The network, and in its place principal components of the cubes as they are, and of their flips and turns.
_STYLES = ("-", "--", ":")
_CHANCE = 0.5


def truth_figure(truth: Artefact) -> Figure:
    """Area under the curve against the strength of each planted anomaly, for each score of the network and of the components.

    Parameters
    ----------
    truth : Artefact
        'autoencoder_truth'.
    """
    planted = truth["planted"].tolist()
    if not truth.ok or not planted or not truth["model"].size:
        return noted(f"no result: {truth.attrs['reason'] or 'no anomaly was planted'}")
    figure = new_figure(4.3 * len(planted), 5.2)
    panels = figure.subplots(1, len(planted), squeeze=False, sharey=True)[0]
    for i, axes in enumerate(panels):
        _anomaly_panel(axes, truth, i)
    panels[0].set_ylabel("area under the curve (AUC)")
    panels[0].set_ylim(min(0.4, np.nanmin(truth["bin_auc"], initial=1.0) - 0.03), 1.02)
    scores, models = truth["score"].tolist(), truth["model"].tolist()
    handles = [
        Line2D([], [], color=c, lw=2, label=f"score '{s.replace('_', ' ')}'")
        for s, c in zip(scores, _COLOURS, strict=False)
    ]
    handles += [
        Line2D([], [], color="k", ls=style, label=_model_words(name))
        for name, style in zip(models, _STYLES, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    normal = int(np.sum(truth["anomaly"] == ""))
    words = f"anomalies planted in galaxies held out, against {normal} normal ones matched in flux and size"
    figure.suptitle(f"{_model_words(truth.attrs['network'])}: {words}", fontsize=12)
    return figure


def _anomaly_panel(axes: Axes, truth: Artefact, i: int) -> None:
    """One kind of anomaly: a curve per score and model."""
    edge, count = truth["strength_edge"][i], truth["bin_count"][i]
    # The bins are equally wide in the logarithm.
    middle = np.sqrt(edge[1:] * edge[:-1])
    axes.set_xscale("log")
    for m, style in zip(range(len(truth["model"])), _STYLES, strict=False):
        for s, colour in zip(range(len(truth["score"])), _COLOURS, strict=False):
            auc = truth["bin_auc"][m, i, s]
            known = np.isfinite(auc) & np.isfinite(middle)
            first = {"lw": 2.2, "zorder": 3} if s == 0 else {"lw": 1.2}
            axes.plot(middle[known], auc[known], style, marker="o", ms=3.5, color=colour, **first)
    if not count.sum():
        note(axes, "none planted")
    axes.axhline(_CHANCE, color="0.6", lw=0.8, ls=":")
    axes.set_xlabel(f"strength ({count.sum()} galaxies)")
    recommended = [
        f"{_model_words(name, short=True)} {plain(truth['auc'][m, i, 0], 2)} ± {plain(truth['auc_error'][m, i, 0], 2)}"
        for m, name in enumerate(truth["model"].tolist())
    ]
    title = truth["planted"][i].replace("_", " ").replace("agn", "AGN")
    network, components = recommended[0], ", ".join(recommended[1:])
    axes.set_title(f"{title}\n{truth['score'][0]}: {network},\n{components}", fontsize=10)


def _model_words(name: str, short: bool = False) -> str:
    """A model for readers."""
    if name in NETWORK_TITLE:
        return name if short else NETWORK_TITLE[name]
    turned = " turned" if name == "pca_turned" else ""
    return f"PCA{turned}" if short else f"principal components{turned and ' of flips and turns'}"
