"""Work that is shared out to processes, one for each core of a CPU: threads of one process gain nothing."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from joblib import Parallel, delayed

from mangrove.logs import kept_records
from mangrove.spectra.fit.workers import demand_workers_alive


def shared_out(function: Callable, parts: Iterable, n_process: int) -> Iterator:
    """What a function gives for each part, in order; a part is taken when a process is free, and what it logs is logged here.

    Raises
    ------
    WorkerError
        If a process is killed.
    """
    # Arrays go to the processes themselves (no files of theirs), and no part waits but those that are taken.
    shared = Parallel(n_process, return_as="generator", pre_dispatch=n_process, batch_size=1, max_nbytes=None)
    with demand_workers_alive():
        for found, records in shared(delayed(_told)(function, part) for part in parts):
            for record in records:
                logging.getLogger(record.name).handle(record)
            yield found


def _told(function: Callable, part) -> tuple[Any, list[logging.LogRecord]]:
    """What it gives in another process, with what it has to say for the log."""
    # So many threads XLA takes for a CPU, where it would take one for each core: work that goes to and fro between them
    # costs a fifth more, and there is a process on each core.
    os.environ["NPROC"] = "1"
    with kept_records() as records:
        return function(part), records
