"""Figures of the map of galaxies, node by node: pictures, fingerprints, occupation, catalogue values."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mangrove.artefacts import Artefact
from mangrove.codes import Split
from mangrove.report.colours import BAD_COLOUR, BLUE, ORANGE
from mangrove.report.drawing import Gaps, bar_beside, legend_above, note, panel_grid
from mangrove.report.galaxy_map_repeats import nearness
from mangrove.report.galaxy_pictures import SOURCE, galaxy_picture, write_on_picture
from mangrove.report.node_maps import cross_out, draw_nodes, map_in_words, node_axes, write_in_nodes
from mangrove.report.node_places import NodePlaces, places_of
from mangrove.report.wording import counted

#: Side of a map of nodes, inches; of a picture, at least and at most, and of all pictures together.
_SIDE, _PICTURE, _PICTURES = 4.6, (0.95, 2.4), 11.0
_GAPS = Gaps(left=0.7, right=1.1, bottom=0.6, top=1.0, columns=1.6, rows=0.9)
_PICTURE_GAPS = Gaps(left=0.8, right=0.15, bottom=0.7, top=0.75, columns=0.04, rows=0.04)
#: Smallest top of the scale of a fraction.
_LEAST_TOP = 0.1
#: Part of the pairs of one kind that is drawn: what lies farther apart than nearly all is left out.
_DRAWN = 0.999


def images_figure(nodes: Artefact, extracts: Mapping[str, Artefact]) -> Figure:
    """The galaxy of each node that is nearest to its prototype, with its name and the number of galaxies there.

    Parameters
    ----------
    nodes : Artefact
        'galaxy_map'.
    extracts : mapping of str to Artefact
        See :func:`mangrove.report.galaxy_images.read_extracts`.
    """
    places = places_of(nodes)
    side = float(np.clip(_PICTURES / places.columns, *_PICTURE))
    figure, panels = panel_grid(places.rows, places.columns, (side, side), _PICTURE_GAPS)
    count = nodes["n_galaxy"].sum(axis=1)
    for k, name in enumerate(nodes["example"].tolist()):
        axes = panels[places.rows - 1 - places.row[k], places.column[k]]
        if name:
            galaxy_picture(axes, extracts.get(name))
            write_on_picture(axes, side, name, str(count[k]))
        else:
            axes.set(xticks=[], yticks=[], facecolor=BAD_COLOUR)
            axes.set_box_aspect(1)
    number_grid(figure, panels)
    words = "the galaxy nearest to each prototype, and the number on the node; grey: none"
    figure.suptitle(f"{counted(int(count.sum()), 'galaxy', 'galaxies')}: {words}\n{SOURCE}", fontsize=11)
    return figure


def number_grid(figure: Figure, panels: np.ndarray) -> None:
    """Numbers of columns and rows, from 1 and from below, at a grid of panels, one a node."""
    for k, axes in enumerate(panels[-1], start=1):
        axes.set_xlabel(str(k), fontsize=9)
    for k, axes in enumerate(panels[::-1, 0], start=1):
        axes.set_ylabel(str(k), fontsize=9, rotation=0, ha="right", va="center")
    figure.supxlabel("column", fontsize=10, y=0.01, va="bottom")
    figure.supylabel("row", fontsize=10, x=0.01, ha="left")


def prototypes_figure(nodes: Artefact, assigned: Artefact, prints: Artefact) -> Figure:
    """Fingerprints on the grid: prototypes decoded, and the mean of the galaxies of each node.

    Parameters
    ----------
    nodes, assigned, prints : Artefact
        'galaxy_map', 'galaxy_map_assignments', 'fingerprints'.
    """
    places, shape = places_of(nodes), (prints.attrs["rows"], prints.attrs["columns"])
    figure, (panels,) = panel_grid(1, 2, (7.2, 7.2 * places.rows / places.columns), _GAPS)
    decoded = nodes["prototype_fingerprint"]
    top = float(np.percentile(decoded, 99.8))
    draw_mosaic(panels[0], places, decoded, shape, top)
    panels[0].set_title("prototypes, decoded", fontsize=11)
    draw_mosaic(panels[1], places, means_on_nodes(prints["normalised"], assigned["node"], len(decoded)), shape, top)
    panels[1].set_title("mean fingerprint of the galaxies on the node; grey: none", fontsize=11)
    cells = (
        f"in each node the {shape[1]} x {shape[0]} nodes of the map of spectra, column 1 and row 1 at the lower left"
    )
    figure.suptitle(cells, fontsize=11)
    return figure


def means_on_nodes(values: np.ndarray, node: np.ndarray, n_node: int) -> np.ndarray:
    """Mean over the galaxies of each node of values, shape (n_galaxy, n); NaN without any: shape (n_node, n)."""
    some = node >= 0
    total = np.zeros((n_node, values.shape[1]))
    np.add.at(total, node[some], values[some])
    count = np.bincount(node[some], minlength=n_node)[:, None]
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def draw_mosaic(axes: Axes, places: NodePlaces, prints: np.ndarray, shape: tuple[int, int], top: float) -> None:
    """Fingerprints, shape (n_node, rows times columns of ``shape``), in the cells of their nodes."""
    rows, columns = shape
    mosaic = np.full((places.rows, rows, places.columns, columns), np.nan)
    mosaic[places.row, :, places.column, :] = prints.reshape(-1, rows, columns)
    axes.set_facecolor(BAD_COLOUR)
    edges = (0.5, places.columns + 0.5, 0.5, places.rows + 0.5)
    image = mosaic.reshape(places.rows * rows, places.columns * columns)
    shown = axes.imshow(image, origin="lower", extent=edges, vmin=0, vmax=top or 1.0, interpolation="nearest")
    node_axes(axes, places)
    for lines, n in ((axes.axvline, places.columns), (axes.axhline, places.rows)):
        for edge in np.arange(1, n) + 0.5:
            lines(edge, color="w", lw=1.5)
    bar_beside(axes, shown, "normalised weight")


def occupation_figure(nodes: Artefact, assigned: Artefact) -> Figure:
    """Galaxies on each node by split, and how near repeat observations lie to each other."""
    places = places_of(nodes)
    gaps = _GAPS._replace(top=1.35, right=0.3)
    figure, (panels,) = panel_grid(1, 3, (_SIDE, _SIDE * places.rows / places.columns), gaps)
    train = nodes["n_galaxy"][:, Split.TRAIN]
    for axes, count, words in (
        (panels[0], train, "for training"),
        (panels[1], nodes["n_galaxy"][:, [Split.VALIDATION, Split.TEST]].sum(axis=1), "for validation and test"),
    ):
        title = f"{counted(int(count.sum()), 'galaxy', 'galaxies')} {words}"
        known = np.where(count, count, np.nan)
        shown = draw_nodes(axes, places, known, title, "galaxies", (0, max(int(count.max()), 1)))
        if shown.colorbar:
            shown.colorbar.locator = MaxNLocator(5, integer=True)
        write_in_nodes(axes, places, [str(n) if n else "" for n in count], shown)
    cross_out(panels[0], places, train == 0)
    _repeat_panel(panels[2], assigned)
    empty = f"{counted(int((train == 0).sum()), 'node')} of {train.size} without a galaxy of the training set"
    figure.suptitle("; ".join(filter(None, [empty, map_in_words(nodes)])), fontsize=11)
    return figure


def _repeat_panel(axes: Axes, assigned: Artefact) -> None:
    found = nearness(assigned)
    n_pair, (n_near, by_chance) = int(found.repeats.sum()), found.near
    if not n_pair:
        axes.set_axis_off()
        note(axes, "no galaxy was observed twice")
        return
    shown = 1
    for pairs, offset, label, colour in (
        (found.repeats, -0.2, f"repeats ({counted(n_pair, 'pair')})", BLUE),
        (found.different, 0.2, "different galaxies", ORANGE),
    ):
        part = pairs / max(pairs.sum(), 1)
        shown = max(shown, int(np.searchsorted(np.cumsum(part), _DRAWN)))
        axes.bar(np.arange(len(part)) + offset, part, 0.4, color=colour, label=label)
    axes.set(xlim=(-0.6, shown + 0.6), xlabel="steps between the nodes", ylabel="pairs")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_title(
        f"same or adjacent node: {n_near} of {n_pair} repeats,\n{100 * by_chance:.0f} % of the pairs of different galaxies",
        fontsize=11,
    )
    legend_above(axes)


def catalogue_figure(nodes: Artefact, assigned: Artefact, prints: Artefact) -> Figure:
    """Fractions of the Hubble classes on each node, medians of the Sersic fits, means of the fingerprints' patches.

    Parameters
    ----------
    nodes, assigned, prints : Artefact
        'galaxy_map', 'galaxy_map_assignments', 'fingerprints'.
    """
    places, types = places_of(nodes), nodes["morphology"].tolist()
    n_type = np.nan_to_num(nodes["morphology_fraction"] * nodes["n_morphology"][:, None]).sum(axis=0)
    drawn = [k for k in range(len(types)) if n_type[k] >= 0.5]
    n_panel = len(drawn) + 4
    n_column = 4 if n_panel > 4 else 2
    figure, grid = panel_grid(-(-n_panel // n_column), n_column, (_SIDE, _SIDE * places.rows / places.columns), _GAPS)
    panels = list(grid.ravel())
    for axes in panels[n_panel:]:
        axes.set_visible(False)
    for axes, k in zip(panels, drawn, strict=False):
        fraction = nodes["morphology_fraction"][:, k]
        top = max(float(np.nanmax(fraction)), _LEAST_TOP)
        title = f"{types[k]}: {counted(round(float(n_type[k])), 'galaxy', 'galaxies')}"
        draw_nodes(axes, places, fraction, title, "fraction of the galaxies with a type", (0.0, top))
    n, ba, patches, spread = panels[len(drawn) : n_panel]
    fits = f"median by node, {counted(int(nodes['n_sersic'].sum()), 'galaxy', 'galaxies')}"
    draw_nodes(n, places, nodes["sersic_n"], f"Sérsic index: {fits}", "Sérsic index n", cmap="plasma")
    draw_nodes(ba, places, nodes["sersic_ba"], f"axis ratio: {fits}", "axis ratio b/a", cmap="cividis")
    for axes, name, least, title in (
        (patches, "n_patch", 1.0, "separate patches of the fingerprint"),
        (spread, "patch_spread", 0.0, "spread of these patches (nodes)"),
    ):
        values = means_on_nodes(prints[name][:, None], assigned["node"], len(nodes["example"]))[:, 0]
        top = max(float(np.nanmax(values)), least + 1.0)
        draw_nodes(axes, places, values, title, "mean by node", (least, top))
    if not drawn:
        figure.suptitle("the sample sheet has no Hubble types", fontsize=11)
    return figure
