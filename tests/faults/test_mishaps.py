"""A process that fits spectra is killed."""

import os
import signal

import pytest
from joblib import Parallel, delayed

from mangrove.errors import WorkerError
from mangrove.spectra.fit.ppxf import pool
from mangrove.spectra.fit.workers import demand_workers_alive


def killed(*_):
    """As the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_ends_the_fit_with_what_to_do(monkeypatch):
    monkeypatch.setattr(pool, "fit_spectrum", killed)
    with pytest.raises(WorkerError, match=r"was killed.*mem_mb"):
        pool.fit_all((), [None] * 4, 2)


def test_a_killed_worker_of_a_chunk_does_too():
    """Of the other engine, whose processes are joblib's."""
    with pytest.raises(WorkerError, match=r"was killed.*mem_mb"), demand_workers_alive():
        list(Parallel(2, return_as="generator")(delayed(killed)() for _ in range(4)))
