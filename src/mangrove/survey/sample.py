"""Sample sheets: one galaxy a row, tab separated, read and checked before any job starts."""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from mangrove import outputs, paths
from mangrove.config import Config
from mangrove.errors import SampleError
from mangrove.survey.galaxy import SAME_OBJECT, Galaxy, angular_distance, check_galaxy
from mangrove.survey.releases import release
from mangrove.survey.target import MISSING

_COLUMNS = {f.name: f for f in fields(Galaxy)}
_REQUIRED = ("plateifu", "mangaid", "z", "ebv", "ra", "dec")
#: Last line of a sheet that 'mangrove select' wrote, with the sha256 of the lines above it.
_WRITTEN = "# Written by mangrove select; sha256 of the lines above: "


def read_sheet(config: Config) -> dict[str, Galaxy]:
    """The galaxies of a run, in the order of its sheet, after ``sample.limit`` and ``sample.plateifus``.

    Raises
    ------
    SampleError
        If the sheet is missing or wrong; the text names the line and the mend.
    """
    sheet = config.sheet
    if not sheet.is_file():
        if config.survey.source == "files":
            raise SampleError(
                f"the sample sheet {sheet} of run '{config.run}' does not exist. For your own files write it by hand: "
                "samples/real-muse.tsv is an example, and docs/data.md explains the columns."
            )
        raise SampleError(
            f"the sample sheet {sheet} of run '{config.run}' does not exist. Either run\n"
            "  mangrove select --config YOUR.yaml     writes it from the survey's catalogue (drpall)\n"
            "  make demo                              runs the embedded simulated survey; needs no archive"
        )
    try:
        with sheet.open(encoding="utf-8-sig", newline=None) as f:
            galaxies = parse_sheet(f, str(sheet), files=config.survey.source == "files")
    except UnicodeDecodeError as error:
        raise SampleError(f"{sheet} is not UTF-8 text; save it as UTF-8, separated by tabs.") from error
    _check_release(galaxies, config)
    return _subset(galaxies, config)


def parse_sheet(lines: Iterable[str], name: str, files: bool = False) -> dict[str, Galaxy]:
    """Galaxies of the lines of a sheet, by plateifu.

    Parameters
    ----------
    lines : iterable of str
    name : str
        What errors call the sheet.
    files : bool
        Whether survey.source is files: galaxies may have other names than plateifus, and need a path.

    Raises
    ------
    SampleError
        If the sheet is wrong; the text names the line and the mend.
    """
    rows = enumerate((_fields(line, f"{name}, line {i}") for i, line in enumerate(lines, start=1)), start=1)
    header = [column.strip() for column in next(rows, (1, []))[1]]
    _check_header(header, name)
    galaxies: dict[str, Galaxy] = {}
    seen = _Seen(name)
    for number, row in rows:
        if not row or row[0].startswith("#"):
            continue
        where = f"{name}, line {number}"
        galaxy = _galaxy(header, row, where)
        check_galaxy(galaxy, where, any_name=files)
        _check_path(galaxy, where, files)
        seen.check(galaxy, number)
        galaxies[galaxy.plateifu] = galaxy
    if not galaxies:
        raise SampleError(f"{name} lists no galaxy; add a row, or write a new sheet with 'mangrove select'.")
    return galaxies


def rows_of(sheet, plateifu: Iterable[str], files: bool = False) -> list[Galaxy]:
    """The rows of a sheet for some galaxies, in their order.

    Parameters
    ----------
    sheet : path-like
    plateifu : iterable of str
    files : bool
        As for :func:`parse_sheet`.

    Raises
    ------
    SampleError
        If the sheet is wrong, or does not list one of them.
    """
    with Path(sheet).open(encoding="utf-8-sig") as f:
        listed = parse_sheet(f, str(sheet), files=files)
    wanted = list(plateifu)
    if absent := [name for name in wanted if name not in listed]:
        few = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise SampleError(f"{sheet} does not list {few}, of which this run has data; add their rows.")
    return [listed[name] for name in wanted]


def write_sheet(path: Path, galaxies: Iterable[Galaxy]) -> None:
    """Write a sample sheet; columns that no galaxy uses are left out, and the last line seals the others."""
    rows = [asdict(g) for g in galaxies]
    used = [c for c, f in _COLUMNS.items() if c in _REQUIRED or any(r[c] != f.default for r in rows)]
    with outputs.replacing(path) as part, part.open("w+", encoding="utf-8", newline="\n") as f:
        writer = csv.writer(f, delimiter="\t", lineterminator="\n")
        writer.writerow(used)
        writer.writerows([row[c] for c in used] for row in rows)
        f.seek(0)
        lines = f.read().splitlines()
        f.write(f"{_WRITTEN}{_hash(lines)}\n")


def is_as_written(path: Path) -> bool:
    """Whether a file is a sheet as :func:`write_sheet` left it, with no line changed by hand since."""
    try:
        *lines, last = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, ValueError):
        return False
    return last == f"{_WRITTEN}{_hash(lines)}"


def lists(path: Path, galaxies: Iterable[Galaxy]) -> bool:
    """Whether a sheet is there and lists just these galaxies, in this order."""
    try:
        with path.open(encoding="utf-8-sig") as f:
            return list(parse_sheet(f, str(path)).values()) == list(galaxies)
    except (OSError, UnicodeDecodeError, SampleError):
        return False


class _Seen:
    """The rows of a sheet so far, to find those that contradict or repeat each other."""

    def __init__(self, name: str):
        self._name = name
        self._rows: dict[str, int] = {}
        self._objects: dict[str, tuple[int, Galaxy]] = {}
        self._spectra: dict[tuple[str, int], int] = {}

    def check(self, galaxy: Galaxy, number: int) -> None:
        """Refuse a row that repeats another, or has its mangaid and lies elsewhere; take it up otherwise."""
        where, name = f"{self._name}, line {number}", galaxy.plateifu
        if self._rows.setdefault(name, number) != number:
            raise SampleError(f"{where}: {name} is listed twice; delete one of its rows.")
        first, other = self._objects.setdefault(galaxy.mangaid, (number, galaxy))
        distance = angular_distance(galaxy, other)
        if distance > SAME_OBJECT:
            raise SampleError(
                f"{where}: {name} has the same mangaid, {galaxy.mangaid}, as {other.plateifu} in line {first}, {distance / 60:.3g} "
                "arcmin away. Only repeat observations of one galaxy share a mangaid (they stay together when the galaxies "
                "are split): give each galaxy its own."
            )
        if galaxy.path and (line := self._spectra.setdefault((galaxy.path, galaxy.spectrum), number)) != number:
            raise SampleError(
                f"{where}: {name} has the same path (and spectrum) as line {line}, so the galaxy would count twice; correct "
                "it, or delete one of the rows."
            )


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _fields(line: str, where: str) -> list[str]:
    """The fields of a line, none of a comment; a field in quotes ends in its line, so that a stray one swallows no rows."""
    if line.startswith("#"):
        return []
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter="\t", strict=True), [])
    except csv.Error:
        raise SampleError(
            f'{where}: a field begins with a quote (") but does not end with one. Remove the quote, or write the field as '
            'a spreadsheet does: in quotes, with each quote inside it doubled ("").'
        ) from None


def _check_path(galaxy: Galaxy, where: str, needed: bool) -> None:
    if needed and not galaxy.path:
        raise SampleError(
            f"{where}: path of {galaxy.plateifu} is empty; survey.source files needs this column, a path below survey.base."
        )
    try:
        paths.address(galaxy.path)
    except ValueError as error:
        raise SampleError(f"{where}: path of {galaxy.plateifu}, {galaxy.path}: {error}.") from None


def _check_header(header: list[str], name: str) -> None:
    missing = [c for c in _REQUIRED if c not in header]
    unknown = [c for c in header if c not in _COLUMNS]
    twice = [c for c in _COLUMNS if header.count(c) > 1]
    if len(header) == 1:
        raise SampleError(f"{name}, line 1: the header has no tab; save the sheet as tab-separated text.")
    if missing or unknown or twice:
        raise SampleError(
            f"{name}, line 1: "
            + (f"missing column(s) {', '.join(missing)}. " if missing else "")
            + (f"Unknown column(s) {', '.join(map(repr, unknown))}. " if unknown else "")
            + (f"Duplicate column(s) {', '.join(twice)}. " if twice else "")
            + f"The columns, separated by tabs, are: {', '.join(_COLUMNS)}; the first six are required, and each may appear only once."
        )


def _galaxy(header: list[str], row: list[str], where: str) -> Galaxy:
    if len(row) != len(header):
        raise SampleError(
            f"{where}: {len(row)} fields, but the header has {len(header)}; separate fields by single tabs."
        )
    values = {}
    for column, text in zip(header, row, strict=True):
        kind = _COLUMNS[column].type
        try:
            given = text.strip() or kind is str or column in _REQUIRED
            if kind is not str and ("_" in text or not text.isascii()):
                raise ValueError  # Python would take 0.0_3 and digits of other scripts.
            values[column] = kind(text.strip()) if given else _COLUMNS[column].default
        except ValueError:
            raise SampleError(
                f"{where}: {column} is '{text}', not {'a whole number' if kind is int else 'a number'}"
                f" (missing: {_COLUMNS[column].default if column not in _REQUIRED else MISSING})."
            ) from None
    return Galaxy(**values)


def _check_release(galaxies: dict[str, Galaxy], config: Config) -> None:
    drpver = release(config.survey.release).drpver
    other = next((g for g in galaxies.values() if g.drpver not in ("", drpver)), None)
    if other:
        raise SampleError(
            f"{config.sheet}: {other.plateifu} has drpver {other.drpver}, but survey.release is {config.survey.release} "
            f"({drpver}). Write a new sheet with 'mangrove select', or correct survey.release."
        )


def _subset(galaxies: dict[str, Galaxy], config: Config) -> dict[str, Galaxy]:
    wanted = config.sample.plateifus
    absent = [p for p in wanted if p not in galaxies]
    if absent:
        raise SampleError(
            f"sample.plateifus names {', '.join(absent)}, which {config.sheet} does not list; correct it, or add a row."
        )
    chosen = {p: galaxies[p] for p in wanted} if wanted else galaxies
    return dict(list(chosen.items())[: config.sample.limit])
