"""Figure of the nearest neighbours of some galaxies, in the latents and on the map of the latents."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.report.autoencoder_pictures import Pictures
from mangrove.report.autoencoder_sample import AGN_CLASSES, Shown, agn_words, causes, classes_of, heading, run_title
from mangrove.report.colours import RED
from mangrove.report.drawing import Gaps, note, noted, panel_grid
from mangrove.report.galaxy_pictures import write_on_picture
from mangrove.report.wording import plain

#: Galaxies whose neighbours are shown, and neighbours of each.
N_QUERY, N_NEIGHBOUR = 2, 7
_SIDE = 1.5
_GAPS = Gaps(left=0.95, right=0.15, bottom=0.15, top=1.45, columns=0.06, rows=0.42)


class Space(NamedTuple):
    """A space of neighbours: its name in the datasets, and for readers."""

    name: str
    words: str


_SPACES = (Space("latent", "latents"), Space("umap", "UMAP"))


def drawn_galaxies(near: Artefact, shown: Shown) -> set[int]:
    """Indices of the galaxies that the figure draws."""
    found = set(shown.galaxy)
    for k in shown.galaxy:
        for space in _SPACES:
            found |= {int(j) for j in near[f"{space.name}_neighbour"][k, :N_NEIGHBOUR] if j >= 0}
    return found


def neighbours_figure(judged: Artefact, agn: Artefact, near: Artefact, shown: Shown, pictures: Pictures) -> Figure:
    """Strips of pictures: a galaxy and its neighbours, nearest first, by latents and by UMAP.

    Parameters
    ----------
    judged, agn, near : Artefact
        'anomalies', 'agn', 'neighbours'.
    shown : Shown
        The galaxies in question.
    pictures : Pictures
        Of :func:`drawn_galaxies`.
    """
    n = min(N_NEIGHBOUR, near["latent_neighbour"].shape[1])
    if not shown.galaxy or not n:
        return noted("no galaxy with neighbours")
    figure, panels = panel_grid(len(_SPACES) * len(shown.galaxy), 1 + n, (_SIDE, _SIDE), _GAPS)
    for place, k in enumerate(shown.galaxy):
        for row, space in enumerate(_SPACES):
            _strip(panels[len(_SPACES) * place + row], judged, agn, near, space, k, pictures)
        first = panels[len(_SPACES) * place, 0]
        share = f"{plain(100 * near['overlap'][k], 0)} % of the neighbours in both"
        words = [heading(judged, k), agn_words(agn, k), causes(judged["cause"][k])]
        words += [share] if np.isfinite(near["overlap"][k]) else []
        first.set_title("    ".join(filter(None, words)), fontsize=10, loc="left", pad=8)
    title = f"{run_title(judged)}, nearest neighbours\n{shown.words}\n{pictures.source}; numbers: Euclidean distances"
    figure.suptitle(title, fontsize=12, y=1 - 0.1 / figure.get_figheight(), va="top")
    return figure


def _strip(
    panels, judged: Artefact, agn: Artefact, near: Artefact, space: Space, galaxy: int, pictures: Pictures
) -> None:
    """A row of panels: the galaxy, framed, and its neighbours."""
    names, index = judged["plateifu"], near[f"{space.name}_neighbour"][galaxy]
    pictures.draw(panels[0], str(names[galaxy]))
    write_on_picture(panels[0], _SIDE, str(names[galaxy]))
    panels[0].set_ylabel(space.words, fontsize=11)
    _frame(panels[0])
    for axes, k, distance in zip(panels[1:], index, near[f"{space.name}_distance"][galaxy], strict=False):
        if k < 0:
            axes.set_axis_off()
            continue
        pictures.draw(axes, str(names[k]))
        classes = ", ".join(AGN_CLASSES[flag].word for flag in classes_of(agn, k))
        write_on_picture(axes, _SIDE, str(names[k]), f"{distance:.3g}" + (f"  {classes}" if classes else ""))
    if not (index >= 0).any():
        panels[1].set_axis_on()
        panels[1].set(xticks=[], yticks=[])
        note(panels[1], "no map" if space.name == "umap" else "no neighbour")


def _frame(axes: Axes) -> None:
    for spine in axes.spines.values():
        spine.set(color=RED, linewidth=2.5)
