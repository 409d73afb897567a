"""Line cubes as the autoencoders see them: read from a run's artefact, a few galaxies or a few lines at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.errors import ModelError

#: What there is one of for each galaxy and is small enough to be in memory.
_PER_GALAXY = ("plateifu", "mangaid", "split", "z", "r_e", "pixel_scale")
#: Cubes read at a time: 28 MB of 19 lines.
_BLOCK = 16


class Cubes(NamedTuple):
    """Line cubes of some galaxies, arrays of shape (n, line, pixel, y, x).

    Attributes
    ----------
    flux : ndarray of float32
        1e-17 erg / s / cm^2 / Angstrom / spaxel; 0 where invalid.
    ivar : ndarray of float32
        Inverse variance; 0 where invalid.
    valid : ndarray of bool
        Where the flux is data.
    """

    flux: np.ndarray
    ivar: np.ndarray
    valid: np.ndarray


class LineCubes:
    """The line cubes of a run, of chosen lines, in the order of the artefact 'line_cube_set'; read when asked for.

    Attributes
    ----------
    plateifu, mangaid : ndarray of str, shape (n,)
    split : ndarray of int8, shape (n,)
        See :class:`mangrove.codes.Split`.
    z, r_e, pixel_scale : ndarray, shape (n,)
        Redshift; effective radius and side of a spaxel, arcsec, the radius -9999 if not known.
    line : tuple of str
        Names of the lines, in the order asked for.
    line_index : ndarray of int, shape (line,)
        Where they stand in the artefact.
    path : Path
        Of the artefact.
    """

    def __init__(self, path, f: h5py.File, lines: Sequence[str]) -> None:
        stored = artefacts.read_text(f["line"]).tolist()
        if unknown := [name for name in lines if name not in stored]:
            raise ModelError(f"{path} has no line {', '.join(unknown)}; it has {', '.join(stored)}.")
        self.path, self.line = Path(path), tuple(lines or stored)
        self.line_index = np.array([stored.index(name) for name in self.line], int)
        text = {name: artefacts.read_text(f[name]) for name in ("plateifu", "mangaid")}
        numbers = {name: f[name][...] for name in _PER_GALAXY if name not in text}
        for name, values in (text | numbers).items():
            setattr(self, name, values)
        self._shape = f["flux"].shape[2:]

    @classmethod
    def open(cls, path, lines: Sequence[str] = ()) -> "LineCubes":
        """Of the artefact 'line_cube_set'; the named lines, all if none is named.

        Raises
        ------
        ArtefactError
            If it is missing, damaged or of another kind.
        ModelError
            If it lacks a line.
        """
        with artefacts.opened(path, "line_cube_set") as f:
            return cls(path, f, lines)

    @property
    def n(self) -> int:
        """Number of galaxies."""
        return len(self.plateifu)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of one cube: lines, wavelength pixels, rows, columns."""
        return (len(self.line), *self._shape)

    def read(self, rows: Sequence[int]) -> Cubes:
        """The cubes of galaxies given by their indices, in any order."""
        with artefacts.opened(self.path, "line_cube_set") as f:
            flux, ivar, valid = (self._taken(f[name], rows) for name in Cubes._fields)
        return Cubes(flux, ivar, valid != 0)

    def blocks(self, size: int = _BLOCK) -> Iterator[tuple[np.ndarray, Cubes]]:
        """Indices and cubes of all galaxies in their order, ``size`` at a time, the last time fewer."""
        for start in range(0, self.n, size):
            rows = np.arange(start, min(start + size, self.n))
            yield rows, self.read(rows)

    def extra(self, name: str) -> np.ndarray:
        """Another dataset of the artefact, of all galaxies; of one per line, those of the chosen lines."""
        with artefacts.opened(self.path, "line_cube_set") as f:
            values = f[name][...]
            dims = [axis.keys()[0] if axis.keys() else name for axis in f[name].dims]
        return np.take(values, self.line_index, axis=dims.index("line")) if "line" in dims else values

    def _taken(self, dataset: h5py.Dataset, rows: Sequence[int]) -> np.ndarray:
        values = np.empty((len(rows), *self.shape), dataset.dtype)
        for place, row in enumerate(rows):
            # A single line is read alone; of more, whole cubes are read, which lie together in the file.
            if len(self.line) == 1:
                values[place, 0] = dataset[row, self.line_index[0]]
            else:
                values[place] = dataset[row][self.line_index]
        return values
