"""Fits by another process: what comes back, and what happens where it fails, takes long, or is ended."""

import os
import threading
import time

import numpy as np
import pytest
from one_spectrum import LSF, WAVE, Z, noisy

from mangrove.api import fit_spectrum
from mangrove.errors import SpectrumError, WorkerError
from mangrove.explorer import fitting_process, live_fit
from mangrove.explorer.fitting_process import FittingProcess

#: Seconds that another process may take, on a busy machine.
PATIENCE = 120


@pytest.fixture
def process():
    process = FittingProcess()
    yield process
    process.close()


@pytest.fixture(scope="module")
def arguments():
    """Of a fit without compilation, in some seconds."""
    flux, error = noisy()
    return {"wave": WAVE, "flux": flux, "ivar": error**-2.0, "lsf": LSF, "z": Z, "engine": "ppxf", "n_draw": 2}


def test_the_fit_is_that_of_the_same_process(process, arguments):
    found, expected = process.fit(**arguments), fit_spectrum(**arguments)
    assert found.status == expected.status and found.labels.keys() == expected.labels.keys()
    for name in ("v_star", "sigma_star", "v_gas", "chi2_reduced"):
        assert found[name] == expected[name]
    np.testing.assert_array_equal(found.spectrum["model"], expected.spectrum["model"])
    assert found.lines.loc["Halpha_6565"]["flux"] == expected.lines.loc["Halpha_6565"]["flux"]


def test_errors_come_back_as_what_they_are(process, arguments):
    with pytest.raises(SpectrumError, match="z is -1; it must be positive"):
        process.fit(**arguments | {"z": -1})
    # What is no error of ours comes back as its text.
    with pytest.raises(RuntimeError, match=r"TypeError: .* missing 2 required positional arguments: 'flux' and 'ivar'"):
        process.fit(wave=WAVE, z=Z, lsf=LSF)


def test_who_asks_for_little_does_not_wait_for_a_long_fit(process, arguments):
    """As a page does that asks for a fit while programs for other settings are compiled."""
    ended = threading.Event()

    def long() -> None:
        process.fit(**arguments | {"n_draw": 30})
        ended.set()

    threading.Thread(target=long, daemon=True).start()
    with pytest.raises(SpectrumError):
        process.fit(**arguments | {"z": -1})
    assert not ended.is_set()
    assert ended.wait(PATIENCE)


def test_a_process_that_is_ended_is_told_of_and_replaced(process, arguments):
    with pytest.raises(SpectrumError):
        process.fit(**arguments | {"z": -1})
    told = []

    def wait() -> None:
        with pytest.raises(WorkerError, match=r"the process that fits spectra was ended.*Ask for the fit again"):
            process.fit(**arguments | {"n_draw": 200})
        told.append(True)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(0.5)
    os.kill(process.pid, 9)
    waiting.join(PATIENCE)
    assert told
    assert process.fit(**arguments).ok


def test_a_process_with_much_memory_is_replaced_when_nobody_waits(process, arguments, monkeypatch):
    def asked() -> int:
        with pytest.raises(SpectrumError):
            process.fit(**arguments | {"z": -1})
        return process.pid

    before = asked()
    assert asked() == before
    monkeypatch.setattr(fitting_process, "MOST_MEMORY", 1)
    asked()
    # What it takes is told with its answer, and acted on right after that.
    end = time.monotonic() + PATIENCE
    while process.pid is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert process.pid is None
    monkeypatch.undo()
    assert asked() not in (before, None)


def test_nothing_is_compiled_beforehand_while_somebody_waits(monkeypatch):
    begun, may_end = [], threading.Event()

    class Process:
        def fit(self, name):
            begun.append(name)
            if name == "asked":
                may_end.wait(PATIENCE)

    monkeypatch.setattr(live_fit, "_PROCESS", Process())
    asked = threading.Thread(target=live_fit.fitted, kwargs={"name": "asked"})
    asked.start()
    while not begun:
        time.sleep(0.01)
    beforehand = threading.Thread(target=live_fit.compile_for, kwargs={"name": "beforehand"})
    beforehand.start()
    beforehand.join(0.3)
    assert begun == ["asked"]
    may_end.set()
    for thread in (asked, beforehand):
        thread.join(PATIENCE)
    assert begun == ["asked", "beforehand"]
