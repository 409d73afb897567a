"""A run's artefacts as the explorer reads them: columns on demand, kept while they are used."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mangrove import artefacts
from mangrove.data_model import KINDS
from mangrove.errors import ArtefactError
from mangrove.explorer.kept import KeptValues

if TYPE_CHECKING:
    from mangrove.notebook.runs import Run

_Made = TypeVar("_Made")
#: Of each sort of what belongs to single files, such as those of galaxies, how many are kept.
MOST_RECENT = 512


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
        self._kept = KeptValues()
        self._recent = KeptValues()
        self._stamps: dict[Path, tuple[int, int]] = {}

    def path(self, kind: str, **wildcards: str) -> Path:
        """Where an artefact lies: ``path('fit', plateifu='7443-12703')``."""
        return self.folder / KINDS[kind].path.format(**wildcards)

    def has(self, kind: str, **wildcards: str) -> bool:
        """Whether an artefact exists and holds results (not only the reason why there are none)."""
        path = self.path(kind, **wildcards)
        return path.is_file() and self._head(kind, path).ok

    def attrs(self, kind: str, **wildcards: str) -> dict:
        """Attributes of an artefact."""
        return self._head(kind, self.path(kind, **wildcards)).attrs

    def column(self, kind: str, name: str, **wildcards: str) -> np.ndarray:
        """A whole dataset, read once and kept; read-only.

        Raises
        ------
        ArtefactError
            If the artefact is missing, damaged, of another version of mangrove, made anew since it was first read, or
            lacks the dataset.
        """
        path = self.path(kind, **wildcards)
        self._stamp(path)
        return self.kept(("column", path, name), lambda: _read_only(artefacts.read(path, kind, [name])[name]))

    def rows(self, kind: str, name: str, rows, **wildcards: str) -> np.ndarray:
        """Rows of a dataset, not kept: a slice, or ascending row numbers (which h5py reads one by one: a few hundred)."""
        path = self.path(kind, **wildcards)
        self._stamp(path)
        with artefacts.opened(path, kind) as file:
            if name not in file:
                raise ArtefactError(f"{file.filename} lacks the dataset {name}.")
            dataset = file[name]
            return np.asarray(dataset.asstr()[rows], str)[()] if dataset.dtype.kind == "O" else dataset[rows]

    def kept(self, key, make: Callable[[], _Made]) -> _Made:
        """What ``make`` returns, made once for a key and kept for as long as the explorer runs.

        Others who ask for the same wait; those who ask for something else do not.
        """
        return self._kept.get(key, make)

    def recent(self, sort: str, paths: Sequence[Path], make: Callable[[], _Made], most: int | None = None) -> _Made:
        """What ``make`` makes of some files, kept as :meth:`kept` does as long as it is among the last of its sort in use.

        Parameters
        ----------
        sort : str
        paths : sequence of Path
            Of a galaxy, say. One that is missing, and comes later, makes it anew.
        most : int, optional
            How many of this sort are kept; :data:`MOST_RECENT` by default.

        Raises
        ------
        ArtefactError
            If one of the files was made anew since it was first read.
        """
        of_sort = self._recent.get(sort, lambda: KeptValues(MOST_RECENT if most is None else most))
        return of_sort.get(tuple((path, self._stamp(path)) for path in paths), make)

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

    def _head(self, kind: str, path: Path) -> artefacts.Artefact:
        """An artefact without its datasets."""
        return self.recent("heads", [path], lambda: artefacts.read(path, kind, []))

    def _stamp(self, path: Path) -> tuple[int, int] | None:
        """What tells a file from one that replaces it; None without a file.

        One that has replaced another is refused: what is kept of the two would be mixed.
        """
        try:
            stat = path.stat()
        except FileNotFoundError:
            return None
        stamp = stat.st_mtime_ns, stat.st_size
        if self._stamps.setdefault(path, stamp) != stamp:
            raise ArtefactError(f"{path} was made anew after the explorer had read it. Start the explorer again.")
        return stamp


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
