"""Logging of the workflow's scripts, and the digest of what went wrong."""

import logging
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from multiprocessing import current_process
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from mangrove.errors import MangroveError

_T = TypeVar("_T")
_TRACEBACK = "Traceback (most recent call last):"
#: Where a record of a log begins, and how it begins for a galaxy that a job leaves out to go on with others.
_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ )", re.MULTILINE)
_LEFT_OUT = re.compile(r".*: (\S+) cannot be (?:read|fitted)\n")
logger = logging.getLogger(__name__)


@contextmanager
def rule_log(path: str | None):
    """Log to a rule's log file (standard error if None) and write the traceback of a failure there.

    A user's mistake (:class:`MangroveError`) ends the process with its message; the traceback stays in the log.
    """
    handler = logging.FileHandler(path, mode="w", encoding="utf-8") if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = _listening(handler)
    logging.captureWarnings(True)
    try:
        yield
    except MangroveError as error:
        root.exception("failed")
        sys.exit(f"{type(error).__name__}: {error}")
    except Exception:
        root.exception("failed")
        raise
    finally:
        root.removeHandler(handler)
        handler.close()


def _listening(handler: logging.Handler) -> logging.Logger:
    """The root logger with a handler for what is of use."""
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # It tells of each kind of device that this machine does not have.
    logging.getLogger("jax").setLevel(logging.WARNING)
    return root


@contextmanager
def kept_records() -> Iterator[list[logging.LogRecord]]:
    """Context of a process that has no log of its own: what it would log, for another process to log."""
    records: list[logging.LogRecord] = []
    handler = _Keeping(records)
    root = _listening(handler)
    try:
        yield records
    finally:
        root.removeHandler(handler)


class _Keeping(QueueHandler):
    """Appends records, with their texts made, to a list."""

    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.append(record)


def progress(results: Iterable[_T], total: int, what: str, unit: str) -> Iterator[_T]:
    """The results as they come, with a bar on a terminal and a line in the log at every tenth of them.

    Parameters
    ----------
    total : int
        Number of results.
    what, unit : str
        What the log and the bar call them: "spectra fitted", "fit".
    """
    bar = tqdm(
        results, total=total, unit=unit, disable=not (sys.stderr.isatty() and current_process().name == "MainProcess")
    )
    for done, result in enumerate(bar, start=1):
        if done * 10 // total > (done - 1) * 10 // total:
            logger.info("%d of %d %s", done, total, what)
        yield result


def failures(folder: Path) -> Counter:
    """Unique failures in the log files under a folder, with their counts.

    A job that many galaxies share, as the fit of a chunk of them, counts once for each galaxy that failed in it.

    Returns
    -------
    Counter of tuple
        Keys are (rule, last line of the traceback, last place in mangrove's code). Failures that differ in paths and
        in the name of the galaxy only are one, with the text of the first.
    """
    alike: dict[tuple, list[str]] = {}
    for path in sorted(folder.rglob("*.log")):
        rule = path.relative_to(folder).parts[0].removesuffix(".log")
        for name, traceback in _tracebacks(path.read_text(encoding="utf-8", errors="replace"), path.stem):
            lines = traceback.rstrip().splitlines()
            last = next((line for line in lines[1:] if line and not line.startswith((" ", "\t"))), lines[-1])
            places = re.findall(r'File ".*?([^/"]+)", line (\d+), in (\S+)', traceback)
            place = f"{places[-1][0]}:{places[-1][1]} {places[-1][2]}" if places else ""
            alike.setdefault((rule, _without_own(last, name), place), []).append(last)
    return Counter({(rule, first_of(texts), place): len(texts) for (rule, _, place), texts in alike.items()})


def _tracebacks(text: str, job: str) -> Iterator[tuple[str, str]]:
    """Names of what failed in a job, and the tracebacks: of each galaxy that was left out, or of the job itself."""
    records = re.split(_RECORD, text)
    galaxies = [(found[1], record) for record in records if _TRACEBACK in record and (found := _LEFT_OUT.match(record))]
    for name, record in galaxies or [(job, text)]:
        start = record.rfind(_TRACEBACK)
        if start >= 0:
            yield name, record[start:]


def first_of(texts: list[str]) -> str:
    """The first of some texts that say the same of several things, and how many more there are."""
    return texts[0] + (f" (and {len(texts) - 1} more like it)" if len(texts) > 1 else "")


def _without_own(message: str, name: str) -> str:
    """A message without paths and the name of its own galaxy."""
    return re.sub(r"\S*/\S+", "...", message).replace(name, "...")
