"""The fits of several galaxies at once: their spectra share batches, each on its own."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from mangrove.logs import progress
from mangrove.spectra.fit.batched.devices import Devices, keep_compiled
from mangrove.spectra.fit.batched.pool import Pending, fitted
from mangrove.spectra.fit.batched.precision import DOUBLE
from mangrove.spectra.fit.batched.sharing import shared_out
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.two_steps import Fits, GuidedFits, Request, guided

logger = logging.getLogger("mangrove.fit")


class Member(NamedTuple):
    """A galaxy of a group that is fitted together.

    Attributes
    ----------
    galaxy : GalaxyFit
    spectra : sequence of Spectrum
        Of its baxels.
    snr, x, y : array_like, shape (n_baxel,)
        Signal to noise per pixel, and place in spaxels.
    """

    galaxy: GalaxyFit
    spectra: Sequence[Spectrum]
    snr: np.ndarray
    x: np.ndarray
    y: np.ndarray


def fit_group(
    members: Sequence[Member], n_device: int | None = None, precision: str = DOUBLE, n_process: int = 1
) -> list[GuidedFits]:
    """Fit the baxels of several galaxies according to their settings (:func:`mangrove.spectra.fit.two_steps.guided`).

    The result of a galaxy does not depend on the others, nor on the devices, beyond rounding. Progress shows as a bar on
    a terminal and as lines in the log.

    Parameters
    ----------
    n_device : int, optional
        Devices that share the work (:class:`mangrove.spectra.fit.batched.devices.Devices`); all if not given.
    precision : str
        Of :mod:`mangrove.spectra.fit.batched.precision`.
    n_process : int
        Processes that share the spectra.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range of a spectrum.
    WorkerError
        If a process is killed.
    """
    galaxies = [member.galaxy for member in members]

    fit = partial(_in_order, n_device, galaxies, precision)

    def answered(requests: Mapping[int, Request]) -> dict[int, list[FitResult]]:
        pending = [
            Pending(i, members[i].spectra[baxel], guide)
            for i, request in requests.items()
            for baxel, guide in zip(request.baxels, request.guides, strict=True)
        ]
        results = iter(_by_processes(n_process, fit, pending))
        return {i: list(islice(results, len(request.baxels))) for i, request in requests.items()}

    return in_lockstep([guided(m.galaxy.settings, m.snr, m.x, m.y) for m in members], answered)


def fit_all(
    galaxy: GalaxyFit,
    spectra: Sequence[Spectrum],
    guides: Sequence[Guide | None] | None = None,
    n_device: int | None = None,
) -> list[FitResult]:
    """Fit every spectrum of a galaxy, in order.

    Parameters
    ----------
    guides : sequence of Guide or None, optional
        Stellar kinematics of each spectrum where they are known.
    n_device : int, optional
        As in :func:`fit_group`.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range of a spectrum.
    """
    pending = [Pending(0, *task) for task in zip(spectra, guides or [None] * len(spectra), strict=True)]
    return _in_order(n_device, [galaxy], DOUBLE, pending)


def in_lockstep(
    fits: Sequence[Fits], answered: Callable[[Mapping[int, Request]], Mapping[int, list[FitResult]]]
) -> list[GuidedFits]:
    """The fits of several galaxies, of which those that have a request are answered together.

    Parameters
    ----------
    answered : callable
        Gives the results of requests, both by the place of the galaxy.
    """
    requests, ended = {i: next(fit) for i, fit in enumerate(fits)}, {}
    while requests:
        results, requests = answered(requests), {}
        for i, of_one in results.items():
            try:
                requests[i] = fits[i].send(of_one)
            except StopIteration as end:
                ended[i] = end.value
    return [ended[i] for i in range(len(fits))]


def _by_processes(
    n_process: int, fit: Callable[[Sequence[Pending]], list[FitResult]], pending: Sequence[Pending]
) -> list[FitResult]:
    """The results of spectra, in order, an equal part of them from each process."""
    n = min(n_process, len(pending))
    if n < 2:
        return fit(pending)
    logger.info("%d processes share %d spectra", n, len(pending))
    ends = np.linspace(0, len(pending), n + 1).round().astype(int)
    parts = [pending[first:last] for first, last in pairwise(ends)]
    return [result for found in shared_out(fit, parts, n) for result in found]


def _in_order(
    n_device: int | None, galaxies: Sequence[GalaxyFit], precision: str, pending: Sequence[Pending]
) -> list[FitResult]:
    keep_compiled()
    found: list = [None] * len(pending)
    results = fitted(Devices(n_device), galaxies, pending, precision)
    for place, result in progress(results, len(pending), "spectra fitted", "fit"):
        found[place] = result
    return found
