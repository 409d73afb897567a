"""The baxels on the map of spectra, and what other tables of the run say of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.codes import Split, TrainingCut
from mangrove.data_model import LABEL
from mangrove.spectra.labels.shown import shown_values

_ROWS = ("galaxy", "baxel", "split", "cut", "node", "second_node", "distance", "mse", "snr")


class MappedBaxels(NamedTuple):
    """Baxels that have a node and pass the cuts of the training spectra, of all splits; rows as assigned.

    Attributes
    ----------
    plateifu : ndarray of str, shape (n_galaxy,)
    galaxy, baxel : ndarray of int, shape (n,)
        Index in ``plateifu``, and of the baxel in its galaxy.
    galaxy_object : ndarray of int, shape (n_galaxy,)
        Number of the galaxy's MaNGA identifier: observations of one object share it.
    split : ndarray of int, shape (n,)
        Codes of :class:`mangrove.codes.Split`.
    node, second_node : ndarray of int, shape (n,)
    distance, mse, snr : ndarray, shape (n,)
        Distance from the node, mean square error of the reconstruction, S/N per pixel.
    """

    plateifu: np.ndarray
    galaxy_object: np.ndarray
    galaxy: np.ndarray
    baxel: np.ndarray
    split: np.ndarray
    node: np.ndarray
    second_node: np.ndarray
    distance: np.ndarray
    mse: np.ndarray
    snr: np.ndarray

    @property
    def object(self) -> np.ndarray:
        """Number of the object of each baxel, shape (n,): what is drawn by a bootstrap, and split by."""
        return self.galaxy_object[self.galaxy]

    def of_split(self, split: Split) -> np.ndarray:
        """Rows of a split, shape (n_split,)."""
        return np.flatnonzero(self.split == split)


def read_mapped(assignments_path) -> MappedBaxels:
    """Read the artefact 'desom_assignments'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    found = artefacts.read(assignments_path, "desom_assignments", ["plateifu", "mangaid", *_ROWS])
    use = np.flatnonzero((found["node"] >= 0) & (found["cut"] == TrainingCut.KEPT))
    _, number = np.unique(found["mangaid"], return_inverse=True)
    return MappedBaxels(found["plateifu"], number, **{name: found[name][use] for name in _ROWS if name != "cut"})


def label_values(labels_path, mapped: MappedBaxels) -> dict[str, np.ndarray]:
    """Labels of the baxels by name, shape (n,) each; NaN outside the published limits (:mod:`mangrove.spectra.labels.shown`).

    Parameters
    ----------
    labels_path : path-like
        The artefact 'labels'.
    mapped : MappedBaxels

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    columns = [column for name in LABEL for column in (name, f"{name}_flag")]
    table = artefacts.read(labels_path, "labels", ["plateifu", "galaxy", "baxel", *columns])
    row = rows_of(mapped.plateifu, mapped.galaxy, mapped.baxel, table)
    return {name: take(shown_values(table.data, name), row) for name in LABEL}


def rows_of(plateifu: Sequence[str], galaxy, baxel, table: Mapping) -> np.ndarray:
    """Rows of baxels in another table of the run, shape (n,); -1 for those that it has not.

    Parameters
    ----------
    plateifu : sequence of str, shape (n_galaxy,)
    galaxy, baxel : ndarray of int, shape (n,)
        Index in ``plateifu``, and of the baxel in its galaxy.
    table : mapping of str to ndarray
        Its own plateifu, galaxy and baxel: a row per baxel, galaxies in any order.
    """
    if not len(table["baxel"]) or not len(baxel):
        return np.full(len(baxel), -1)
    number = {str(name): i for i, name in enumerate(plateifu)}
    other = np.array([number.get(str(name), -1) for name in table["plateifu"]])[table["galaxy"]]
    stride = int(max(table["baxel"].max(), np.max(baxel))) + 1
    known = np.flatnonzero(other >= 0)
    key = other[known] * stride + table["baxel"][known].astype(int)
    order = np.argsort(key)
    wanted = np.asarray(galaxy).astype(int) * stride + baxel
    place = np.searchsorted(key[order], wanted)
    found = place < key.size
    found[found] = key[order[place[found]]] == wanted[found]
    row = np.full(len(baxel), -1)
    row[found] = known[order[place[found]]]
    return row


def take(values, row) -> np.ndarray:
    """Values at some rows, shape (n,); NaN where the row is -1."""
    row = np.asarray(row)
    if not len(values):
        return np.full(row.size, np.nan)
    return np.where(row >= 0, values[row], np.nan)
