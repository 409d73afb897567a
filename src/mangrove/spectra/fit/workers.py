"""What to say when a process that fits spectra for another is killed."""

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from mangrove.errors import WorkerError


@contextmanager
def demand_workers_alive() -> Iterator[None]:
    """Context of work that other processes share, whose death is an error for people.

    Raises
    ------
    WorkerError
        If one of them is killed.
    """
    try:
        yield
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process that fits spectra was killed, most often because memory ran out. Run again with fewer jobs at a time "
            "(snakemake --resources mem_mb=...; see 'Killed' in docs/troubleshooting.md)."
        ) from error
