"""Time stamps of files that a clock wrote while it was ahead."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

#: Distance between the new time stamps, ns: more than the resolution of seconds as float64.
_STEP = 1000


def bring_back(folders: Iterable[str | os.PathLike]) -> int:
    """Give files whose time stamps lie in the future the present one, in the order that they had; returns their number.

    After a clock was set back, Snakemake fails a job whose inputs are from the future, as its output is older, and takes
    results from the future for newer than what is made now. Left as they are: what vanishes meanwhile, and files that
    belong to others.

    Parameters
    ----------
    folders : iterable of path-like
        With all that is below; those that are missing are passed over. Of links, the link itself counts.
    """
    now = time.time_ns()
    ahead = [(stamp, path) for folder in folders for path, stamp in _stamps(folder) if stamp > now]
    new = {stamp: now - i * _STEP for i, stamp in enumerate(sorted({stamp for stamp, _ in ahead}, reverse=True))}
    changed = 0
    for stamp, path in ahead:
        with suppress(OSError):
            os.utime(path, ns=(new[stamp], new[stamp]), follow_symlinks=False)
            changed += 1
    return changed


def _stamps(folder: str | os.PathLike) -> Iterator[tuple[str, int]]:
    """Files and links below a folder with their time stamps, ns."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = f"{place}/{name}"
            with suppress(FileNotFoundError):
                yield path, os.lstat(path).st_mtime_ns
