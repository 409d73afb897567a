"""Figures of spectra on the map of spectra: its decoded prototypes, its templates, and spectra beside their nodes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import rows_of
from mangrove.artefacts import Artefact
from mangrove.codes import Split, TrainingCut
from mangrove.report.colours import MANY
from mangrove.report.drawing import Gaps, bar_beside, new_figure, note, panel_grid
from mangrove.report.label_style import STYLE
from mangrove.report.limits import extend_of
from mangrove.report.node_maps import CellScale, draw_nodes, frame_cells, outline_node
from mangrove.report.node_places import NodePlaces, places_of
from mangrove.report.node_values import COLOURED_BY, flux_axis, label_limits
from mangrove.report.wording import counted

#: Side of a cell, inches: that which fills the width, within limits.
_WIDTH, _SMALLEST, _LARGEST = 12.0, 0.9, 2.0
_GAPS = Gaps(left=0.8, right=1.2, bottom=0.9, top=0.5, columns=0.0, rows=0.0)
#: Percentiles of the fluxes at the bottom of a cell, if negative, and at its top: strong lines may lie beyond.
_BOTTOM, _TOP = 0.3, 99.7
_HEADROOM = 1.05
#: Where on the map examples come from, as parts of its columns and rows, top left first.
_ANCHORS = ((0.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.0, 0.0), (1.0, 0.0))
_LINE = {"color": "k", "lw": 0.5}


class SampleSpectrum(NamedTuple):
    """A baxel as an example: its row among the assignments, and why it was chosen."""

    row: int
    why: str


def prototypes_figure(spectra: Artefact) -> Figure:
    """The decoded prototype in the cell of each node; cells of nodes without a training spectrum are grey.

    Parameters
    ----------
    spectra : Artefact
        'desom_map'.
    """
    places, empty = places_of(spectra), is_empty(spectra)
    figure, axes = _cells(places)
    frame_cells(axes, places, empty)
    # Nodes without spectra do not stretch the scale.
    scale = _scale(spectra["wave"], spectra["prototype_flux"][~empty])
    for node in range(len(empty)):
        axes.plot(*scale.placed(places, node, np.log(spectra["wave"]), spectra["prototype_flux"][node]), **_LINE)
    n_empty = counted(int(empty.sum()), "node has", "nodes have")
    axes.set_title(f"decoded prototypes of {counted(len(empty), 'node')}; {n_empty} no training spectrum (grey)")
    axes.set_xlabel(f"column\n{_in_each_cell(spectra, scale)}")
    return figure


def templates_figure(spectra: Artefact, node_labels: Artefact) -> Figure:
    """The mean training spectrum of each node and its scatter, in cells coloured by a label.

    Parameters
    ----------
    spectra, node_labels : Artefact
        'desom_map' and 'node_labels'.
    """
    places, wave = places_of(spectra), spectra["wave"]
    figure, axes = _cells(places)
    frame_cells(axes, places, is_empty(spectra))
    _colour_cells(axes, places, np.where(is_empty(spectra), np.nan, medians(node_labels, COLOURED_BY)))
    scale = _scale(wave, spectra["template_flux"])
    for node in np.flatnonzero(~is_empty(spectra)):
        mean, scatter = spectra["template_flux"][node], np.nan_to_num(spectra["template_scatter"][node])
        x, low = scale.placed(places, node, np.log(wave), mean - scatter)
        _, high = scale.placed(places, node, np.log(wave), mean + scatter)
        axes.fill_between(x, low, high, color="0.45", alpha=0.5, lw=0)
        axes.plot(*scale.placed(places, node, np.log(wave), mean), **_LINE)
    n_spectrum = counted(int(spectra["n_baxel"][:, Split.TRAIN].sum()), "training spectrum", "training spectra")
    axes.set_title(f"co-added templates of {n_spectrum}; band: scatter; grey cells: none")
    axes.set_xlabel(f"column\n{_in_each_cell(spectra, scale)}")
    return figure


def samples_figure(training_spectra, assignments: Artefact, spectra: Artefact, node_labels: Artefact) -> Figure:
    """Spectra of test galaxies with the decoded prototypes of their nodes, and where these lie.

    Parameters
    ----------
    training_spectra : path-like
        The artefact; only the rows shown are read.
    assignments, spectra, node_labels : Artefact
        'desom_assignments', 'desom_map' and 'node_labels'.
    """
    places = places_of(spectra)
    chosen = samples(assignments, places)
    figure = new_figure(16, max(1.9 * len(chosen), 6.0))
    if not chosen:
        note(figure.subplots(), "no baxel of a test galaxy is on the map")
        return figure
    grid = figure.add_gridspec(len(chosen), 2, width_ratios=[1, 2])
    left = figure.add_subplot(grid[:, 0])
    style = STYLE[COLOURED_BY]
    values = medians(node_labels, COLOURED_BY)
    draw_nodes(left, places, values, f"{style.title}: node medians", style.axis, label_limits(COLOURED_BY, values))
    fluxes = flux_of(training_spectra, assignments, [one.row for one in chosen])
    panels = [figure.add_subplot(grid[k, 1]) for k in range(len(chosen))]
    for k, (axes, one, flux) in enumerate(zip(panels, chosen, fluxes, strict=True)):
        outline_node(left, places, assignments["node"][one.row], MANY[k])
        _sample_panel(axes, assignments, spectra, one, flux, MANY[k])
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    panels[-1].set_xlabel("rest wavelength, vacuum (Å)")
    panels[len(panels) // 2].set_ylabel(flux_axis(spectra))
    figure.suptitle("spectra (grey) and the decoded prototypes of their nodes (in the colour of the frame on the map)")
    return figure


def samples(assignments: Artefact, places: NodePlaces) -> list[SampleSpectrum]:
    """Typical baxels of test galaxies (of all, where none is on the map) near the corners and centre, and the strangest.

    Of each place the baxel of median typicality on the nearest node that has any.
    """
    kept = (assignments["cut"] == TrainingCut.KEPT) & (assignments["node"] >= 0)
    test = kept & (assignments["split"] == Split.TEST)
    rows = np.flatnonzero(test if test.any() else kept)
    if not rows.size:
        return []
    node, typicality = assignments["node"][rows], assignments["typicality"][rows]
    found = []
    for right, up in _ANCHORS:
        across = places.column[node] - right * (places.columns - 1)
        away = np.hypot(across, places.row[node] - up * (places.rows - 1))
        near = rows[away == away.min()]
        found.append(int(near[np.argsort(assignments["typicality"][near])[near.size // 2]]))
    strangest = int(rows[np.argmin(typicality)])
    chosen = [SampleSpectrum(row, "") for row in dict.fromkeys(found) if row != strangest]
    return [*chosen, SampleSpectrum(strangest, "the least typical")]


def flux_of(training_spectra, assignments: Artefact, rows: Sequence[int]) -> np.ndarray:
    """Normalised spectra of some rows of the assignments, shape (n, n_wave), NaN where masked.

    Raises
    ------
    ArtefactError
        If the training spectra are missing or damaged.
    """
    with artefacts.opened(training_spectra, "training_spectra") as f:
        table = {"plateifu": artefacts.read_text(f["plateifu"])} | {name: f[name][...] for name in ("galaxy", "baxel")}
        places = rows_of(assignments["plateifu"], assignments["galaxy"][rows], assignments["baxel"][rows], table)
        return np.array([np.where(f["mask"][at] == 0, f["flux"][at], np.nan) for at in places])


def is_empty(spectra: Artefact) -> np.ndarray:
    """True for nodes without a training spectrum, shape (n_node,)."""
    return spectra["n_baxel"][:, Split.TRAIN] == 0


def medians(node_labels: Mapping, name: str) -> np.ndarray:
    """Medians of a label, shape (n_node,); NaN if there is no such label."""
    known = node_labels["label"].tolist()
    values = node_labels["median"]
    return values[:, known.index(name)] if name in known else np.full(len(values), np.nan)


def _cells(places: NodePlaces) -> tuple[Figure, Axes]:
    side = float(np.clip(_WIDTH / places.columns, _SMALLEST, _LARGEST))
    figure, grid = panel_grid(1, 1, (side * places.columns, side * places.rows), _GAPS)
    return figure, grid[0, 0]


def _scale(wave, flux) -> CellScale:
    """From zero to nearly all of the fluxes; the wavelength is logarithmic."""
    bottom, top = np.nanpercentile(flux, [_BOTTOM, _TOP]) if np.isfinite(flux).any() else (0.0, 1.0)
    return CellScale((np.log(wave[0]), np.log(wave[-1])), (min(0.0, float(bottom)), _HEADROOM * float(top)))


def _in_each_cell(spectra: Artefact, scale: CellScale) -> str:
    wave = spectra["wave"]
    return f"in each cell: {wave[0]:.0f}-{wave[-1]:.0f} Å, logarithmic; {flux_axis(spectra)} from {scale.y[0]:.1f} to {scale.y[1]:.1f}, stronger lines cut off"


def _colour_cells(axes: Axes, places: NodePlaces, values) -> None:
    if not np.isfinite(values).any():
        return
    style, (low, high) = STYLE[COLOURED_BY], label_limits(COLOURED_BY, values)
    edges = (np.arange(n + 1) + 0.5 for n in (places.columns, places.rows))
    colours = {"cmap": style.cmap, "vmin": low, "vmax": high, "alpha": 0.55, "zorder": 0.2}
    shown = axes.pcolormesh(*edges, places.laid_out(values), **colours)
    bar_beside(axes, shown, f"median {style.axis}", width=0.02, extend=extend_of(values, low, high))


def _sample_panel(axes: Axes, assignments: Artefact, spectra: Artefact, one: SampleSpectrum, flux, colour: str) -> None:
    node, wave = assignments["node"][one.row], spectra["wave"]
    prototype = spectra["prototype_flux"][node]
    axes.plot(wave, flux, color="0.6", lw=0.6)
    axes.plot(wave, prototype, color=colour, lw=1.0)
    top = np.nanpercentile(np.concatenate([flux, prototype]), _TOP)
    axes.set(xlim=(wave[0], wave[-1]), ylim=(0, 1.1 * top))
    name = assignments["plateifu"][assignments["galaxy"][one.row]]
    words = [f"{name}, baxel {assignments['baxel'][one.row]}", f"S/N {assignments['snr'][one.row]:.0f}"]
    words += [f"node {places_of(spectra).name(node)}", f"typicality {assignments['typicality'][one.row]:.2f}"]
    axes.set_title(", ".join([*words, *filter(None, [one.why])]), fontsize=10, loc="left")
