"""What the FITS files of a simulated survey have in common: tables, the mark in their checksums."""

from astropy.table import Table

#: In place of a date, in the comment of every checksum.
CHECKSUM_NOTE = "simulated"


def as_table(columns: dict, name: str):
    """A table of columns; its name becomes that of its HDU."""
    return Table(columns, meta={"EXTNAME": name} if name else {})
