"""Tables in text files: one row a line, every column named once."""

import csv
from collections.abc import Iterator
from pathlib import Path

from astropy.table import Table

from mangrove.errors import CatalogueError
from mangrove.files.bounded_headers import demand_bounded_units

_ECSV = "# %ECSV"
_ECSV_DELIMITER = "# delimiter:"


def read(path: str | Path) -> Table | None:
    """The table of a CSV or ECSV file, with or without a byte order mark; None for files of other kinds.

    Raises
    ------
    CatalogueError
        If a field in quotes does not end in its line, as it would swallow the rows that follow, or a column appears twice.
    ValueError
        If the file is wrong otherwise, in astropy's words.
    """
    kind = _kind(Path(path))
    if kind is None:
        return None
    lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    rows = _rows(lines, kind, path)
    header = [name.strip() for name in next(rows, [])]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise CatalogueError(f"{path} has the column {', '.join(twice)} twice; delete or rename one of them.")
    for _ in rows:
        pass
    demand_bounded_units("\n".join(line for line in lines if line.startswith("#")))
    return Table.read(lines, format=f"ascii.{kind}")


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        if file.read(20).removeprefix(b"\xef\xbb\xbf").startswith(_ECSV.encode()):
            return "ecsv"
    return {".csv": "csv", ".ecsv": "ecsv"}.get(path.suffix.lower())


def _rows(lines: list[str], kind: str, path) -> Iterator[list[str]]:
    """The fields of every line that is not empty and no comment of ECSV."""
    delimiter = "," if kind == "csv" else _ecsv_delimiter(lines)
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (kind == "ecsv" and line.startswith("#")):
            continue
        try:
            yield next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
        except csv.Error:
            raise CatalogueError(
                f'{path}, line {number}: a field begins with a quote (") but does not end with one on the same line. Remove '
                'the quote, or write the field in quotes, with each quote inside it doubled ("").'
            ) from None


def _ecsv_delimiter(lines: list[str]) -> str:
    given = next((line for line in lines if line.startswith(_ECSV_DELIMITER)), "")
    return "," if "," in given else " "
