"""Fits made by another process, so that what is compiled for them keeps no page waiting (:mod:`mangrove.explorer.fitting_worker`)."""

import atexit
import itertools
import pickle
import subprocess
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mangrove.errors import WorkerError
from mangrove.explorer.piped_process import ended, received, send, started

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

#: Longest reply, bytes: a fit with its templates.
_MOST_REPLY = 1 << 32


class FittingProcess:
    """A process that fits spectra, several at a time, and keeps the programs it has compiled; another takes its place if it ends.

    It starts with the first fit.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._waiting: dict[int, Future] = {}
        self._number = itertools.count()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def fit(self, **arguments) -> "SpectrumFit":
        """A fit, waited for; in several threads at once if need be.

        Parameters
        ----------
        **arguments
            Of :func:`mangrove.api.fit_spectrum`.

        Raises
        ------
        SpectrumError, ConfigError, TemplateError
            As :func:`mangrove.api.fit_spectrum` does.
        WorkerError
            If the process was ended, by the system for want of memory, say.
        """
        return self._asked(arguments).result()

    @property
    def pid(self) -> int | None:
        """Number of the process; None before the first fit."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        """End the process."""
        with self._lock:
            process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _asked(self, arguments: dict[str, Any]) -> Future:
        number, future = next(self._number), Future()
        content = pickle.dumps((number, arguments), pickle.HIGHEST_PROTOCOL)
        with self._lock:
            if self._process is None:
                self._process = started("mangrove.explorer.fitting_worker")
                threading.Thread(target=self._hand_out, args=(self._process,), daemon=True).start()
            self._waiting[number] = future
            # If it has just ended, who hands out its replies tells all who wait.
            with suppress(OSError):
                send(self._process.stdin, content)
        return future

    def _hand_out(self, process: subprocess.Popen) -> None:
        """Give each reply of a process to who waits for it, until it ends."""
        while (reply := received(process.stdout, _MOST_REPLY)) is not None:
            number, is_fit, found = pickle.loads(reply)
            future = self._waiting.pop(number)
            future.set_result(found) if is_fit else future.set_exception(found)
        with self._lock:
            ended(process)
            self._process, waiting = None, list(self._waiting.values())
            self._waiting.clear()
        for future in waiting:
            future.set_exception(
                WorkerError(
                    "the process that fits spectra was ended, perhaps for want of memory. Ask for the fit again."
                )
            )
