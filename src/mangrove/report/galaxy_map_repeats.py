"""Repeat observations on the maps: one galaxy observed twice should lie on one node, or on two that touch."""

from typing import NamedTuple

import numpy as np

from mangrove.analysis.fingerprints import overlap
from mangrove.analysis.galaxy_map import steps_of_different_galaxies
from mangrove.artefacts import Artefact
from mangrove.report.node_places import NodePlaces, places_of

SAME, ADJACENT, APART, UNKNOWN = "same", "adjacent", "apart", "unknown"


class RepeatRow(NamedTuple):
    """A pair of observations of one galaxy.

    Attributes
    ----------
    mangaid, plateifu_1, plateifu_2 : str
    n_baxel_1, n_baxel_2 : int
        Baxels in the fingerprints.
    spectra_node_1, spectra_node_2 : str
        Node of the map of spectra with most of them: (column, row) from 1; empty without any.
    overlap : float
        See :func:`mangrove.analysis.fingerprints.overlap`.
    node_1, node_2 : str
        Nodes of the map of galaxies; empty without.
    steps : int
        Between these, diagonal ones count as one; -1 if unknown.
    place : str
        same, adjacent, apart, unknown.
    chance : float
        Fraction of the pairs of different galaxies that lie as near to each other, or nearer.
    """

    mangaid: str
    plateifu_1: str
    plateifu_2: str
    n_baxel_1: int
    n_baxel_2: int
    spectra_node_1: str
    spectra_node_2: str
    overlap: float
    node_1: str
    node_2: str
    steps: int
    place: str
    chance: float


class Nearness(NamedTuple):
    """How many pairs lie so many steps apart, from 0; both of shape (max(rows, columns),), int.

    Attributes
    ----------
    repeats, different : ndarray of int
        Pairs of observations of one galaxy, and of different galaxies.
    """

    repeats: np.ndarray
    different: np.ndarray

    @property
    def near(self) -> tuple[int, float]:
        """Repeats on the same or an adjacent node, and the part of the pairs of different galaxies that are; NaN without."""
        total = self.different.sum()
        return int(self.repeats[:2].sum()), float(self.different[:2].sum() / total) if total else float("nan")


def nearness(assigned: Artefact) -> Nearness:
    """How near repeats lie, beside different galaxies, from 'galaxy_map_assignments'."""
    rows, columns = assigned.attrs["rows"], assigned.attrs["columns"]
    steps = assigned["repeat_distance"]
    repeats = np.bincount(steps[steps >= 0], minlength=max(rows, columns))
    return Nearness(repeats, steps_of_different_galaxies(assigned["mangaid"], assigned["node"], rows, columns))


def repeat_rows(assigned: Artefact, prints: Artefact, nodes: Artefact) -> list[RepeatRow]:
    """A row for every pair of observations of one galaxy.

    Parameters
    ----------
    assigned, prints, nodes : Artefact
        'galaxy_map_assignments', 'fingerprints' (of the same galaxies), 'galaxy_map'.
    """
    pairs = zip(*(assigned[f"repeat_{what}"].tolist() for what in ("first", "second", "distance")), strict=True)
    if not assigned.ok:
        return []
    of_spectra, of_galaxies = places_of(prints), places_of(nodes)
    different = np.cumsum(nearness(assigned).different)
    return [
        RepeatRow(
            str(assigned["mangaid"][i]),
            *(str(assigned["plateifu"][k]) for k in (i, j)),
            *(int(prints["n_baxel"][k]) for k in (i, j)),
            *(_fullest(of_spectra, prints["counts"][k]) for k in (i, j)),
            overlap(prints["counts"][i], prints["counts"][j]),
            *(_name(of_galaxies, assigned["node"][k]) for k in (i, j)),
            steps,
            {-1: UNKNOWN, 0: SAME, 1: ADJACENT}.get(steps, APART),
            float(different[steps] / different[-1]) if steps >= 0 and different[-1] else float("nan"),
        )
        for i, j, steps in pairs
    ]


def _fullest(places: NodePlaces, counts: np.ndarray) -> str:
    return _name(places, int(np.argmax(counts)) if counts.any() else -1)


def _name(places: NodePlaces, node: int) -> str:
    return places.name(node) if node >= 0 else ""
