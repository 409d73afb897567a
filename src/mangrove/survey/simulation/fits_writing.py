"""What the FITS files of a simulated survey have in common: atomic writing, tables, the mark in their checksums."""

import uuid
from contextlib import contextmanager
from pathlib import Path

from astropy.table import Table

#: In place of a date, in the comment of every checksum.
CHECKSUM_NOTE = "simulated"


@contextmanager
def atomic(path):
    """A temporary name beside ``path``, renamed to it when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def as_table(columns: dict, name: str):
    """A table of columns; its name becomes that of its HDU."""
    return Table(columns, meta={"EXTNAME": name} if name else {})
