"""Files that get their names when they are whole, whatever ends their writer: an error, a full disk, a signal."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary name beside ``path``, which becomes ``path`` on the disk when the block ends without error.

    Folders above are made. What a killed writer leaves is for :func:`mangrove.artefacts.sweep`.

    Raises
    ------
    OSError
        If the file cannot be written; then ``path`` is as it was before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield part
        sync(part)
        os.replace(part, path)
    finally:
        # The error of the block is the one to tell of.
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all (see :func:`whole_file`)."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Have the system write a file to the disk: errors of the disk show now, and not after a rename."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
