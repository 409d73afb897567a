"""The first page of the report as a piece of HTML: pictures, numbers, galaxies by status, failures, times."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from mangrove.artefacts import Artefact
from mangrove.report.overview import NumberRow
from mangrove.report.wording import counted

#: Datasets of the artefact 'labels' that tell what became of the galaxies.
OUTCOME_DATASETS = ["plateifu", "galaxy_status", "galaxy_reason"]
#: Names of galaxies in a row, and rows of a table, at most.
_NAMES, _ROWS = 5, 20
_MARKS = (
    "Dashed ellipse: effective radius. Disc: width (FWHM) of the point-spread function. "
    "Velocities are relative to the median of the stars."
)


class OutcomeRow(NamedTuple):
    """Galaxies that have a status, and its reason, in common."""

    status: str
    reason: str
    galaxies: int
    names: str


class FirstPage(NamedTuple):
    """What the first page tells: numbers, galaxies by status (None without any), failures (see
    :class:`mangrove.report.run.FailureRow`) and times.
    """

    numbers: Sequence[NumberRow]
    outcomes: Sequence[OutcomeRow] | None
    failures: pd.DataFrame
    times: Sequence[NumberRow]


def outcome_rows(table: Artefact) -> list[OutcomeRow]:
    """Galaxies by status and reason: those that are ok first, then the most frequent.

    Parameters
    ----------
    table : Artefact
        'labels', with :data:`OUTCOME_DATASETS`.
    """
    names = np.array(table["plateifu"])
    kinds = np.stack([table["galaxy_status"], table["galaxy_reason"]], axis=1)
    found, kind = np.unique(kinds, axis=0, return_inverse=True)
    rows = [
        OutcomeRow(status.replace("_", " "), reason, int(np.sum(mine)), _some(names[mine]))
        for k, (status, reason) in enumerate(found.tolist())
        for mine in [kind.ravel() == k]
    ]
    return sorted(rows, key=lambda row: (row.status != "ok", -row.galaxies))


def page(picture: Path, told: FirstPage) -> str:
    """The picture (PNG) and what is told as a piece of HTML that needs no other file."""
    data = base64.b64encode(picture.read_bytes()).decode("ascii")
    parts = [
        f"<p>{escape(_in_short(told))}</p>",
        f'<img alt="some galaxies of the run" src="data:image/png;base64,{data}">',
        f"<p><em>{_MARKS}</em></p>",
        f"<h3>The run in numbers</h3>\n{_table(told.numbers, {'what': '', 'of_which': 'of which'})}"
        if told.numbers
        else "",
        f"<h3>Galaxies by status</h3>\n{_table(told.outcomes)}" if told.outcomes else "",
        f"<h3>Failures in the logs</h3>\n{_failures(told.failures)}",
        f"<h3>Time of each step</h3>\n{_times(told.times)}",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _in_short(told: FirstPage) -> str:
    """The page in one sentence."""
    galaxies = [
        f"{counted(sum(row.galaxies for row in told.outcomes), 'galaxy', 'galaxies')}, "
        f"{sum(row.galaxies for row in told.outcomes if row.status == 'ok'):,} of them ok"
    ] if told.outcomes else []  # fmt: skip
    failed = int(told.failures["count"].sum())
    words = f"{counted(failed, 'failure')} in the logs" if failed else "no failures in the logs"
    text = "; ".join([*galaxies, words, f"{told.times[0].number} of computing in {told.times[0].of_which}"])
    return f"{text[0].upper()}{text[1:]}."


def _failures(failures: pd.DataFrame) -> str:
    """The failures as a table, or in words that there are none."""
    return _table(failures) if len(failures) else "<p>None: no log of this run holds a failure.</p>"


def _times(times: Sequence[NumberRow]) -> str:
    rows = [row._replace(what=row.what.removeprefix("time of ")) for row in times]
    return _table(rows, {"what": "step", "number": "time", "of_which": "jobs"}, most=None)


def _table(rows, names: dict[str, str] | None = None, most: int | None = _ROWS) -> str:
    """Rows as a table of HTML with other names of its columns, and how many rows are left out."""
    table = pd.DataFrame(rows).fillna("").rename(columns=names or {})
    shown = table.head(len(table) if most is None else most)
    # Without this, pandas cuts words that are longer than a column of a terminal.
    with pd.option_context("display.max_colwidth", None):
        text = shown.to_html(index=False, border=0, justify="left")
    left = len(table) - len(shown)
    return f"{text}\n<p>and {counted(left, 'row')} more</p>" if left else text


def _some(names: np.ndarray) -> str:
    """A few names, and how many there are besides."""
    return ", ".join(names[:_NAMES].tolist()) + (f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else "")
