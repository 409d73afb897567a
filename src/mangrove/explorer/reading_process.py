"""Uploads read by another process, which may end or hang without harm (:mod:`mangrove.explorer.reading_worker`)."""

import subprocess
import threading

from mangrove.errors import SpectrumError
from mangrove.explorer.piped_process import ended, received, send, started
from mangrove.explorer.reading_worker import unpacked_spectrum
from mangrove.notebook.spectrum_columns import SpectrumFile

#: Longest reply, bytes: seven columns of a million pixels.
_MAX_REPLY = 1 << 27


class ReadingProcess:
    """A process that reads one upload at a time; another takes its place if it ends.

    Others wait for as long as one is read: a fraction of a second, or all the seconds allowed for a damaged one.

    Parameters
    ----------
    seconds : float
        How long it may take over an upload.

    Attributes
    ----------
    n_lost : int
        How many processes ended over an upload.
    """

    def __init__(self, seconds: float = 20.0):
        self._seconds, self._process, self._lock, self.n_lost = seconds, None, threading.Lock(), 0

    def read(self, content: bytes, name: str = "the file") -> SpectrumFile:
        """The spectrum in the bytes of a file (:func:`mangrove.notebook.spectrum_file.parse_spectrum`).

        Raises
        ------
        SpectrumError
            Also where reading took too long or too much memory.
        """
        with self._lock:
            reply = self._reply(content)
        if reply is None:
            raise SpectrumError(
                f"{name} is damaged: reading it failed altogether or took too long. Save it again, as a FITS table or CSV."
            )
        if reply[:1] == b"S":
            return unpacked_spectrum(reply[1:])
        raise SpectrumError(reply[1:].decode("utf-8", "replace").replace("the file:", f"{name}:", 1))

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _reply(self, content: bytes) -> bytes | None:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            self._process = started("mangrove.explorer.reading_worker", stderr=subprocess.DEVNULL)
        process = self._process
        late = threading.Timer(self._seconds, process.kill)
        late.start()
        try:
            send(process.stdin, content)
            reply = received(process.stdout, _MAX_REPLY)
        except OSError:
            reply = None
        finally:
            late.cancel()
        if reply is None:
            self.n_lost += 1
            self._end()
        return reply

    def _end(self) -> None:
        if self._process is not None:
            ended(self._process)
        self._process = None
