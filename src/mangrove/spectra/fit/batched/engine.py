"""The fits of several galaxies at once: their spectra share batches, each on its own."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from mangrove.logs import progress
from mangrove.spectra.fit.batched.devices import Devices, keep_compiled
from mangrove.spectra.fit.batched.pool import Pending, fitted
from mangrove.spectra.fit.batched.precision import DOUBLE
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.two_steps import Fits, GuidedFits, Request, guided


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


def fit_group(members: Sequence[Member], n_device: int | None = None, precision: str = DOUBLE) -> list[GuidedFits]:
    """Fit the baxels of several galaxies according to their settings (:func:`mangrove.spectra.fit.two_steps.guided`).

    The result of a galaxy does not depend on the others, nor on the devices, beyond rounding. Progress shows as a bar on
    a terminal and as lines in the log.

    Parameters
    ----------
    n_device : int, optional
        Devices that share the work (:class:`mangrove.spectra.fit.batched.devices.Devices`); all if not given.
    precision : str
        Of :mod:`mangrove.spectra.fit.batched.precision`.

    Raises
    ------
    SpectrumError
        If no emission line lies in the range of a spectrum.
    """
    devices = Devices(n_device)
    galaxies = [member.galaxy for member in members]

    def answered(requests: Mapping[int, Request]) -> dict[int, list[FitResult]]:
        pending = [
            Pending(i, members[i].spectra[baxel], guide)
            for i, request in requests.items()
            for baxel, guide in zip(request.baxels, request.guides, strict=True)
        ]
        results = iter(_in_order(devices, galaxies, pending, precision))
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
    return _in_order(Devices(n_device), [galaxy], pending, DOUBLE)


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


def _in_order(
    devices: Devices, galaxies: Sequence[GalaxyFit], pending: Sequence[Pending], precision: str
) -> list[FitResult]:
    keep_compiled()
    found: list = [None] * len(pending)
    for place, result in progress(fitted(devices, galaxies, pending, precision), len(pending), "spectra fitted", "fit"):
        found[place] = result
    return found
