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


@pytest.fixture(scope="module")
def apart():
    """A function that calls another one in a process of its own, which the HDF5 library may end over a damaged file.

    How often it did is printed at the end. A library that does not come back is a failure: the process is ended then.
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
            calls["ended"] += 1
            assert time.monotonic() - begin < LIMIT, "a library does not come back from this file"

    yield call
    for pool in pools:
        pool.shutdown()
    if calls["ended"]:
        print(f"\nHDF5 ended the process of {calls['ended']} of {calls['all']} files", flush=True)
