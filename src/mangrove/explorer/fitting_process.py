"""Fits made by another process, so that what is compiled for them keeps no page waiting (:mod:`mangrove.explorer.fitting_worker`)."""

import atexit
import itertools
import subprocess
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mangrove.errors import WorkerError
from mangrove.explorer.piped_process import ended, objects_from, objects_to, started

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

#: Memory that the process may take, bytes, before another takes its place: programs of a dozen settings.
MOST_MEMORY = 3 << 30


@dataclass
class _Running:
    """A process, and by the number of the message who waits for a reply of it."""

    process: subprocess.Popen
    waiting: dict[int, Future] = field(default_factory=dict)


class FittingProcess:
    """A process that fits spectra, several at a time, and keeps the programs it has compiled.

    It starts with the first fit. Another takes its place if it ends, or has taken much memory and nobody waits for it.
    """

    def __init__(self) -> None:
        self._running: _Running | None = None
        self._number = itertools.count()
        self._lock = threading.Lock()
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Number of the process; None where there is none."""
        running = self._running
        return None if running is None else running.process.pid

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

    def close(self) -> None:
        """End the process; fits under way end with a WorkerError."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.process.kill()
            running.process.wait()

    def _asked(self, arguments: dict[str, Any]) -> Future:
        number, future = next(self._number), Future()
        with self._lock:
            if self._running is None:
                self._running = _Running(started("mangrove.explorer.fitting_worker"))
                threading.Thread(target=self._hand_out, args=(self._running,), daemon=True).start()
            self._running.waiting[number] = future
            # If it has just ended, who hands out its replies tells all who wait.
            with suppress(OSError):
                objects_to(self._running.process.stdin).send((number, arguments))
        return future

    def _hand_out(self, running: _Running) -> None:
        """Give each reply of a process to who waits for it, until it ends."""
        replies = objects_from(running.process.stdout)
        # Until the process has ended.
        with suppress(EOFError, OSError):
            while True:
                number, is_fit, found, memory = replies.recv()
                future = running.waiting.pop(number)
                future.set_result(found) if is_fit else future.set_exception(found)
                if memory > MOST_MEMORY:
                    self._retire(running)
        with self._lock:
            if self._running is running:
                self._running = None
        ended(running.process)
        for future in running.waiting.values():
            future.set_exception(
                WorkerError(
                    "the process that fits spectra was ended, perhaps for want of memory. Ask for the fit again."
                )
            )

    def _retire(self, running: _Running) -> None:
        """End a process, unless somebody waits for it: what it has compiled is on the disk."""
        with self._lock:
            if self._running is not running or running.waiting:
                return
            self._running = None
        running.process.kill()
