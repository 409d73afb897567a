"""Catalogues as files of any kind, good and bad, and galaxies as a sheet would have them: what fuzz tests share."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import Table
from fuzzing import bounded, put_file

from mangrove.errors import CatalogueError
from mangrove.survey.sample import parse_sheet, write_sheet

#: Cards that say what columns are, and where they lie.
CARDS = [
    *("BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "XTENSION", "EXTNAME", "BUNIT", "BSCALE"),
    *("TTYPE1", "TFORM1", "TFORM2", "TUNIT2", "TSCAL2", "TZERO1", "TNULL1", "TDIM1", "THEAP", "BLANK", "SURVEY"),
]
#: Endings of other files that a catalogue may be, with astropy's names of these formats.
KINDS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".vot": "votable"}
#: What a column may be in place of one real number a row, or of one text.
FORMS = ["none", "twice", "wide", "text", "complex", "logical", "long"]
NOTHING: Mapping = MappingProxyType({})


def fits_of(
    *tables: Table, units: Mapping[str, str] = NOTHING, scales: Mapping[str, float] = NOTHING, cards: Mapping = NOTHING
) -> bytes:
    """A FITS file of some tables.

    Parameters
    ----------
    *tables : Table
    units : mapping of str to str
        As the headers of columns write them, by the columns' names in upper case; empty for none.
    scales : mapping of str to float
        What a reader multiplies the whole numbers of columns with (TSCAL), by the same names.
    cards : mapping
        Of the first header.
    """
    hdus, file = [fits.PrimaryHDU(), *(fits.table_to_hdu(table) for table in tables)], io.BytesIO()
    hdus[0].header.update(cards)
    for hdu in hdus[1:]:
        for i, name in enumerate(hdu.columns.names, start=1):
            for key, values in (("TUNIT", units), ("TSCAL", scales)):
                if value := values.get(name.upper()):
                    hdu.header[f"{key}{i}"] = value
    fits.HDUList(hdus).writeto(file)
    return file.getvalue()


def in_any_order(rng: np.random.Generator, table: Table) -> Table:
    """A table with its columns in another order, and their names in upper, lower or mixed case."""
    found = table[rng.permutation(table.colnames).tolist()]
    case = (str.upper, str.lower, str.title)[rng.integers(3)]
    for name in found.colnames:
        found.rename_column(name, case(name))
    return found


def bytes_of(table: Table, ending: str, units: Mapping[str, str] = NOTHING) -> bytes:
    """A file of one table, of this ending; a CSV file has no units."""
    if ending == ".fits":
        return fits_of(table, units=units)
    for column in table.itercols():
        column.unit = u.Unit(units.get(column.name.upper(), ""), parse_strict="silent") or None
    file = io.BytesIO() if ending == ".vot" else io.StringIO()
    table.write(file, format=KINDS[ending])
    content = file.getvalue()
    return content if isinstance(content, bytes) else content.encode()


def is_written(path: Path, table: Table, ending: str) -> bool:
    """Write a file of one table, if this kind of file has such columns."""
    try:
        put_file(path, bytes_of(table, ending))
    except (ValueError, TypeError):
        return False
    return True


def outcome_of_sound(read: Callable, *arguments) -> Any:
    """What a reader gives of a file that is sound as such, or None; an error that calls it unreadable was Python's."""
    found, said = None, ""
    with bounded():
        try:
            found = read(*arguments)
        except CatalogueError as refused:
            said = str(refused)
    assert not re.search("not a readable|cannot be read as a table", said) and len(said) < 4000
    return found


def change(table: Table, name: str, how, row: int) -> None:
    """Give a table's column another form (:data:`FORMS`), or a number in one of its rows."""
    column, n = table[name], len(table)
    match how:
        case "none":
            del table[name]
        case "twice":
            table[name.swapcase()] = column
        case "wide":
            table[name] = np.stack([column, column], axis=1)
        case "text":
            table[name] = [f"a{value}" for value in column]
        case "complex":
            table[name] = np.arange(n) + 1j
        case "logical":
            table[name] = np.arange(n) % 2 == 0
        case "long":
            table[name] = np.full(n, 2**64 - 1, np.uint64)
        case number:
            values = np.zeros(n) if column.dtype.kind in "OSU" else np.array(column, float)
            values[row % n] = number
            table[name] = values


def demand_a_sheet(folder: Path, galaxies: list) -> None:
    """Galaxies are such as a sample sheet takes, and come back from one."""
    if galaxies:
        path = folder / "sheet.tsv"
        write_sheet(path, galaxies)
        with path.open(encoding="utf-8-sig") as lines:
            assert list(parse_sheet(lines, "sheet.tsv").values()) == galaxies
