"""A worker that is killed, a clock that goes backwards."""

import os
import signal
import time

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


def test_a_clock_that_goes_backwards_remakes_nothing_for_ever(mini):
    """What is made after the clock was set back is older than what it is made from: made once, it is current."""
    later, target = time.time() + 7200, "results/mini/autoencoder/ae/agn.h5"
    files = [path for folder in ("results", "data") for path in (mini.folder / folder).rglob("*") if path.is_file()]
    times = {path: path.stat() for path in files if not path.is_symlink()}
    before = mini.products()
    try:
        for path in times:
            os.utime(path, (later, later))
        (mini.folder / target).unlink()
        mini.snakemake("--until", "agn")
        assert mini.planned("--until", "agn").rules == {}
    finally:
        for path, stat in times.items():
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert mini.products() == before
