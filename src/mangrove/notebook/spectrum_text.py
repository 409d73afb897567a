"""Spectra in text: CSV, columns between blanks, ECSV. A header names the columns; nothing is guessed."""

import re
from functools import partial
from typing import BinaryIO

import numpy as np

from mangrove.errors import SpectrumError
from mangrove.notebook.spectrum_columns import (
    AND_MASK,
    ERROR,
    FLUX,
    FWHM,
    IVAR,
    KNOWN,
    LOG_WAVE,
    LSF,
    MASK,
    MAX_PIXELS,
    REDSHIFT,
    REDSHIFT_WARNING,
    WAVE,
    WDISP,
    Columns,
    LazyColumn,
    SpectrumFile,
    no_spectrum,
    spectrum_of,
)

#: Of each only one column may be there: which of two is meant would be a guess.
_ONE_OF = (WAVE + LOG_WAVE, FLUX, IVAR, ERROR, LSF + FWHM + WDISP, MASK, AND_MASK)
#: Longest text that is read, bytes.
_MAX_TEXT = 1 << 28
#: 'flux [erg/(s cm2 Angstrom)]': a name and its unit.
_NAME = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*(?:[\[(](?P<unit>.*)[\])])?")
#: The same in a header whose names are set apart by blanks: there may be some in the units too.
_NAMES_AND_BLANKS = re.compile(r"[^\s\[(]+(?:\s*\[[^\]]*\]|\s*\([^)]*\))?|[\[(]\S*")
#: '# z = 0.004', '# - {Z: 0.004}' of ECSV.
_STATED = re.compile(
    r"[#\s{-]*(?P<key>z|redshift|zwarning|air|medium|airorvac)\s*[:=]\s*(?P<value>[^\s,}]+)\s*\}?\s*", re.I
)
_ECSV_COLUMN = re.compile(
    r"#\s*-\s*\{name:\s*(?P<name>[^\s,}]+)(?:.*?\bunit:\s*(?P<unit>'[^']*'|\"[^\"]*\"|[^,}]+))?.*\}"
)
_AIR = {"true": True, "yes": True, "1": True, "air": True} | dict.fromkeys(("false", "no", "0", "vacuum", "vac"), False)
_NO_NUMBER = frozenset(("", "nan", "null", "none", "--", "na", "n/a"))
_HINT = "The first line that is no comment must name the columns, as in 'wave [Angstrom],flux,ivar' (docs/desom.md)."


def read_text(file: BinaryIO) -> SpectrumFile:
    """The spectrum of a text file.

    Parameters
    ----------
    file : binary file
        At its beginning: UTF-8.

    Raises
    ------
    SpectrumError
        If it is no table of numbers with named columns, or what it says is ambiguous.
    """
    content = file.read(_MAX_TEXT + 1)
    if len(content) > _MAX_TEXT:
        raise SpectrumError(f"is longer than {_MAX_TEXT} bytes; give the spectrum alone.")
    try:
        lines = content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise SpectrumError(
            "is neither a FITS table, nor HDF5, nor text (UTF-8). Convert it to one of these."
        ) from None
    if "\x00" in content[:512].decode("latin-1"):
        raise SpectrumError("is neither a FITS table, nor HDF5, nor text (UTF-8). Convert it to one of these.")
    return _spectrum(lines)


def _spectrum(lines: list[str]) -> SpectrumFile:
    rows = [(i, line) for i, line in enumerate(lines, start=1) if line.strip() and not line.lstrip().startswith("#")]
    comments = [(i, line) for i, line in enumerate(lines, start=1) if line.lstrip().startswith("#")]
    header, rows = _header(rows, comments)
    separator = _separator(header)
    names, units = _names(header, separator)
    units |= {name: unit for name, unit in _ecsv_units(comments).items() if name in names and unit}
    if len(rows) > MAX_PIXELS:
        raise SpectrumError(f"has {len(rows)} pixels; at most {MAX_PIXELS} are read. Cut out what is to be used.")
    wanted = [i for i, name in enumerate(names) if name in KNOWN - {*REDSHIFT, *REDSHIFT_WARNING}]
    columns = Columns(
        {names[i]: LazyColumn((len(rows),), units.get(names[i], ""), np.empty(0)) for i in wanted}, tuple(names)
    )
    if not columns.is_spectrum:
        raise no_spectrum([columns])
    values = _values(rows, separator, len(names), wanted)
    known = {
        names[i]: columns.known[names[i]]._replace(read=partial(np.copy, values[:, k])) for k, i in enumerate(wanted)
    }
    stated = _stated(comments)
    return spectrum_of(columns._replace(known=known), [stated], _air(stated))


def _header(rows: list[tuple[int, str]], comments: list[tuple[int, str]]) -> tuple[str, list[tuple[int, str]]]:
    """The line that names the columns, and the rows below: the first line, or, before numbers, the last comment."""
    if not rows:
        raise SpectrumError(f"has no rows. {_HINT}")
    first, line = rows[0]
    if not _is_numbers(line):
        return line.strip(), rows[1:]
    above = next((text.lstrip("# \t").strip() for i, text in reversed(comments) if i < first), "")
    if not {name.lower() for name in re.findall(r"[A-Za-z_]\w*", above)} & {*WAVE, *LOG_WAVE}:
        raise SpectrumError(f"line {first} has numbers, but the columns have no names. {_HINT}")
    return above, rows


def _is_numbers(line: str) -> bool:
    try:
        return bool([float(field) for field in re.split(r"[,;\s]+", line.strip(" \t,;\r"))])
    except ValueError:
        return False


def _separator(header: str) -> str | None:
    """Comma, semicolon or tab, or None for blanks."""
    bare = re.sub(r"\[[^\]]*\]|\([^)]*\)", "", header)
    found = [mark for mark in ",;\t" if mark in bare]
    if len(found) > 1:
        raise SpectrumError(
            f"the header '{header[:80]}' has both '{found[0]}' and '{found[1]}'; separate columns by one of them."
        )
    return found[0] if found else None


def _names(header: str, separator: str | None) -> tuple[list[str], dict[str, str]]:
    """Names of the columns in lower case, and the units of those that state one."""
    fields = header.split(separator) if separator else _NAMES_AND_BLANKS.findall(header)
    found = [_NAME.fullmatch(field.strip().strip('"').strip()) for field in fields]
    names = [one["name"].lower() if one else field.strip().lower() for one, field in zip(found, fields, strict=True)]
    for kind in _ONE_OF:
        if len(several := [name for name in names if name in kind]) > 1:
            raise SpectrumError(
                f"has the columns {' and '.join(several)}, and which one is meant is not clear. Delete or rename one of them."
            )
    return names, {one["name"].lower(): one["unit"].strip() for one in found if one and one["unit"]}


def _ecsv_units(comments: list[tuple[int, str]]) -> dict[str, str]:
    found = [_ECSV_COLUMN.match(line.strip()) for _, line in comments]
    return {one["name"].lower(): (one["unit"] or "").strip("'\" ") for one in found if one}


def _values(rows: list[tuple[int, str]], separator: str | None, n: int, wanted: list[int]) -> np.ndarray:
    """Numbers of the wanted columns, shape (n_row, n_wanted)."""
    values = np.empty((len(rows), len(wanted)))
    for k, (i, line) in enumerate(rows):
        fields = line.strip(" \r\n" if separator == "\t" else None).split(separator)
        if len(fields) != n:
            raise SpectrumError(f"line {i} has {len(fields)} fields, but the header names {n} columns. Mend the line.")
        values[k] = [_float(fields[j], i) for j in wanted]
    return values


def _float(field: str, line: int) -> float:
    try:
        # Python would read 1_0 as ten.
        if "_" not in field:
            return float(field)
    except ValueError:
        pass
    bare = field.strip().strip('"').lower()
    if bare in _NO_NUMBER:
        return np.nan
    raise SpectrumError(
        f"line {line}: '{bare[:40]}' is no number. Write numbers as 5003.7 or 1.2e-16, units in the header, as in 'wave [nm]'."
    )


def _stated(comments: list[tuple[int, str]]) -> dict[str, float | str]:
    """What comments state: a redshift, its warning, the medium of the wavelengths."""
    stated: dict[str, float | str] = {}
    for i, line in comments:
        if (one := _STATED.fullmatch(line.strip())) is None:
            continue
        key, text = one["key"].lower(), one["value"].strip("'\"")
        value = text.lower() if key in ("air", "medium", "airorvac") else _float(text, i)
        if stated.setdefault(key, value) != value:
            raise SpectrumError(f"line {i}: {key} is {text}, but {stated[key]} further up. Delete the wrong line.")
    return stated


def _air(stated: dict[str, float | str]) -> bool | None:
    words = {key: str(stated[key]) for key in ("air", "medium", "airorvac") if key in stated}
    for key, word in words.items():
        if word not in _AIR:
            raise SpectrumError(f"{key} is '{word}'; it must be one of {', '.join(_AIR)}. Correct the comment.")
    if len({_AIR[word] for word in words.values()}) > 1:
        raise SpectrumError(f"{' and '.join(words)} contradict each other. Delete the wrong comment.")
    return next((_AIR[word] for word in words.values()), None)
