"""The process that fits spectra for the explorer: arguments come in, fits go out, several at a time.

It is a process of its own because the compilation of a fit's programs holds Python for seconds, and all pages would wait.
What it reads was packed by the explorer itself: arrays and settings, never a file that somebody has uploaded. Run by
:mod:`mangrove.explorer.fitting_process`.
"""

import logging
import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mangrove.errors import MangroveError
from mangrove.explorer.piped_process import objects_from, objects_to, pipes_of_worker
from mangrove.notebook.spectrum_fit import fit_spectrum

_LOG = logging.getLogger(__name__)
_NICENESS = 5


def outcome(arguments: dict[str, Any]) -> tuple[bool, Any]:
    """Whether a fit came about, and the fit or the error instead."""
    try:
        return True, fit_spectrum(**arguments)
    except MangroveError as error:
        return False, error
    except Exception as error:
        _LOG.exception("an error in a fit for the explorer")
        # Not every error can be sent.
        return False, RuntimeError(f"{type(error).__name__}: {error}")


def memory_in_use() -> int:
    """Memory that this process takes, bytes; where the system does not say, the most it ever took."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return pages * resource.getpagesize()


def main() -> None:
    """Answer messages of standard input until it ends, and then end at once, whatever is being compiled."""
    # Ctrl+C in the terminal is for the explorer, with which this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Where cores are few, pages are answered before programs are compiled.
    os.nice(_NICENESS)
    stdin, stdout = pipes_of_worker()
    messages, replies, in_turn = objects_from(stdin), objects_to(stdout), threading.Lock()
    with suppress(EOFError):
        while True:
            threading.Thread(target=_answer, args=(*messages.recv(), replies, in_turn), daemon=True).start()
    # Python would wait for what JAX compiles, or crash in it.
    os._exit(0)


def _answer(number: int, arguments: dict[str, Any], replies: Connection, in_turn: threading.Lock) -> None:
    reply = (number, *outcome(arguments), memory_in_use())
    with in_turn:
        replies.send(reply)


if __name__ == "__main__":
    main()
