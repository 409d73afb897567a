"""How far a download is: a bar on a terminal, plain lines in the log."""

import logging
import sys
import time

from tqdm import tqdm

logger = logging.getLogger(__name__)

_SECONDS_PER_LINE = 10.0


class Progress:
    """Context that counts bytes.

    Parameters
    ----------
    label : str
        Name of the file.
    total : int or None
        Bytes of the whole file; None if unknown.
    done : int
        Bytes that were there before.
    """

    def __init__(self, label: str, total: int | None, done: int = 0):
        self._label, self._total, self._before, self._done = label, total, done, done
        self._start = self._line = time.monotonic()
        self._bar = tqdm(
            desc=label, total=total, initial=done, unit="B", unit_scale=True, disable=not sys.stderr.isatty()
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._bar.close()
        self._log()

    def add(self, n: int) -> None:
        """Count ``n`` bytes more."""
        self._done += n
        self._bar.update(n)
        if time.monotonic() - self._line > _SECONDS_PER_LINE:
            self._log()

    def _log(self) -> None:
        self._line = time.monotonic()
        rate = (self._done - self._before) / max(self._line - self._start, 1e-6)
        total = f"{self._total / 1e6:.1f} MB" if self._total is not None else "an unknown total"
        logger.info("%s: %.1f of %s, %.1f MB/s", self._label, self._done / 1e6, total, rate / 1e6)
