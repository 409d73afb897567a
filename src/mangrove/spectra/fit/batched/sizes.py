"""Sizes of batches: few, so that few programs are compiled."""

from collections.abc import Sequence

#: Each size over the next smaller one.
_STEP = 4
#: Galaxies of a batch: one for so many spectra of its size, but no fewer than this where there are as many spectra.
_SPECTRA_OF_GALAXY, _LEAST_GALAXIES = 64, 4


class Sizes:
    """The sizes of batches: a largest one, and parts of it.

    Parameters
    ----------
    most : int
        Spectra of the largest batch, a multiple of ``n_device``.
    n_device : int
    least : int
        No batch is smaller than that for each device, unless the largest is.
    """

    def __init__(self, most: int, n_device: int = 1, least: int = 1):
        self.n_device, self.least = n_device, least
        self.spectra = [most]
        while self.spectra[-1] // (_STEP * n_device) >= least:
            self.spectra.append(self.spectra[-1] // (_STEP * n_device) * n_device)

    @property
    def most(self) -> int:
        """Spectra of the largest batch."""
        return self.spectra[0]

    def galaxies(self, size: int) -> int:
        """How many galaxies a batch of a size has room for."""
        return max(size // _SPECTRA_OF_GALAXY, min(size, _LEAST_GALAXIES))

    def halved(self) -> "Sizes | None":
        """Those for half of the memory; None if a batch has one spectrum on each device already."""
        half = self.most // (2 * self.n_device) * self.n_device
        return Sizes(half, self.n_device, self.least) if half else None

    def first(self, galaxy: Sequence[int]) -> tuple[int, int]:
        """The next batch of spectra of these galaxies: how many of them it takes, and its size.

        It is filled to more than half where a smaller one would not hold as many, and ends where it has no room for
        another galaxy.
        """
        size = next((s for s in self.spectra if 2 * len(galaxy) > s), self.spectra[-1])
        known, room = set(), self.galaxies(size)
        for n, one in enumerate(galaxy[:size]):
            known.add(int(one))
            if len(known) > room:
                return n, size
        return min(len(galaxy), size), size
