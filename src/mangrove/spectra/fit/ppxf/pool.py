"""Every spectrum of a galaxy in worker processes."""

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

from threadpoolctl import threadpool_limits

from mangrove.logs import progress
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.ppxf.one_spectrum import fit_spectrum
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.two_steps import GuidedFits, Request, fit_baxels, guided
from mangrove.spectra.fit.workers import demand_workers_alive


def fit_galaxy(galaxy: GalaxyFit, spectra: Sequence[Spectrum], snr, x, y, n_process: int) -> GuidedFits:
    """Fit a galaxy's baxels according to its settings (:func:`mangrove.spectra.fit.two_steps.guided`).

    Parameters
    ----------
    snr, x, y : array_like, shape (n_baxel,)
        Signal to noise per pixel, and place in spaxels.
    """

    def fitted(request: Request) -> list[FitResult]:
        return fit_all(galaxy, [spectra[i] for i in request.baxels], n_process, request.guides)

    return fit_baxels(guided(galaxy.settings, snr, x, y), fitted)


def fit_all(
    galaxy: GalaxyFit, spectra: Sequence[Spectrum], n_process: int, guides: Sequence[Guide | None] | None = None
) -> list[FitResult]:
    """Fit every spectrum, in order; the result does not depend on the number of processes.

    Each process uses one thread for linear algebra. Progress shows as a bar on a terminal and as lines in the log.

    Parameters
    ----------
    guides : sequence of Guide or None, optional
        Stellar kinematics of each spectrum where they are known.

    Raises
    ------
    WorkerError
        If one of the processes is killed.
    """
    tasks = list(zip(spectra, guides or [None] * len(spectra), strict=True))
    with demand_workers_alive(), _map(galaxy, min(n_process, len(tasks))) as mapped:
        return list(progress(mapped(tasks), len(tasks), "spectra fitted", "fit"))


class _map:
    """Context that gives a function from spectra to results, in this process or in a pool."""

    def __init__(self, galaxy: GalaxyFit, n_process: int):
        self.galaxy = galaxy
        self.pool = _pool(galaxy, n_process) if n_process > 1 else nullcontext()
        self.limit = threadpool_limits(1)

    def __enter__(self):
        pool = self.pool.__enter__()
        return self._here if pool is None else lambda tasks: pool.map(_fit_one, tasks, chunksize=1)

    def __exit__(self, *error):
        self.limit.restore_original_limits()
        return self.pool.__exit__(*error)

    def _here(self, tasks) -> Iterator[FitResult]:
        return (fit_spectrum(spectrum, *self.galaxy, guide) for spectrum, guide in tasks)


_shared: GalaxyFit


def _pool(galaxy: GalaxyFit, n_process: int) -> ProcessPoolExecutor:
    # A forked worker shares the templates; where there is no fork they are sent once.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin" else "spawn"
    return ProcessPoolExecutor(
        n_process, mp_context=multiprocessing.get_context(method), initializer=_start_worker, initargs=(galaxy,)
    )


def _start_worker(galaxy: GalaxyFit) -> None:
    global _shared
    threadpool_limits(1)
    _shared = galaxy


def _fit_one(task: tuple[Spectrum, Guide | None]) -> FitResult:
    spectrum, guide = task
    return fit_spectrum(spectrum, *_shared, guide)
