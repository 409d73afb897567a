"""Spectra of several galaxies through batches of few shapes, each batch through all steps of a fit."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np

from mangrove.codes import FitStatus, GasModel
from mangrove.spectra.fit.batched.arrays import galaxies_of, layout_of, lines_of, spectra_of
from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.devices import Devices, compilations_told, out_of_memory
from mangrove.spectra.fit.batched.pieces import Piece
from mangrove.spectra.fit.batched.steps import columns_of
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.preparation import status_without_fit
from mangrove.spectra.fit.results import FitResult, no_fit
from mangrove.spectra.fit.settings import FitSettings, Guide
from mangrove.spectra.fit.spectrum import Spectrum

logger = logging.getLogger(__name__)


class Pending(NamedTuple):
    """A spectrum that waits for its fit: the place of its galaxy, and its guide or None."""

    galaxy: int
    spectrum: Spectrum
    guide: Guide | None


def fitted(
    devices: Devices, galaxies: Sequence[GalaxyFit], pending: Sequence[Pending], precision: str
) -> Iterator[tuple[int, FitResult]]:
    """The result of each spectrum with its place in the sequence, as they come.

    Parameters
    ----------
    pending : sequence of Pending
        In the order of the galaxies, of which few share a batch then.
    """
    alike: dict[tuple[FitSettings, BatchLayout], list[int]] = {}
    layouts: dict[int, BatchLayout] = {}
    for place, one in enumerate(pending):
        galaxy = galaxies[one.galaxy]
        status = status_without_fit(one.spectrum, galaxy.settings)
        if status is not None:
            yield place, _not_fitted(status, one, galaxy)
            continue
        if one.galaxy not in layouts:
            layouts[one.galaxy] = layout_of([galaxy], [one.spectrum])._replace(precision=precision)
        alike.setdefault((galaxy.settings, layouts[one.galaxy]), []).append(place)
    for (_, layout), places in alike.items():
        pool = _Pool(devices, layout, galaxies, [pending[place] for place in places])
        yield from zip(places, pool.results(), strict=True)


class _Pool:
    """Spectra of one layout, and their galaxies, which have the same settings."""

    def __init__(
        self, devices: Devices, layout: BatchLayout, galaxies: Sequence[GalaxyFit], pending: Sequence[Pending]
    ):
        self.devices, self.layout, self.pending = devices, layout, pending
        one_each = {one.galaxy: one.spectrum for one in pending}
        self.galaxies = [galaxies[i] for i in one_each]
        place = {galaxy: i for i, galaxy in enumerate(one_each)}
        self.galaxy = [place[one.galaxy] for one in pending]
        self.arrays = galaxies_of(layout, self.galaxies, list(one_each.values()))
        self.lines = lines_of(layout, self.galaxies[0].lines)
        self.n_star = self.arrays.transform.shape[1]
        self.sizes = devices.sizes(layout, self.n_star)

    def results(self) -> Iterator[FitResult]:
        """In order; where a device has no memory for a batch, it and all others are halved."""
        start, n = 0, len(self.pending)
        with ThreadPoolExecutor(1) as thread:
            # The next batch is made while the devices are busy with this one.
            ahead = thread.submit(self._piece, start)
            while start < n:
                columns = None
                try:
                    piece = ahead.result()
                    ahead = thread.submit(self._piece, start + len(piece))
                    columns = self._columns(piece)
                except (MemoryError, jax.errors.JaxRuntimeError) as error:
                    self._halve(error)
                # Out of reach of the error, which holds on to the memory of what failed.
                if columns is None:
                    ahead = thread.submit(self._piece, start)
                    continue
                yield from self._as_results(columns, start, len(piece))
                start += len(piece)

    def _piece(self, start: int) -> Piece | None:
        """The next batch from here on; None at the end."""
        if start == len(self.pending):
            return None
        n, size = self.sizes.first(self.galaxy[start:])
        which, pending = self.galaxy[start : start + n], self.pending[start : start + n]
        spectra = spectra_of(
            self.layout, self.galaxies, which, [p.spectrum for p in pending], [p.guide for p in pending]
        )
        return Piece(self.devices, self.sizes, self.layout, self.lines, self.arrays, spectra, size)

    def _columns(self, piece: Piece) -> dict[str, np.ndarray]:
        with compilations_told(f"batches of {piece.size} spectra"):
            return columns_of(piece, self.galaxies[0].lines, self.galaxies[0].settings)

    def _halve(self, error: BaseException) -> None:
        if not out_of_memory(error):
            raise error
        tried, halved = self.devices.halve(self.layout, self.n_star)
        if halved is None:
            raise error
        logger.warning("no memory for batches of %d spectra: %d from here on", tried.most, halved.most)
        self.sizes = halved

    def _as_results(self, columns: dict[str, np.ndarray], start: int, n: int) -> Iterator[FitResult]:
        for i, (galaxy, one) in enumerate(
            zip(self.galaxy[start : start + n], self.pending[start : start + n], strict=True)
        ):
            yield _result(columns, i, one, self.galaxies[galaxy])


def _result(columns: dict[str, np.ndarray], row: int, one: Pending, galaxy: GalaxyFit) -> FitResult:
    """A row of columns as a result, without the padding of the templates."""
    if not columns["finite"][row]:
        return _not_fitted(FitStatus.NOT_CONVERGED, one, galaxy)
    values = {name: columns[name][row] for name in FitResult._fields}
    n_star = galaxy.stars.flux.shape[1]
    values |= {name: values[name][..., :n_star] for name in ("weights", "weights_draw")}
    values |= {name: int(values[name]) for name in ("n_pixel", "n_free", "n_clipped")}
    values |= {"status": FitStatus(int(values["status"])), "gas_model": GasModel(int(values["gas_model"]))}
    return FitResult(**values)


def _not_fitted(status: FitStatus, one: Pending, galaxy: GalaxyFit) -> FitResult:
    n_good = int(one.spectrum.good.sum())
    return no_fit(status, n_good, galaxy.stars, galaxy.lines, galaxy.settings)
