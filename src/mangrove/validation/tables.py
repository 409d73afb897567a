"""Tables (CSV) of rows, and what a log says of rows that break their limits."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import pandas as pd

from mangrove.whole_files import whole_file

log = logging.getLogger(__name__)

_Row = TypeVar("_Row")


def write_rows(path, rows: Sequence, empty: Sequence[str], float_format: str = "%.4g") -> None:
    """Write rows (named tuples or mappings) as a table.

    Parameters
    ----------
    path : path-like
    rows : sequence
    empty : sequence of str
        Columns of the table where there is no row: the fields of one, or a single column that says why.
    float_format : str
    """
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(empty))
    with whole_file(path) as part:
        frame.to_csv(part, index=False, float_format=float_format)


def log_beyond_limits(rows: Sequence[_Row], name: Callable[[_Row], str]) -> None:
    """Name in the log the rows that break their limits (``holds`` is "no", or "equal" or "worse" of a comparison)."""
    failed = [name(row) for row in rows if row.holds in ("no", "equal", "worse")]
    log.info("beyond the limits: %s", ", ".join(failed) or "nothing")
