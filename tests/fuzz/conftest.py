"""What fuzz tests of HDF5 files share: a process that the HDF5 library may end or hang in."""

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import pytest
from fuzzing import ended_after

#: Seconds of a processor after which a call is ended.
LIMIT = 40
#: Part of damaged files over which the HDF5 library may fail.
RARE = 0.01


@pytest.fixture(scope="module")
def apart():
    """A function that calls another one in a process of its own, which the HDF5 library may end over a damaged file.

    Or it never comes back, from attributes whose texts lie in a damaged heap: the process is ended then. How often either
    came is printed at the end; it is a failure where it is no rare exception.
    """
    pools, calls = [], Counter()

    def call(function, *arguments):
        pools[:] = pools or [ProcessPoolExecutor(1, get_context("spawn"))]
        calls["all"] += 1
        begin = time.monotonic()
        try:
            pools[0].submit(ended_after, LIMIT, function, arguments).result()
        except BrokenProcessPool:
            pools.clear()
            calls["endless" if time.monotonic() - begin > LIMIT else "ended"] += 1

    yield call
    for pool in pools:
        pool.shutdown()
    if calls["ended"] or calls["endless"]:
        print(
            f"\nof {calls['all']} files HDF5 ended the process of {calls['ended']}, and did not come back from {calls['endless']}",
            flush=True,
        )
    assert calls["ended"] + calls["endless"] <= max(2, RARE * calls["all"])
