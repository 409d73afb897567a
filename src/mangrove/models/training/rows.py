"""Rows for training: where they come from, and the order in which an epoch takes them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol

import h5py
import jax
import numpy as np


class Shared(NamedTuple):
    """An array whose entries several rows share, such as the cube of a galaxy of which there are copies.

    Attributes
    ----------
    values : array, shape (n, ...)
    index : array of int, shape (n_row,)
        The entry of each row.
    """

    values: np.ndarray | jax.Array
    index: np.ndarray | jax.Array


Arrays = Mapping[str, np.ndarray | jax.Array | Shared]
#: Puts arrays on the devices.
Place = Callable[[Arrays], Mapping[str, jax.Array]]
#: Rows no farther apart than this are read together with what lies between them.
_NEAR = 8


class Chunk(NamedTuple):
    """What one host call trains on.

    Attributes
    ----------
    arrays : mapping of str to Array, shape (n, ...), or Shared
    index : ndarray of int32, shape (n_step, batch)
        Rows of ``arrays`` that each step takes.
    rows : ndarray of int, shape (n,)
        Where the rows of ``arrays`` stand in their source.
    """

    arrays: Mapping[str, jax.Array]
    index: np.ndarray
    rows: np.ndarray


class Rows(Protocol):
    """A source of rows."""

    n_row: int

    def chunks(self, plan: "EpochPlan", epoch: int, first: int, place: Place) -> Iterator[Chunk]:
        """The chunks of an epoch from the host call ``first`` on."""

    def ordered(self, size: int, place: Place) -> Iterator[Mapping[str, jax.Array]]:
        """All rows in their order, ``size`` at a time, the last time fewer."""


class EpochPlan(NamedTuple):
    """How an epoch is cut: rows per step, steps per host call, seed of the order, steps (by default all full batches)."""

    batch_size: int
    steps_per_call: int
    seed: int
    n_step: int | None = None

    def steps(self, n_row: int) -> int:
        """Steps of the epoch."""
        return n_row // self.batch_size if self.n_step is None else self.n_step

    def calls(self, n_row: int) -> int:
        """Host calls of the epoch."""
        return -(-self.steps(n_row) // self.steps_per_call)

    def span(self, n_row: int, call: int) -> slice:
        """Places in the epoch's order that a host call takes; rows beyond the last full batch are left for others."""
        used = self.steps(n_row) * self.batch_size
        size = self.batch_size * self.steps_per_call
        return slice(call * size, min((call + 1) * size, used))


def epoch_order(n_row: int, block: int, seed: int, epoch: int) -> np.ndarray:
    """Order of the rows in an epoch: blocks of consecutive rows, shuffled; depends on nothing but the arguments.

    Returns
    -------
    ndarray of int, shape (n_row,)
    """
    rng = np.random.default_rng([seed, epoch])
    if block == 1:
        return rng.permutation(n_row)
    starts = rng.permutation(np.arange(0, n_row, block))
    return np.concatenate([np.arange(start, min(start + block, n_row)) for start in starts])


def taken(values: np.ndarray | jax.Array | Shared, rows):
    """What some rows (a slice or an array of indices) have of an array, one entry each."""
    return values.values[values.index[rows]] if isinstance(values, Shared) else values[rows]


class DeviceRows:
    """Rows that fit on the device and stay there.

    Parameters
    ----------
    arrays : mapping of str to array, of NumPy or of JAX, shape (n_row, ...), or Shared
    rows : ndarray of int, shape (n_row,), optional
        Where they stand in their source, for messages; by default their own numbers.
    """

    def __init__(self, arrays: Arrays, rows: np.ndarray | None = None) -> None:
        self._arrays, self._is_placed = dict(arrays), False
        first = next(iter(self._arrays.values()))
        self.n_row = len(first.index if isinstance(first, Shared) else first)
        self._rows = np.arange(self.n_row) if rows is None else np.asarray(rows)

    def chunks(self, plan: EpochPlan, epoch: int, first: int, place: Place) -> Iterator[Chunk]:
        """See :class:`Rows`."""
        arrays, order = self._placed(place), epoch_order(self.n_row, 1, plan.seed, epoch)
        for call in range(first, plan.calls(self.n_row)):
            index = order[plan.span(self.n_row, call)].reshape(-1, plan.batch_size)
            yield Chunk(arrays, index.astype(np.int32), self._rows)

    def ordered(self, size: int, place: Place) -> Iterator[Mapping[str, jax.Array]]:
        """See :class:`Rows`."""
        arrays = self._placed(place)
        if size >= self.n_row and not any(isinstance(values, Shared) for values in arrays.values()):
            # A slice is a copy, in every epoch anew.
            yield arrays
            return
        for start in range(0, self.n_row, size):
            yield {name: taken(values, slice(start, start + size)) for name, values in arrays.items()}

    def _placed(self, place: Place) -> Mapping[str, jax.Array]:
        if not self._is_placed:
            self._arrays, self._is_placed = dict(place(self._arrays)), True
        return self._arrays


class StreamedRows:
    """Rows read from an HDF5 file while the device computes, by one thread; three chunks are in memory at a time.

    For networks on the run's merged training spectra and line cubes, which outgrow the memory of a device (20 GB for ten
    thousand galaxies). The emulator's table fits: it uses :class:`DeviceRows`.

    Parameters
    ----------
    path : path-like
    datasets : mapping of str to str
        Dataset of each array.
    rows : ndarray of int, shape (n_row,), optional
        Rows of the file to use, ascending, the same one as often as it is wanted; all by default.
    block : int
        Consecutive rows that stay together when the order is shuffled.
    columns : ndarray of int, optional
        Entries to take along the second axis of the datasets; all by default.
    own : mapping of str to ndarray, shape (n_row, ...), optional
        Arrays in memory, which the rows have besides.
    """

    def __init__(
        self,
        path,
        datasets: Mapping[str, str],
        rows: np.ndarray | None = None,
        block: int = 256,
        *,
        columns: np.ndarray | None = None,
        own: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._path, self._datasets, self._block = Path(path), dict(datasets), block
        self._columns, self._own = columns, dict(own or {})
        with h5py.File(self._path, "r") as f:
            n_file = len(f[next(iter(self._datasets.values()))])
        self._rows = np.arange(n_file) if rows is None else np.asarray(rows)
        self.n_row = len(self._rows)

    def chunks(self, plan: EpochPlan, epoch: int, first: int, place: Place) -> Iterator[Chunk]:
        """See :class:`Rows`."""
        order = epoch_order(self.n_row, self._block, plan.seed, epoch)
        calls = range(first, plan.calls(self.n_row))
        wanted = [order[plan.span(self.n_row, call)] for call in calls]
        for call, rows, arrays in zip(calls, wanted, self._read_ahead(wanted), strict=True):
            index = np.random.default_rng([plan.seed, epoch, call]).permutation(len(rows))
            yield Chunk(place(arrays), index.reshape(-1, plan.batch_size).astype(np.int32), self._rows[rows])

    def ordered(self, size: int, place: Place) -> Iterator[Mapping[str, jax.Array]]:
        """See :class:`Rows`."""
        wanted = [np.arange(start, min(start + size, self.n_row)) for start in range(0, self.n_row, size)]
        for arrays in self._read_ahead(wanted):
            yield place(arrays)

    def _read_ahead(self, wanted: list[np.ndarray]) -> Iterator[Arrays]:
        with h5py.File(self._path, "r") as f, ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self._read, f, wanted[0]) if wanted else None
            for following in [*wanted[1:], None]:
                arrays = pending.result()
                pending = pool.submit(self._read, f, following) if following is not None else None
                yield arrays

    def _read(self, f: h5py.File, places: np.ndarray) -> Arrays:
        rows = self._rows[places]
        # Rows of a block are neighbours in the file, or nearly: one read each.
        steps = np.diff(rows)
        starts = np.flatnonzero((steps < 0) | (steps > _NEAR)) + 1
        edges = [0, *starts, len(rows)]
        read = {name: _runs(f[data], rows, edges, self._columns) for name, data in self._datasets.items()}
        return read | {name: values[places] for name, values in self._own.items()}


def _runs(dataset: h5py.Dataset, rows: np.ndarray, edges: Sequence[int], columns: np.ndarray | None) -> np.ndarray:
    """Rows of a dataset, ascending between two edges each, and of these some columns."""
    shape = dataset.shape[1:] if columns is None else (len(columns), *dataset.shape[2:])
    values = np.empty((len(rows), *shape), dataset.dtype)
    for start, stop in pairwise(edges):
        run = rows[start:stop]
        read = dataset[run[0] : run[-1] + 1]
        values[start:stop] = (read if columns is None else read[:, columns])[run - run[0]]
    return values
