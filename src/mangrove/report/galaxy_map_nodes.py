"""Figure of some nodes of the map of galaxies: their galaxies, in pictures and by their fingerprints."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from mangrove.artefacts import Artefact
from mangrove.report.colours import BLUE, GREEN, RED
from mangrove.report.drawing import Gaps, Place, axes_at, bar_beside, panel_grid
from mangrove.report.galaxy_pictures import SOURCE, galaxy_picture, write_on_picture
from mangrove.report.node_maps import node_axes
from mangrove.report.node_places import NodePlaces, places_of
from mangrove.report.wording import counted

#: Nodes in the figure, and galaxies of each.
N_NODE, N_GALAXY = 3, 12
_COLOURS = (BLUE, RED, GREEN)
#: Width of a colour bar, in that of a fingerprint.
_BAR = 0.07
#: Sides of a picture and of the small map beside it, inches; where that map begins, from the left and from the lower panel.
_SIDE, _MAP_SIDE, _MAP_PLACE = 1.25, 1.35, (0.45, 0.5)
_GAPS = Gaps(left=2.3, right=0.8, bottom=0.15, top=0.75, columns=0.05, rows=0.05)


def chosen_nodes(count: np.ndarray, places: NodePlaces) -> list[int]:
    """Up to three nodes far from each other: that with most galaxies, then those with enough that lie farthest from them.

    Enough are twelve, or as many as the third of all has.

    Parameters
    ----------
    count : ndarray of int, shape (n_node,)
        Galaxies on each node.
    """
    occupied = np.flatnonzero(count)
    if not occupied.size:
        return []
    enough = min(N_GALAXY, int(np.sort(count[occupied])[-min(N_NODE, occupied.size)]))
    chosen = [int(np.argmax(count))]
    while len(chosen) < min(N_NODE, occupied.size):
        apart = np.min([places.steps(k) for k in chosen], axis=0)
        chosen.append(int(np.argmax(np.where(count >= enough, apart, -1))))
    return chosen


def members(assigned: Artefact, node: int) -> np.ndarray:
    """Indices of up to twelve galaxies of a node, those nearest to the prototype first."""
    here = np.flatnonzero(assigned["node"] == node)
    return here[np.argsort(assigned["distance"][here], kind="stable")][:N_GALAXY]


def nodes_figure(nodes: Artefact, assigned: Artefact, prints: Artefact, extracts: Mapping[str, Artefact]) -> Figure:
    """Twelve galaxies of each of three nodes: a picture, and below it the fingerprint.

    Parameters
    ----------
    nodes, assigned, prints : Artefact
        'galaxy_map', 'galaxy_map_assignments', 'fingerprints'.
    extracts : mapping of str to Artefact
        See :func:`mangrove.report.galaxy_images.read_extracts`.
    """
    places, count = places_of(nodes), nodes["n_galaxy"].sum(axis=1)
    chosen = chosen_nodes(count, places)
    galaxies = [members(assigned, node) for node in chosen]
    figure, panels = panel_grid(2 * len(chosen), max(map(len, galaxies)), (_SIDE, _SIDE), _GAPS)
    shape = prints.attrs["rows"], prints.attrs["columns"]
    for k, own in enumerate(galaxies):
        for upper, lower, galaxy in zip(*panels[2 * k : 2 * k + 2, : len(own)], own, strict=True):
            name = str(prints["plateifu"][galaxy])
            galaxy_picture(upper, extracts.get(name))
            write_on_picture(upper, _SIDE, name)
            shown = draw_print(lower, prints["normalised"][galaxy], shape)
        for axes in panels[2 * k : 2 * k + 2, len(own) :].ravel():
            axes.set_visible(False)
        bar = bar_beside(panels[2 * k + 1, len(own) - 1], shown, "normalised weight", _BAR)
        bar.set_label("normalised weight", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        _describe(figure, panels[2 * k + 1, 0], places, chosen[k], count[chosen[k]], _COLOURS[k])
    figure.suptitle(
        f"galaxies nearest to the prototypes of {counted(len(chosen), 'node')}, and their fingerprints\n{SOURCE}",
        fontsize=11,
    )
    return figure


def draw_print(axes: Axes, normalised: np.ndarray, shape: tuple[int, int]) -> AxesImage:
    """A fingerprint, shape (rows times columns,) from 0 to 1, column 1 and row 1 at the lower left, without numbers."""
    axes.set(xticks=[], yticks=[])
    axes.set_box_aspect(1)
    image = normalised.reshape(shape)
    return axes.imshow(image, origin="lower", vmin=0, vmax=1, interpolation="nearest", aspect="auto")


def _describe(figure: Figure, first: Axes, places: NodePlaces, node: int, count: int, colour: str) -> None:
    """To the left of a node's galaxies, whose lower panels begin with ``first``: where it lies on the map, and its name."""
    left, up = _MAP_PLACE
    bottom = first.get_position().y0 * figure.get_size_inches()[1] + up
    axes = axes_at(figure, Place(left, bottom, _MAP_SIDE, _MAP_SIDE * places.rows / places.columns))
    node_axes(axes, places)
    axes.set_xlabel("column", fontsize=7, labelpad=1)
    axes.set_ylabel("row", fontsize=7, labelpad=1)
    axes.tick_params(labelsize=7)
    corner = places.column[node] + 0.5, places.row[node] + 0.5
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour))
    axes.set_title(f"node {places.name(node)}\n{counted(int(count), 'galaxy', 'galaxies')}", fontsize=10, color=colour)
