"""The map of galaxies as the explorer shows it: colours of its nodes, and what lies on one of them."""

from typing import NamedTuple

import numpy as np

from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_figure import NodeColours
from mangrove.explorer.node_index import node_rows, nodes_of
from mangrove.report.wording import counted, plain

#: Choices of what the nodes show besides the fractions of Hubble types, and how a menu names them.
PROTOTYPES, OCCUPATION = "prototype", "n_galaxy"
_NAMES = {
    PROTOTYPES: "prototypes: fingerprints",
    OCCUPATION: "number of galaxies",
    "sersic_n": "Sérsic index n",
    "sersic_ba": "axis ratio b/a",
}
_SERSIC_COLOURS = {"sersic_n": "Plasma", "sersic_ba": "Cividis"}
#: The choice of a Hubble type begins so, and is named so.
_TYPE, _FRACTION = "type-", "fraction of type {}"
#: Smallest top of the scale of a fraction.
_LEAST_TOP = 0.1


class Morphology(NamedTuple):
    """The Hubble types on a node.

    Attributes
    ----------
    hubble : list of str
    fraction : ndarray, shape (n_type,)
        Of the galaxies with a type; NaN without any.
    n : int
        Galaxies with a type.
    """

    hubble: list[str]
    fraction: np.ndarray
    n: int


class MappedGalaxies(NamedTuple):
    """Galaxies of a node, those nearest to the prototype first.

    Attributes
    ----------
    plateifu : ndarray of str, shape (n,)
    distance, typicality : ndarray, shape (n,)
        Distance from the prototype in the latent space, and the part of the training set that lies farther from its own.
    n_baxel, split : ndarray of int, shape (n,)
        Baxels in the fingerprint; codes of :class:`mangrove.codes.Split`.
    """

    plateifu: np.ndarray
    distance: np.ndarray
    typicality: np.ndarray
    n_baxel: np.ndarray
    split: np.ndarray


def map_choices(run: ExploredRun) -> dict[str, str]:
    """What the nodes may show, and how a menu names it; Hubble types where a galaxy has one."""
    nodes = nodes_of(run, "galaxy_map")
    seen = np.nansum(nodes["morphology_fraction"], axis=0) > 0
    types = [name for name, some in zip(nodes["morphology"].tolist(), seen, strict=True) if some]
    return _NAMES | {f"{_TYPE}{name}": _FRACTION.format(name) for name in types}


def map_colours(run: ExploredRun, choice: str) -> NodeColours:
    """The nodes coloured by a number.

    Parameters
    ----------
    choice : str
        A key of :func:`map_choices`, not :data:`PROTOTYPES`.
    """
    if choice == OCCUPATION:
        return _occupation(run)
    nodes = nodes_of(run, "galaxy_map")
    if choice in _SERSIC_COLOURS:
        name, values, n = _NAMES[choice], nodes[choice].astype(float), nodes["n_sersic"]
        texts = [
            f"median {plain(value, 2)}, {_galaxies(k)} with a Sérsic fit" for value, k in zip(values, n, strict=True)
        ]
        return NodeColours(values, f"median of the {name}", name, texts, colours=_SERSIC_COLOURS[choice])
    hubble = choice.removeprefix(_TYPE)
    values = nodes["morphology_fraction"][:, nodes["morphology"].tolist().index(hubble)].astype(float)
    texts = [
        f"{plain(100 * value, 0)} % of {_galaxies(k)} with a type"
        for value, k in zip(values, nodes["n_morphology"], strict=True)
    ]
    top = max(float(np.nanmax(values)), _LEAST_TOP)
    return NodeColours(values, _FRACTION.format(hubble), "fraction of the galaxies with a type", texts, (0.0, top))


def fingerprints_of_nodes(run: ExploredRun) -> np.ndarray:
    """The prototypes decoded: normalised fingerprints, shape (n_node, rows, columns) of the map of spectra."""
    prints = nodes_of(run, "galaxy_map")["prototype_fingerprint"]
    attrs = run.attrs("fingerprints")
    return prints.reshape(-1, attrs["rows"], attrs["columns"])


def mean_fingerprint(run: ExploredRun, node: int) -> np.ndarray:
    """Mean normalised fingerprint of the galaxies of a node, shape (rows, columns) of the map of spectra; NaN without any."""
    attrs = run.attrs("fingerprints")
    prints = run.column("fingerprints", "normalised")[node_rows(run, "galaxy_map_assignments").of(node)]
    mean = prints.mean(axis=0) if len(prints) else np.full(prints.shape[1], np.nan)
    return mean.reshape(attrs["rows"], attrs["columns"])


def most_populated(run: ExploredRun) -> int:
    """The node with most galaxies: what is shown before one is chosen."""
    return int(np.argmax(nodes_of(run, "galaxy_map")["n_galaxy"].sum(axis=1)))


def morphology_of(run: ExploredRun, node: int) -> Morphology:
    """The Hubble types on a node."""
    nodes = nodes_of(run, "galaxy_map")
    return Morphology(
        nodes["morphology"].tolist(), nodes["morphology_fraction"][node], int(nodes["n_morphology"][node])
    )


def galaxies_of(run: ExploredRun, node: int) -> MappedGalaxies:
    """The galaxies of a node of the map of galaxies."""
    rows = node_rows(run, "galaxy_map_assignments").of(node)
    rows = rows[np.argsort(run.column("galaxy_map_assignments", "distance")[rows], kind="stable")]
    names = ("plateifu", "distance", "typicality", "split")
    found = {name: run.column("galaxy_map_assignments", name)[rows] for name in names}
    return MappedGalaxies(n_baxel=run.column("fingerprints", "n_baxel")[rows], **found)


def _occupation(run: ExploredRun) -> NodeColours:
    by_split = nodes_of(run, "galaxy_map")["n_galaxy"]
    count = by_split.sum(axis=1)
    texts = [
        f"{_galaxies(n)}: {train:,} for training, {validation:,} validation, {test:,} test"
        for n, (train, validation, test) in zip(count, by_split.tolist(), strict=True)
    ]
    top = max(float(count.max(initial=0)), 1.0)
    return NodeColours(np.where(count > 0, count, np.nan), _NAMES[OCCUPATION], "galaxies", texts, (0.0, top))


def _galaxies(n: int) -> str:
    return counted(int(n), "galaxy", "galaxies")
