"""A run's artefacts as the explorer reads them: columns on demand, kept while they are used."""

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mangrove import artefacts
from mangrove.data_model import KINDS
from mangrove.errors import ArtefactError

if TYPE_CHECKING:
    from mangrove.notebook.runs import Run

_Made = TypeVar("_Made")


class ExploredRun:
    """The artefacts of one run, read by column or by rows; safe in several threads.

    Nothing is read when it is made: a survey of a million baxels opens as fast as a demo.

    Attributes
    ----------
    folder : Path
        results/RUN.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ArtefactError(f"the folder {folder} does not exist; give the folder of a run, such as results/demo.")
        self._kept: dict = {}
        self._locks: dict = {}
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def path(self, kind: str, **wildcards: str) -> Path:
        """Where an artefact lies: ``path('fit', plateifu='7443-12703')``."""
        return self.folder / KINDS[kind].path.format(**wildcards)

    def has(self, kind: str, **wildcards: str) -> bool:
        """Whether an artefact exists and holds results (not only the reason why there are none)."""
        path = self.path(kind, **wildcards)
        if not path.is_file():
            return False
        self._check_unchanged(path)
        return self.kept(("ok", path), lambda: artefacts.read(path, kind, []).ok)

    def attrs(self, kind: str, **wildcards: str) -> dict:
        """Attributes of an artefact."""
        path = self._unchanged(kind, **wildcards)
        return self.kept(("attrs", path), lambda: artefacts.read(path, kind, []).attrs)

    def column(self, kind: str, name: str, **wildcards: str) -> np.ndarray:
        """A whole dataset, read once and kept; read-only.

        Raises
        ------
        ArtefactError
            If the artefact is missing, damaged, of another version of mangrove, made anew since it was first read, or
            lacks the dataset.
        """
        path = self._unchanged(kind, **wildcards)
        return self.kept(("column", path, name), lambda: _read_only(artefacts.read(path, kind, [name])[name]))

    def rows(self, kind: str, name: str, rows, **wildcards: str) -> np.ndarray:
        """Rows of a dataset, not kept: a slice, or ascending row numbers (which h5py reads one by one: a few hundred)."""
        with artefacts.opened(self._unchanged(kind, **wildcards), kind) as file:
            if name not in file:
                raise ArtefactError(f"{file.filename} lacks the dataset {name}.")
            dataset = file[name]
            return np.asarray(dataset.asstr()[rows], str)[()] if dataset.dtype.kind == "O" else dataset[rows]

    def kept(self, key, make: Callable[[], _Made]) -> _Made:
        """What ``make`` returns, made once for a key and kept for as long as the explorer runs.

        Others who ask for the same wait; those who ask for something else do not.
        """
        with self._lock:
            own = self._locks.setdefault(key, threading.RLock())
        with own:
            if key not in self._kept:
                self._kept[key] = make()
            return self._kept[key]

    @cached_property
    def results(self) -> "Run":
        """The run as notebooks read it, for what belongs to one galaxy: its maps, spectra, fits, and those like it.

        Raises
        ------
        ArtefactError
            If the run has neither labels nor line cubes.
        """
        from mangrove.notebook.runs import Run  # slow to import: the first page does without

        return Run(self.folder)

    @property
    def galaxies(self) -> list[str]:
        """plateifu of every galaxy, in the order of the sample sheet; of a run of line cubes alone, those of its cubes."""
        kind = "labels" if self.path("labels").is_file() else "line_cube_set"
        if not self.path(kind).is_file():
            return []
        return self.kept(("galaxies", kind), lambda: self.column(kind, "plateifu").tolist())

    def _unchanged(self, kind: str, **wildcards: str) -> Path:
        path = self.path(kind, **wildcards)
        if path.is_file():
            self._check_unchanged(path)
        return path

    def _check_unchanged(self, path: Path) -> None:
        """Refuse a file that replaced one already read: what is kept of the two would be mixed."""
        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_size
        with self._lock:
            first = self._stamps.setdefault(path, stamp)
        if first != stamp:
            raise ArtefactError(f"{path} was made anew after the explorer had read it. Start the explorer again.")


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
