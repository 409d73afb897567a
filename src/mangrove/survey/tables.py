"""Columns of other people's catalogues: numbers in the wanted unit, flags, bits and text, each with 'not known'.

A catalogue says that it does not know a value in many ways: masks, TNULL, NaN, negative numbers, empty or other words. Here
all of them are one: NaN, -1 or the empty text. What can be read in two ways is an error that names the column.
"""

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.io.registry import IORegistryError
from astropy.table import Column, MaskedColumn, Table
from astropy.utils.exceptions import AstropyWarning

from mangrove.errors import CatalogueError
from mangrove.files import damaged
from mangrove.files.bounded_headers import demand_bounded_headers, demand_bounded_units
from mangrove.files.units import is_endless
from mangrove.survey import text_tables
from mangrove.survey.galaxy import UNKNOWN_WORDS
from mangrove.survey.target import MISSING

#: What astropy raises over them, among it warnings of VOTables.
DAMAGED = (*damaged.DAMAGED, IORegistryError, AstropyWarning)
_HEAD_BYTES = 1 << 20
#: Most columns that an error lists.
_LISTED = 40
#: Bit masks are below it.
_BITS_END = 2.0**63
_YES, _NO = {"1", "t", "true", "y", "yes"}, {"0", "f", "false", "n", "no"}


def read_table(path: str | Path, columns: Sequence[str], hdu: str | int | None = None) -> Table:
    """A table of a file that astropy reads: FITS, ECSV, CSV, VOTable.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
        In a FITS file of several tables, the first one that has any of these columns is read.
    hdu : str or int, optional
        The HDU to read instead.

    Raises
    ------
    CatalogueError
        If the file cannot be read, or has no such table; see also :func:`mangrove.survey.text_tables.read`.
    """
    with readable(path):
        if not _is_fits(path):
            table = text_tables.read(path)
            return _other_kind(path) if table is None else table
        demand_bounded_headers(path)
        # Logical columns as bytes: as truth values their third value, not known, would be false.
        with fits.open(path, logical_as_bytes=True) as hdus:
            found = _tables(hdus) if hdu is None else [hdus[hdu]]
            if not found:
                raise CatalogueError(f"{path} holds no table.")
            fitting = (one for one in found if any(find(one.columns.names, [name], path) for name in columns))
            return _with_nulls(next(fitting, found[0]))


@contextmanager
def readable(path: str | Path):
    """Turn what astropy says of a file that it cannot read into a :class:`CatalogueError`."""
    try:
        yield
    except DAMAGED as error:
        raise CatalogueError(
            f"{path} cannot be read as a table ({damaged.words_of(error)}); give a FITS, ECSV, CSV or VOTable file."
        ) from error


def find(names: Sequence[str], candidates: Sequence[str], path) -> str | None:
    """The first of some columns that a table has, whatever their case; None if it has none.

    Raises
    ------
    CatalogueError
        If two columns differ in their case only.
    """
    for candidate in candidates:
        found = [name for name in names if name.lower() == candidate.lower()]
        if len(found) > 1:
            raise CatalogueError(f"{path} has the columns {' and '.join(found)}; delete or rename one of them.")
        if found:
            return found[0]
    return None


def column(table: Table, candidates: Sequence[str], path) -> Column:
    """The first of some columns that a table has.

    Raises
    ------
    CatalogueError
        If it has none, or that one has several values per row, or complex ones.
    """
    name = find(table.colnames, candidates, path)
    if name is None:
        listed = ", ".join(one[:40] for one in table.colnames[:_LISTED]) + ", ..." * (len(table.colnames) > _LISTED)
        raise CatalogueError(f"{path} has no column {' or '.join(candidates)}; its columns are {listed}.")
    _demand_one_real_value(_axes(table[name]), table[name].dtype, name, path)
    return table[name]


def _axes(values: Column) -> int:
    """Number of axes of a column, with that of arrays in its rows, which may be of various lengths."""
    return values.ndim + (values.dtype.kind == "O" and any(isinstance(one, np.ndarray | list) for one in values))


def _demand_one_real_value(n_axis: int, dtype: np.dtype, name: str, path) -> None:
    """Of a column, in each row."""
    if n_axis != 1:
        raise CatalogueError(f"{path}: the column {name} has several values per row; a single one is needed.")
    if dtype.kind == "c":
        raise CatalogueError(f"{path}: the column {name} holds complex numbers; real ones are needed.")


def numbers(values: Column, unit: u.UnitBase, path) -> np.ndarray:
    """A column as float64 in ``unit``, which is also the default; NaN for unknown values (-9999 too).

    Raises
    ------
    CatalogueError
        If its unit is another kind of quantity or not understood, or a text is no number.
    """
    known = ~_masked(values)
    if values.dtype.kind in "OSU":
        plain = np.array([_number(text, values.name, path) for text in texts(values)])
    else:
        plain = np.ma.getdata(values).astype(np.float64)
    known &= plain != MISSING
    return np.where(known, plain, np.nan) * factor(values.unit, unit, values.name, path)


def bits(values: Column, path) -> np.ndarray:
    """A column of bit masks as int64; -1 for what is not known (masked, negative, NaN).

    Raises
    ------
    CatalogueError
        If a value is no whole number, or too large for one.
    """
    if values.dtype.kind in "iu":
        plain = np.ma.getdata(values).astype(np.int64)
        return np.where(_masked(values) | (plain < 0), -1, plain)
    plain = numbers(values, u.one, path)
    plain = np.where(plain >= 0, plain, -1)
    odd = np.flatnonzero((plain != np.round(plain)) | (plain >= _BITS_END))
    if odd.size:
        raise CatalogueError(
            f"{path}: the column {values.name} holds {plain[odd[0]]:g} in row {odd[0] + 1}; it must hold whole numbers "
            "below 2^63 (bits), negative ones where they are unknown. Correct the row, or delete it."
        )
    return plain.astype(np.int64)


def flags(values: Column, path) -> np.ndarray:
    """A column of yes and no as int8: 1, 0, and -1 for what is not known (masked, negative, NaN, no word).

    Raises
    ------
    CatalogueError
        If a value is none of these.
    """
    if values.dtype.kind in "OSU":
        found = np.array([_flag_of(text) for text in texts(values)], float)
    else:
        found = np.ma.getdata(values).astype(float)
        found = np.where(_masked(values) | np.isnan(found) | (found < 0), -1, found)
    odd = np.flatnonzero(~np.isin(found, (-1, 0, 1)))
    if odd.size:
        raise CatalogueError(
            f"{path}: the column {values.name} holds {np.ma.getdata(values)[odd[0]]!s} in row {odd[0] + 1}; it must say yes "
            "(1, T, true) or no (0, F, false), or be empty or negative where it is unknown."
        )
    return found.astype(np.int8)


def texts(values: Column) -> list[str]:
    """A column as text without blanks around it, with single blanks inside; empty for what is not known."""
    plain = [_decoded(value) for value in np.asarray(np.ma.getdata(values)).tolist()]
    masked = _masked(values)
    return ["" if no or word.lower() in UNKNOWN_WORDS else word for word, no in zip(plain, masked, strict=True)]


def factor(given, unit: u.UnitBase, name: str, path) -> float:
    """Factor that converts values in a unit, or in none, to another unit.

    Parameters
    ----------
    given : unit, str or None
        As the file says; None or empty means ``unit``.
    unit : unit
    name : str
        Of the column or HDU, for the error.

    Raises
    ------
    CatalogueError
        If it is another kind of quantity or not understood.
    """
    text = "" if given is None else str(given).strip()
    if not text:
        return 1.0
    for word in () if is_endless(text) else (text, text.lower(), text.lower().removesuffix("s")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", u.UnitsWarning)  # of style, as several slashes
                parsed = u.Unit(word)
            if not isinstance(parsed, u.function.FunctionUnitBase):  # logarithms are not multiplied
                return parsed.to(unit)
        except (ValueError, TypeError, u.UnitConversionError):
            continue
    wanted = unit.to_string() or "a pure number"
    raise CatalogueError(
        f"{path}: the column {name} is in '{text}', but {wanted} is needed. Convert it, or correct its unit."
    )


def fits_column(hdu, name: str, path) -> MaskedColumn:
    """One column of a table HDU, for tables too large to be read whole; as :func:`column`."""
    found = find(hdu.columns.names, [name], path)
    if found is None:
        raise CatalogueError(f"{path}: {hdu.name} lacks the column {name}.")
    values, mask = hdu.data[found], _nulls(hdu, found)
    # As stored: arrays of variable length are read as one object a row.
    _demand_one_real_value(mask.ndim, values.dtype, found, path)
    return MaskedColumn(values, found, mask=mask, unit=hdu.columns[found].unit)


def _is_fits(path) -> bool:
    name = str(path).lower().removesuffix(".gz").removesuffix(".bz2")
    if name.endswith((".fits", ".fit", ".fts")):
        return True
    with Path(path).open("rb") as file:
        return file.read(6) == b"SIMPLE"


def _other_kind(path) -> Table:
    with Path(path).open("rb") as file:
        # The fields of a VOTable.
        demand_bounded_units(file.read(_HEAD_BYTES).decode("ascii", "replace"))
    return Table.read(path)


def _tables(hdus: fits.HDUList) -> list:
    return [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]


def _with_nulls(hdu) -> Table:
    table = Table.read(hdu, unit_parse_strict="silent")
    for name in hdu.columns.names:
        if hdu.columns[name].null not in (None, "") and table[name].ndim == 1:
            table[name] = MaskedColumn(table[name], mask=_masked(table[name]) | _nulls(hdu, name))
    return table


def _nulls(hdu, name: str) -> np.ndarray:
    """Rows that are not known by TNULL, which astropy sees neither in scaled columns nor in ASCII tables."""
    null, stored = hdu.columns[name].null, hdu.data.view(np.ndarray)[name]
    if null in (None, "") or stored.ndim != 1:
        return np.zeros(stored.shape, bool)
    if stored.dtype.kind == "S":
        stored, null = np.char.strip(stored), str(null).strip().encode()
    return stored == null


def _masked(values: Column) -> np.ndarray:
    return np.ma.getmaskarray(values) if isinstance(values, MaskedColumn) else np.zeros(len(values), bool)


def _decoded(value) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    return " ".join(str(value).split())


def _flag_of(word: str) -> float:
    word = word.lower()
    if word in _YES or word in _NO:
        return float(word in _YES)
    try:
        number = float(word or "nan")
    except ValueError:
        return np.inf
    return number if number >= 0 else -1


def _number(word: str, name: str, path) -> float:
    try:
        return float(word.replace("_", "x") or "nan")
    except ValueError:
        raise CatalogueError(f"{path}: the column {name} holds '{word}', which is not a number.") from None
