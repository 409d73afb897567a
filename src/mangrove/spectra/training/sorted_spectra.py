"""Spectra put in order in a bounded memory: on disk by ranges of their key, a range at a time in memory."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

#: Ranges of the key, a file each: of a million spectra, 0.2 GB come into memory at a time.
_RANGES = 128


class SortedSpectra:
    """Spectra that come in any order, and go by ranges of a key between 0 and 1; a context manager.

    Until it ends, they lie in files without a name, which a killed job leaves no trace of.

    Parameters
    ----------
    folder : path-like
        Where the files are made; it needs room for all spectra that are added.
    n_wave : int
    """

    def __init__(self, folder, n_wave: int):
        self._folder, self._open = Path(folder), ExitStack()
        self._record = np.dtype([("index", "i8"), ("flux", "f4", n_wave), ("mask", "i1", n_wave)])

    def __enter__(self):
        self._folder.mkdir(parents=True, exist_ok=True)
        files = (tempfile.TemporaryFile(dir=self._folder) for _ in range(_RANGES))  # noqa: SIM115 closed together below
        self._files = [self._open.enter_context(file) for file in files]
        return self

    def __exit__(self, *error):
        return self._open.__exit__(*error)

    def add(self, key, index, flux, mask) -> None:
        """Add spectra.

        Parameters
        ----------
        key : ndarray, shape (n,)
            At least 0 and below 1; of even spread, or a range holds too much for memory.
        index : ndarray of int, shape (n,)
            By which :meth:`blocks` chooses.
        flux, mask : ndarray, shape (n, n_wave)
        """
        records = np.empty(len(key), self._record)
        records["index"], records["flux"], records["mask"] = index, flux, mask
        place = (np.asarray(key) * _RANGES).astype(int)
        for i in np.unique(place):
            self._files[i].write(records[place == i].tobytes())

    def blocks(self, row) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Spectra by rising ranges of their key, a block of successive rows at a time.

        Parameters
        ----------
        row : ndarray of int, shape (n_index,)
            Row of each index; -1 for what is left out. Where rows rise with the key, blocks are as long as can be.

        Yields
        ------
        rows : slice
        flux, mask : ndarray, shape (n, n_wave)
        """
        for file in self._files:
            file.seek(0)
            records = np.fromfile(file, self._record)
            rows = row[records["index"]]
            placed = np.argsort(rows)[np.count_nonzero(rows < 0) :]
            for run in np.split(placed, np.flatnonzero(np.diff(rows[placed]) != 1) + 1):
                if run.size:
                    yield slice(rows[run[0]], rows[run[-1]] + 1), records["flux"][run], records["mask"][run]
