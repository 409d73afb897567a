"""The map of spectra as the explorer shows it: colours of its nodes, and what lies on one of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.codes import Split, TrainingCut
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.node_figure import NodeColours
from mangrove.explorer.node_index import node_rows, nodes_of
from mangrove.report.label_style import STYLE
from mangrove.report.node_values import column, interval, label_limits, shown_labels
from mangrove.report.wording import counted, plain

#: Choice of the number of baxels as colour.
OCCUPATION = "n_baxel"


class NodeSpectra(NamedTuple):
    """The spectra of a node, all normalised: flux over its mean in the normalisation band.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Rest wavelength, vacuum, Angstrom.
    prototype : ndarray, shape (n_wave,)
        Decoded from the latent space.
    template, scatter : ndarray, shape (n_wave,)
        Mean of the training spectra and their standard deviation; NaN where unknown.
    """

    wave: np.ndarray
    prototype: np.ndarray
    template: np.ndarray
    scatter: np.ndarray


class BaxelCounts(NamedTuple):
    """Baxels of a node: those that pass the cuts by split, and those that the cuts keep out of the training spectra."""

    train: int
    validation: int
    test: int
    cut: int

    @property
    def total(self) -> int:
        """All baxels whose best node it is."""
        return self.train + self.validation + self.test + self.cut


class LabelPdf(NamedTuple):
    """The distribution of a label over the training galaxies' baxels on a node, and on neighbours where it has few.

    Attributes
    ----------
    name : str
        'log_age_lw'.
    edge : ndarray, shape (n_bin + 1,)
    density : ndarray, shape (n_bin,)
        Of unit integral; the outer bins take what lies beyond; NaN without any baxel.
    low, median, high : float
        16, 50 and 84 % lie below; NaN without any.
    n_own, n_pooled, n_galaxy : int
        Baxels with the label on the node itself, those with its neighbours' where these were added, and their galaxies.
    pool_radius : int
        Grid distance up to which neighbours were added; 0: none were.
    """

    name: str
    edge: np.ndarray
    density: np.ndarray
    low: float
    median: float
    high: float
    n_own: int
    n_pooled: int
    n_galaxy: int
    pool_radius: int


class GalaxiesOnNodes(NamedTuple):
    """Galaxies with baxels on some nodes, those with most first.

    Attributes
    ----------
    plateifu, mangaid : ndarray of str, shape (n,)
    n_here, n_baxel : ndarray of int, shape (n,)
        Its baxels on these nodes, and on the whole map.
    nearest : ndarray of int, shape (n,)
        The one among its baxels on these nodes that lies nearest to its node.
    split : ndarray of int, shape (n,)
        Codes of :class:`mangrove.codes.Split`.
    """

    plateifu: np.ndarray
    mangaid: np.ndarray
    n_here: np.ndarray
    n_baxel: np.ndarray
    nearest: np.ndarray
    split: np.ndarray


def choices(run: ExploredRun) -> dict[str, str]:
    """What may colour the nodes, and how a menu names it; without labels on the nodes, their occupation alone."""
    named = {OCCUPATION: "number of baxels"}
    if run.has("node_labels"):
        named |= {name: STYLE[name].title for name in shown_labels(nodes_of(run, "node_labels"))}
    return named


def node_colours(run: ExploredRun, choice: str) -> NodeColours:
    """The nodes coloured by the number of their baxels, or by the median of a label.

    Parameters
    ----------
    choice : str
        A key of :func:`choices`.
    """
    if choice == OCCUPATION:
        return _occupation(run)
    labels, style = nodes_of(run, "node_labels"), STYLE[choice]
    k = column(labels, choice)
    values = labels["median"][:, k].astype(float)
    return NodeColours(
        values=values,
        title=f"median of the {style.title}",
        unit=as_html(style.axis),
        texts=[_median_in_words(labels, node, k, as_html(style.axis)) for node in range(values.size)],
        limits=label_limits(choice, values),
        colours=style.cmap,
        hatched=np.isfinite(values) & (labels["pool_radius"][:, k] > 0),
    )


def fullest_node(run: ExploredRun) -> int:
    """The node with most training spectra: what is shown before one is chosen."""
    return int(np.argmax(nodes_of(run, "desom_map")["n_baxel"][:, Split.TRAIN]))


def spectra_of(run: ExploredRun, node: int) -> NodeSpectra:
    """Decoded prototype and template of a node."""
    spectra = nodes_of(run, "desom_map")
    parts = (spectra[name][node] for name in ("prototype_flux", "template_flux", "template_scatter"))
    return NodeSpectra(spectra["wave"], *parts)


def baxel_counts(run: ExploredRun, node: int) -> BaxelCounts:
    """How many baxels a node has, for what."""
    rows = node_rows(run, "desom_assignments").of(node)
    split, cut = (run.column("desom_assignments", name)[rows] for name in ("split", "cut"))
    kept = np.bincount(split[cut == TrainingCut.KEPT], minlength=len(Split))
    return BaxelCounts(*kept[: len(Split)].tolist(), cut=int(rows.size - kept.sum()))


def label_pdfs(run: ExploredRun, node: int) -> list[LabelPdf]:
    """Distributions of all labels on a node; none without labels on the nodes."""
    if not run.has("node_labels"):
        return []
    labels = nodes_of(run, "node_labels")
    return [_pdf(labels, node, name) for name in shown_labels(labels)]


def galaxies_on(run: ExploredRun, nodes: Sequence[int]) -> GalaxiesOnNodes:
    """The galaxies of some nodes: all whose baxels lie there, also those that the cuts keep out of the training."""
    rows = node_rows(run, "desom_assignments").of_all(nodes)
    of_row, distance = (run.column("desom_assignments", name)[rows] for name in ("galaxy", "distance"))
    # Of each galaxy the baxel nearest to its node comes first.
    rows = rows[np.lexsort((distance, of_row))]
    galaxy, first, count = np.unique(np.sort(of_row), return_index=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    galaxy, nearest = galaxy[order], rows[first[order]]
    names = (run.column("desom_assignments", name)[galaxy] for name in ("plateifu", "mangaid"))
    of_nearest = (run.column("desom_assignments", name)[nearest] for name in ("baxel", "split"))
    return GalaxiesOnNodes(*names, count[order], baxels_on_map(run)[galaxy], *of_nearest)


def baxels_on_map(run: ExploredRun) -> np.ndarray:
    """Baxels of each galaxy that have a node, shape (n_galaxy,), in the order of the assignments' plateifu."""

    def count() -> np.ndarray:
        placed = run.column("desom_assignments", "node") >= 0
        n_galaxy = run.column("desom_assignments", "plateifu").size
        return np.bincount(run.column("desom_assignments", "galaxy")[placed], minlength=n_galaxy)

    return run.kept("baxels_on_map", count)


def _occupation(run: ExploredRun) -> NodeColours:
    spectra = nodes_of(run, "desom_map")
    by_split = spectra["n_baxel"]
    count = by_split.sum(axis=1)
    texts = [
        f"{counted(int(n), 'baxel')}: {train:,} for training, {validation:,} validation, {test:,} test"
        for n, (train, validation, test) in zip(count, by_split.tolist(), strict=True)
    ]
    values = np.where(count > 0, count, np.nan)
    top = max(float(count.max(initial=0)), 1.0)
    return NodeColours(values, "number of baxels that pass the cuts", "baxels", texts, (0.0, top))


def _median_in_words(labels: Artefact, node: int, k: int, axis: str) -> str:
    own, pooled = int(labels["n_own"][node, k]), int(labels["n_baxel"][node, k])
    median, error = labels["median"][node, k], labels["median_err"][node, k]
    if not np.isfinite(median):
        return "no baxel with this label"
    with_neighbours = f", {pooled:,} with its neighbours'" if labels["pool_radius"][node, k] else ""
    value = f"{plain(median, 2)} ± {plain(error, 2)}" if np.isfinite(error) else plain(median, 2)
    return f"{axis}: {value}<br>{counted(own, 'baxel')} of its own{with_neighbours}"


def _pdf(labels: Artefact, node: int, name: str) -> LabelPdf:
    k = column(labels, name)
    weight, edge = labels["histogram"][node, k].astype(float), labels["edge"][k]
    total = weight.sum()
    density = weight / total / np.diff(edge) if total else np.full(weight.size, np.nan)
    counts = (int(labels[count][node, k]) for count in ("n_own", "n_baxel", "n_galaxy", "pool_radius"))
    return LabelPdf(name, edge, density, *interval(labels, node, name), *counts)
