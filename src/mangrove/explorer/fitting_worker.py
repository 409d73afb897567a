"""The process that fits spectra for the explorer: arguments come in, fits go out, several at a time.

It is a process of its own because the compilation of a fit's programs holds Python for seconds, and all pages would wait.
What it reads was packed by the explorer itself: arrays and settings, never a file that somebody has uploaded. Run by
:mod:`mangrove.explorer.fitting_process`.
"""

import logging
import os
import pickle
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from mangrove.errors import MangroveError
from mangrove.explorer.piped_process import pipes_of_worker, received, send
from mangrove.notebook.spectrum_fit import fit_spectrum

_LOG = logging.getLogger(__name__)
#: Longest message, bytes: arguments of a fit of some million pixels.
MOST_BYTES = 1 << 30
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
    messages, replies = pipes_of_worker()
    in_turn = threading.Lock()
    while (content := received(messages, MOST_BYTES)) is not None:
        threading.Thread(target=_answer, args=(content, replies, in_turn), daemon=True).start()
    # Python would wait for what JAX compiles, or crash in it.
    os._exit(0)


def _answer(content: bytes, replies: BinaryIO, in_turn: threading.Lock) -> None:
    number, arguments = pickle.loads(content)
    reply = pickle.dumps((number, *outcome(arguments), memory_in_use()), pickle.HIGHEST_PROTOCOL)
    with in_turn:
        send(replies, reply)


if __name__ == "__main__":
    main()
