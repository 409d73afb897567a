"""Times of the batched fit: by step, on one core in a process of its own, and from disk to disk."""

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from joblib.externals.loky import get_reusable_executor
from support.baxels import ReadyBaxels, labelled, simulated_baxels, simulated_extracts, write_extracts
from support.results import seconds
from threadpoolctl import threadpool_limits

from mangrove.spectra.fit.batched.chunk import fit_chunk
from mangrove.spectra.fit.batched.engine import Member, fit_group
from mangrove.spectra.fit.batched.kept import tasks_of
from mangrove.spectra.fit.batched.pieces import Piece
from mangrove.spectra.fit.batched.precision import DOUBLE
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import FitSettings


class CpuTimes(NamedTuple):
    """Processor seconds per baxel without compilation, those of each peer in turn, and the peak of memory, GB."""

    processor: float
    peers: list[float]
    memory: float


#: A call with baxels ready to fit.
Fit = Callable[[Sequence[ReadyBaxels]], None]
#: Calls of each function in turn, so that what else the machine does touches all of them; the median counts.
_TURNS = 3


def fitted(sample: Sequence[ReadyBaxels], precision: str = DOUBLE) -> list[list[FitResult]]:
    """Results of the batched engine for the baxels of each galaxy."""
    members = [Member(one.galaxy, one.spectra, one.snr, *[range(len(one.spectra))] * 2) for one in sample]
    return [fits.results for fits in fit_group(members, precision=precision)]


def fitted_and_labelled(sample: Sequence[ReadyBaxels]) -> None:
    """Fits, errors, draws and labels: all that a survey keeps of a baxel."""
    for one, results in zip(sample, fitted(sample), strict=True):
        labelled(one, results)


def on_one_core(n_galaxy: int, n_baxel: int, templates: str, peers: Sequence[Fit] = ()) -> CpuTimes:
    """Times of simulated baxels on one core of a CPU, beside those of other functions, in a process of its own."""
    return _on_cores(1, _times_of, n_galaxy, n_baxel, templates, peers)


def job_on_cores(n: int, n_galaxy: int, n_baxel: int, templates: str) -> float:
    """Seconds of :func:`job` with a process on each of so many cores, and no others for what it reads and writes."""
    return _on_cores(n, job, n_galaxy, n_baxel, templates, n)


def peak_memory() -> float:
    """Of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)


@contextmanager
def seconds_by_step() -> Iterator[Counter]:
    """Context that adds up the time of each step of the batched fit, by the name of its function."""
    times, run = Counter(), Piece.run

    def timed(piece, function, *values, **fixed):
        start = time.perf_counter()
        found = run(piece, function, *values, **fixed)
        times[function.__name__] += time.perf_counter() - start
        return found

    Piece.run = timed
    try:
        yield times
    finally:
        Piece.run = run


def job_and_computing(n_galaxy: int, n_baxel: int, templates: str) -> tuple[float, float]:
    """Seconds of a job from extracts on disk to fits on disk, and of fitting the same spectra in memory; both compiled."""
    sample = simulated_baxels(n_galaxy, n_baxel, templates)
    return job(n_galaxy, n_baxel, templates), min(seconds(fitted, sample) for _ in range(2))


def job(n_galaxy: int, n_baxel: int, templates: str, n_process: int = 1) -> float:
    """Seconds of a job from extracts on disk to fits on disk, all processes started and all programs compiled."""
    extracts = simulated_extracts(n_galaxy, n_baxel)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_extracts(Path(folder) / "extract", extracts)
        params = FitSettings()._asdict() | {"templates": templates, "ebv_scale": 1.0, "seed": 1, "engine": "batched"}
        for name, attribute in (("z", "z"), ("ebv", "ebv_galactic")):
            params[name] = {path.stem: e.attrs[attribute] for path, e in zip(paths, extracts, strict=True)}
        spent = []
        for turn in range(1 + _TURNS):
            fits = [Path(folder) / str(turn) / path.name for path in paths]
            spent.append(seconds(partial(fit_chunk, n_process=n_process), tasks_of(paths, fits, params)))
    return min(spent[1:])


def _on_cores(n: int, function: Callable, *args):
    """What a function gives in a process of its own, which keeps to so many cores where the system knows how."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _keep_to, (n,)) as pool:
        found = pool.submit(function, *args).result()
        # It would wait until those are idle for five minutes.
        pool.submit(_end_processes).result()
        return found


def _end_processes() -> None:
    """End those that this one shared work out to."""
    get_reusable_executor().shutdown()


def _keep_to(n: int) -> None:
    # Threads and processes that start from here on do as this one.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n])


def _times_of(n_galaxy: int, n_baxel: int, templates: str, peers: Sequence[Fit]) -> CpuTimes:
    sample = simulated_baxels(n_galaxy, n_baxel, templates)
    fitted_and_labelled(sample)
    memory = peak_memory()
    for peer in peers:
        # What is loaded and made at the first call.
        peer([sample[0]._replace(spectra=sample[0].spectra[:1])])
    with threadpool_limits(1):
        turns = [[_processor_seconds(each, sample) for each in (fitted_and_labelled, *peers)] for _ in range(_TURNS)]
    own, *others = (statistics.median(times) / (n_galaxy * n_baxel) for times in zip(*turns, strict=True))
    return CpuTimes(own, others, memory)


def _processor_seconds(function: Fit, sample: Sequence[ReadyBaxels]) -> float:
    """Processor time of a call: other work on the machine does not count."""
    start = time.process_time()
    function(sample)
    return time.process_time() - start
