"""The fits of a chunk of galaxies, from extracts on disk to fits on disk."""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Provenance
from mangrove.codes import FitStatus
from mangrove.errors import ArtefactError, WorkerError
from mangrove.logs import first_of
from mangrove.spectra.fit.artefact import ReadyGalaxy, read_ready, write_fits
from mangrove.spectra.fit.batched import forms
from mangrove.spectra.fit.batched.devices import most_spectra
from mangrove.spectra.fit.batched.engine import Member, fit_group
from mangrove.spectra.fit.batched.kept import GalaxyTask, put_in_place, set_aside
from mangrove.spectra.fit.batched.sharing import shared_out
from mangrove.spectra.fit.two_steps import GuidedFits

#: Galaxies are fitted together until they fill so many batches of the largest size on a CPU (one on an accelerator, whose
#: batches are large: it waits for the first group to be read and the last to be written), or take so much memory, bytes.
GROUP_BATCHES, GROUP_BYTES = 4, 1 << 30
#: Where processes share them, until they have so many spectra: the fewer, the sooner all processes end together.
SHARED_SPECTRA = 16
#: Galaxies that are read at a time: an accelerator is quicker than one thread reads.
_READERS = 4
#: Arrays as large as a galaxy's templates that its fit takes on the host: they, their transforms, a copy for a device.
_TEMPLATE_COPIES = 6

logger = logging.getLogger("mangrove.fit")

#: Gives the fits of galaxies, in order.
Fitter = Callable[[Sequence[ReadyGalaxy]], list[GuidedFits]]


class _Read(NamedTuple):
    """A galaxy ready to fit with what makes its fit, or why it is not."""

    task: GalaxyTask
    ready: ReadyGalaxy | None
    made_from: Provenance | None = None
    fault: Exception | None = None

    @property
    def size(self) -> int:
        """Memory that its fit takes, bytes."""
        if self.ready is None:
            return 0
        spectra = sum(array.nbytes for one in self.ready.spectra for array in one if isinstance(array, np.ndarray))
        return 2 * spectra + _TEMPLATE_COPIES * self.ready.galaxy.stars.flux.nbytes

    @property
    def n_spectra(self) -> int:
        """Number of its spectra."""
        return len(self.ready.spectra) if self.ready else 0


def by_engine(galaxies: Sequence[ReadyGalaxy], n_process: int = 1) -> list[GuidedFits]:
    """Fits of galaxies whose spectra share batches (:func:`mangrove.spectra.fit.batched.engine.fit_group`)."""
    place = [[one.extract[name] for name in ("snr", "x", "y")] for one in galaxies]
    members = [Member(one.galaxy, one.spectra, *where) for one, where in zip(galaxies, place, strict=True)]
    return fit_group(members, n_process=n_process)


def fit_chunk(tasks: Sequence[GalaxyTask], fit: Fitter | None = None, n_process: int = 1) -> None:
    """Write the artefacts 'fit' of a chunk; those that are current keep their bytes.

    Galaxies are read in a thread while others are fitted, and written in another. A galaxy that cannot be read leaves
    the others alone: they are finished before the error is raised, and kept for the next run.

    Parameters
    ----------
    tasks : sequence of GalaxyTask
    fit : callable, optional
        What fits the galaxies; :func:`by_engine` if not given.
    n_process : int
        Processes that share them, one for each core of a CPU; where galaxies are fewer, their spectra.

    Raises
    ------
    ArtefactError
        If a galaxy could not be fitted; the text names it.
    WorkerError
        If a process is killed; galaxies that are finished are kept.
    """
    missing = [task for task in tasks if not set_aside(task)]
    logger.info("%d of %d galaxies are finished, %d to fit", len(tasks) - len(missing), len(tasks), len(missing))
    if fit is None:
        few = len(missing) < n_process
        fit, n_process = (partial(by_engine, n_process=n_process), 1) if few else (by_engine, n_process)
    if n_process > 1:
        # The longest fits begin first, so that no process is left with one when the others end.
        missing.sort(key=_bytes_of_extract, reverse=True)
    counts, faults, done = Counter(), {}, 0
    with ThreadPoolExecutor(1) as writer:
        written: list[Future] = []
        for group, outcomes in _fitted(_read_ahead(missing, n_process), fit, n_process):
            # No more than one group waits to be written.
            counts += _all_of(written)
            faults |= {one.task.name: o for one, o in zip(group, outcomes, strict=True) if isinstance(o, Exception)}
            fitted = [(one, o) for one, o in zip(group, outcomes, strict=True) if isinstance(o, GuidedFits)]
            written = [writer.submit(_write, *one) for one in fitted]
            done += len(group)
            logger.info("%d of %d galaxies done", done, len(missing))
        counts += _all_of(written)
    if counts:
        logger.info("fits by status: %s", {status.word: counts[status] for status in FitStatus if counts[status]})
    if faults:
        told = first_of([f"{name}: {fault}" for name, fault in faults.items()])
        raise ArtefactError(f"{len(faults)} of {len(tasks)} galaxies could not be fitted (the others are kept): {told}")
    put_in_place(tasks)


def _fitted(
    groups: Iterable[list[_Read]], fit: Fitter, n_process: int
) -> Iterator[tuple[list[_Read], list[GuidedFits | Exception]]]:
    """Groups of galaxies in order, with the fits of each, or what stands in their way."""
    if n_process == 1:
        yield from ((group, _outcomes(fit, group)) for group in groups)
        return
    sent: deque[list[_Read]] = deque()

    def taken():
        for group in groups:
            sent.append(group)
            yield group

    for outcomes in shared_out(partial(_outcomes, fit), taken(), n_process):
        yield sent.popleft(), outcomes


def _outcomes(fit: Fitter, group: Sequence[_Read]) -> list[GuidedFits | Exception]:
    readable = [one.ready for one in group if one.ready]
    found = iter(_attempted(readable, fit) if readable else [])
    return [next(found) if one.ready else one.fault for one in group]


def _attempted(galaxies: Sequence[ReadyGalaxy], fit: Fitter) -> list[GuidedFits | Exception]:
    """The fits of galaxies; of one that cannot be fitted, the reason, and the others all the same.

    Whatever is wrong with a galaxy, it must not keep the others of its chunk from being fitted, in this run and in the next.
    """
    try:
        return fit(galaxies)
    except WorkerError:
        raise
    except Exception as error:
        if len(galaxies) > 1:
            return [found for one in galaxies for found in _attempted([one], fit)]
        logger.exception("%s cannot be fitted", galaxies[0].extract.attrs["plateifu"])
        return [error]


def _write(one: _Read, fits: GuidedFits) -> Counter:
    write_fits(one.task.finished, one.ready, fits, one.made_from)
    return Counter(result.status for result in fits.results)


def _all_of(futures: Sequence[Future]) -> Counter:
    """Sum of what they give, in the end; or their first error."""
    return sum((future.result() for future in futures), Counter())


def _read_ahead(tasks: Sequence[GalaxyTask], n_process: int) -> Iterator[list[_Read]]:
    """Groups of galaxies, each read while the one before it is in use; one for each process where there are few."""
    if not tasks:
        return
    of_one = most_spectra() * (1 if forms.together() else GROUP_BATCHES)
    enough, most = of_one if n_process == 1 else SHARED_SPECTRA, math.ceil(len(tasks) / n_process)
    with ThreadPoolExecutor(1) as collector, ThreadPoolExecutor(_READERS) as readers:
        waiting = _in_order(tasks, readers)
        ahead = collector.submit(_next_group, waiting, enough, most)
        while group := ahead.result():
            ahead = collector.submit(_next_group, waiting, enough, most)
            yield group


def _bytes_of_extract(task: GalaxyTask) -> int:
    """Size of what a galaxy is fitted from; 0 where there is no file."""
    return task.extract.stat().st_size if task.extract.is_file() else 0


def _in_order(tasks: Iterable[GalaxyTask], readers: Executor) -> Iterator[_Read]:
    """Galaxies as they are read, a few at a time."""
    ahead: deque[Future] = deque()
    for task in tasks:
        ahead.append(readers.submit(_read, task))
        if len(ahead) == _READERS:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _next_group(waiting: Iterator[_Read], enough: int, most: int) -> list[_Read]:
    """Galaxies to fit together, with so many spectra if memory allows, but no more galaxies than that; none at the end."""
    group, n, size = [], 0, 0
    for one in islice(waiting, most):
        group.append(one)
        n, size = n + one.n_spectra, size + one.size
        if n >= enough or size >= GROUP_BYTES:
            break
    return group


def _read(task: GalaxyTask) -> _Read:
    try:
        # First, so that an extract that changes meanwhile makes the fit an old one.
        made_from = task.provenance
        return _Read(task, read_ready(task.extract, task.params), made_from)
    except Exception as fault:
        logger.exception("%s cannot be read", task.name)
        return _Read(task, None, fault=fault)
