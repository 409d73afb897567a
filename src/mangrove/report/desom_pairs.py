"""Figure of two pairs of nodes, one far apart and one side by side: their templates and the distributions of labels."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove.artefacts import Artefact
from mangrove.codes import Split
from mangrove.report.colours import BLUE, RED
from mangrove.report.drawing import new_figure, note
from mangrove.report.label_style import STYLE
from mangrove.report.node_places import NodePlaces, places_of
from mangrove.report.node_values import column, flux_axis, interval, main_labels
from mangrove.report.wording import counted, plain

#: Nodes among which pairs are sought: those with the most baxels.
_MOST_NODES = 500
_COLOURS = (BLUE, RED)


class Pairs(NamedTuple):
    """Two pairs of nodes."""

    far: tuple[int, int]
    near: tuple[int, int]


def pairs_figure(spectra: Artefact, node_labels: Artefact) -> Figure:
    """Templates of the nodes of each pair, and the distributions of their labels with median and scatter.

    Parameters
    ----------
    spectra, node_labels : Artefact
        'desom_map' and 'node_labels'.
    """
    places, count = places_of(spectra), spectra["n_baxel"][:, Split.TRAIN]
    found = chosen_pairs(places, count, node_labels.attrs["min_baxels"])
    names = main_labels(node_labels)
    figure = new_figure(17, 12)
    if found is None:
        note(figure.subplots(), "fewer than two nodes have training spectra")
        return figure
    grid = figure.add_gridspec(4, len(names), height_ratios=[1.1, 1, 1.1, 1])
    for k, (words, pair) in enumerate((("far apart", found.far), ("near each other", found.near))):
        _templates(figure.add_subplot(grid[2 * k, :]), spectra, places, pair, words)
        for j, name in enumerate(names):
            axes = figure.add_subplot(grid[2 * k + 1, j])
            _distributions(axes, node_labels, name, pair)
            axes.set_ylabel("" if j else "density of the baxels,\neach panel to its own scale", fontsize=9)
    return figure


def chosen_pairs(places: NodePlaces, count, least: int) -> Pairs | None:
    """The pair farthest apart on the grid and the nearest one; of equals, that whose emptier node has most baxels.

    Parameters
    ----------
    places : NodePlaces
    count : ndarray of int, shape (n_node,)
        Training baxels of the nodes.
    least : int
        Nodes with fewer are left out; where few have as many, those with fewer than the median of all that have any.

    Returns
    -------
    Pairs
        None if fewer than two nodes have baxels.
    """
    occupied = count[count > 0]
    if occupied.size < 2:
        return None
    least = min(least, int(np.median(occupied)), int(np.sort(occupied)[-2]))
    able = np.flatnonzero(count >= least)
    able = np.sort(able[np.argsort(-count[able], kind="stable")][:_MOST_NODES])
    first, second = np.triu_indices(able.size, 1)
    steps = np.stack([places.steps(node)[able] for node in able])[first, second]
    emptier = np.minimum(count[able][first], count[able][second])
    far, near = np.lexsort([-emptier, -steps])[0], np.lexsort([-emptier, steps])[0]
    return Pairs(*((int(able[first[k]]), int(able[second[k]])) for k in (far, near)))


def _templates(axes: Axes, spectra: Artefact, places: NodePlaces, pair: tuple[int, int], words: str) -> None:
    wave = spectra["wave"]
    for node, colour in zip(pair, _COLOURS, strict=True):
        mean, scatter = spectra["template_flux"][node], np.nan_to_num(spectra["template_scatter"][node])
        baxels = counted(int(spectra["n_baxel"][node, Split.TRAIN]), "baxel")
        galaxies = counted(int(spectra["n_galaxy"][node]), "galaxy", "galaxies")
        axes.fill_between(wave, mean - scatter, mean + scatter, color=colour, alpha=0.25, lw=0)
        axes.plot(wave, mean, color=colour, lw=1.0, label=f"node {places.name(node)}: {baxels} of {galaxies}")
    top = np.nanpercentile(spectra["template_flux"][list(pair)], 99.7)
    axes.set(xlim=(wave[0], wave[-1]), ylim=(0, 1.2 * top), xlabel="rest wavelength, vacuum (Å)")
    axes.set_ylabel(flux_axis(spectra))
    steps = counted(int(places.steps(pair[0])[pair[1]]), "step")
    axes.set_title(f"two nodes {words}, {steps} on the map: templates with their scatter")
    axes.legend(frameon=False, fontsize=9)


def _distributions(axes: Axes, node_labels: Artefact, name: str, pair: tuple[int, int]) -> None:
    """Histograms as densities; of each node the median, half of the 16-84 % interval, and whether neighbours were added."""
    k = column(node_labels, name)
    edges = node_labels["edge"][k]
    for line, (node, colour) in enumerate(zip(pair, _COLOURS, strict=True)):
        counts = node_labels["histogram"][node, k]
        if not counts.sum():
            continue
        density = counts / counts.sum() / np.diff(edges)
        axes.stairs(density, edges, color=colour, lw=1.6)
        axes.stairs(density, edges, color=colour, alpha=0.2, fill=True)
        low, middle, high = interval(node_labels, node, name)
        axes.vlines(middle, 0, density.max(), color=colour, lw=1, ls="--")
        text = f"{plain(middle, 2)} ± {plain(0.5 * (high - low), 2)}"
        text += ", pooled" if node_labels["pool_radius"][node, k] else ""
        place = {"ha": "left", "va": "top", "fontsize": 9, "color": colour}
        axes.text(0.03, 0.97 - 0.11 * line, text, transform=axes.transAxes, **place)
    if not node_labels["histogram"][list(pair), k].any():
        note(axes, "no value")
    axes.set_ylim(0, 1.35 * max(axes.get_ylim()[1], 1e-6))
    axes.set(xlabel=STYLE[name].axis, yticks=[])
    axes.set_title(STYLE[name].title, fontsize=10)
