"""A batch with its arrays on the devices, and parts of it."""

from collections.abc import Callable

import jax
import numpy as np

from mangrove.spectra.fit.batched.batch import BatchLayout, Galaxies, Lines, Spectra
from mangrove.spectra.fit.batched.devices import Devices
from mangrove.spectra.fit.batched.sizes import Sizes


class Piece:
    """A batch on the devices, and on the host without its padding.

    Parameters
    ----------
    galaxies : Galaxies
        Those of the group of which ``spectra.galaxy`` counts.
    spectra : Spectra
        As many as there are, on the host.
    size : int
        Spectra of the padded batch.
    """

    def __init__(
        self,
        devices: Devices,
        sizes: Sizes,
        layout: BatchLayout,
        lines: Lines,
        galaxies: Galaxies,
        spectra: Spectra,
        size: int,
    ):
        self.devices, self.sizes, self.layout, self.lines = devices, sizes, layout, lines
        self.galaxies, self.spectra, self.size = galaxies, spectra, size
        # Each device gets as many of them as any other, and then padding.
        shares = np.array_split(np.arange(len(self)), len(devices))
        each = size // len(devices)
        self._index = np.concatenate([np.resize(share if share.size else [0], each) for share in shares])
        self._place = np.concatenate([i * each + np.arange(share.size) for i, share in enumerate(shares)])
        self._count = devices.shared_out(np.array([share.size for share in shares], np.int32))
        which, place = np.unique(spectra.galaxy, return_inverse=True)
        own = np.resize(which, sizes.galaxies(size))
        self._shared = devices.copied((Galaxies(*(values[own] for values in galaxies)), lines))
        self._rows = devices.shared_out(self._padded(spectra._replace(galaxy=place.astype(np.int32))))

    def __len__(self) -> int:
        return len(self.spectra.galaxy)

    def run(self, function: Callable, *values, **fixed):
        """What a function of a batch gives for these spectra, as arrays on the host.

        Parameters
        ----------
        function : callable
            As :meth:`mangrove.spectra.fit.batched.devices.Devices.program` takes it.
        values
            Arrays over the spectra, or tuples of them, which the function takes after the batch.
        fixed
            What is compiled in.
        """
        rest = self.devices.shared_out(self._padded(values))
        found = self.devices.program(function, self.layout, **fixed)(*self._shared, self._count, (self._rows, rest))
        return jax.tree.map(lambda values: np.asarray(values)[self._place], found)

    def masked(self, good) -> "Piece":
        """The same spectra with other good pixels, shape (n, n_wave)."""
        other = object.__new__(Piece)
        other.__dict__.update(self.__dict__, spectra=self.spectra._replace(good=good))
        other._rows = self._rows._replace(good=self.devices.shared_out(self._padded(good)))
        return other

    def with_gas(self, layout: BatchLayout, lines: Lines) -> "Piece":
        """The same spectra in a layout with other components of the gas; itself if they are the same."""
        if layout == self.layout:
            return self
        other = object.__new__(Piece)
        other.__dict__.update(self.__dict__, layout=layout, lines=lines)
        other._shared = self._shared[0], self.devices.copied(lines)
        return other

    def parts(self, rows) -> list["tuple[np.ndarray, Piece]"]:
        """Some of the spectra in batches of their own: which they are, and the batch; itself if it is all of them.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            In order.
        """
        if len(rows) == len(self):
            return [(rows, self)]
        parts = []
        while len(rows):
            n, size = self.sizes.first(self.spectra.galaxy[rows])
            own, rows = rows[:n], rows[n:]
            spectra = Spectra(*(values[own] for values in self.spectra))
            parts.append((own, Piece(self.devices, self.sizes, self.layout, self.lines, self.galaxies, spectra, size)))
        return parts

    def _padded(self, rows):
        """Arrays over the spectra, repeated up to the size of the batch."""
        return jax.tree.map(lambda values: np.asarray(values)[self._index], rows)
