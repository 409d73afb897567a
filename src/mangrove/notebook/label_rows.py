"""The table of labels of a run, read a column or a galaxy at a time: that of a survey takes gigabytes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.data_model import LABELS
from mangrove.errors import ArtefactError


class LabelRows:
    """The artefact 'labels' of a run, of which nothing is read but names and counts until it is asked for.

    Attributes
    ----------
    path : Path
    attrs : dict
    galaxies : list of str
        plateifu, in the order of the table.
    start : ndarray of int, shape (n_galaxy + 1,)
        Rows before each galaxy's, and in all.

    Raises
    ------
    ArtefactError
        If it is missing, damaged, or of another version of mangrove.
    """

    def __init__(self, path: Path):
        known = artefacts.read(path, "labels", ["plateifu", "n_baxel_of_galaxy"])
        self.path, self.attrs, self._hash = path, known.attrs, known.content_hash
        self.galaxies: list[str] = known["plateifu"].tolist()
        self.start = np.concatenate([[0], np.cumsum(known["n_baxel_of_galaxy"])])
        self._place = {name: i for i, name in enumerate(self.galaxies)}

    def __contains__(self, plateifu: str) -> bool:
        return plateifu in self._place

    def read(self, names: Iterable[str], plateifu: str | None = None) -> dict[str, np.ndarray]:
        """Datasets by name: of the rows those of one galaxy, or of all; other datasets are whole.

        Raises
        ------
        ArtefactError
            If the file has been made anew since it was first read, for then its rows are others.
        """
        rows = slice(None) if plateifu is None else self._rows(plateifu)
        with self._opened() as file:
            return {name: _read(file[name], rows if LABELS.fields[name].dims[0] == "row" else ...) for name in names}

    def about(self, plateifu: str) -> dict[str, Any]:
        """What there is one of for each galaxy, by name: mangaid, z, galaxy_status, ..., as plain values or arrays.

        Raises
        ------
        ArtefactError
            As :meth:`read`.
        """
        names = [name for name, field in LABELS.fields.items() if field.dims[0] == "plateifu"]
        with self._opened() as file:
            return {name: _one(file[name], self._place[plateifu]) for name in names}

    @contextmanager
    def _opened(self) -> Iterator[h5py.File]:
        with artefacts.opened(self.path, "labels") as file:
            if file.attrs["content_hash"] != self._hash:
                raise ArtefactError(f"{self.path} has been made anew since the run was opened; open the run again.")
            yield file

    def _rows(self, plateifu: str) -> slice:
        i = self._place[plateifu]
        return slice(int(self.start[i]), int(self.start[i + 1]))


def _one(dataset: h5py.Dataset, i: int):
    """A galaxy's value: plain where there is one, else an array."""
    if dataset.dtype.kind == "O":
        return str(dataset.asstr()[i])
    return dataset[i].item() if dataset.ndim == 1 else dataset[i]


def _read(dataset: h5py.Dataset, rows) -> np.ndarray:
    return artefacts.read_text(dataset) if dataset.dtype.kind == "O" else dataset[rows]
