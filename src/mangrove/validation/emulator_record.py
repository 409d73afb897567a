"""The judgement of the emulator as an artefact, and back."""

from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.validation.emulator_quality import (
    N_DECILE,
    N_QUARTILE,
    Evaluation,
    QualityRow,
    bias_by_decile,
)

_PER_ROW = ("measured", "predicted", "intrinsic_median", "predictive_draw", "pit")
_PER_LINE = tuple(name for name in QualityRow._fields if name != "line")


class Record(NamedTuple):
    """What the artefact 'emulator_quality' holds.

    Attributes
    ----------
    result : Evaluation
    rows : list of QualityRow
        One per line; none where nothing was trained.
    table_row : ndarray of int, shape (n_test,)
        Rows of the run's table.
    reason : str
        Why nothing was trained; empty where something was.
    """

    result: Evaluation
    rows: list[QualityRow]
    table_row: np.ndarray
    reason: str


def datasets(result: Evaluation, rows: list[QualityRow], identifier, table_row) -> dict[str, np.ndarray]:
    """Datasets of the artefact 'emulator_quality'."""
    decile_predicted, decile_bias = bias_by_decile(result)
    data = {name: getattr(result, name) for name in (*_PER_ROW, "luminosity")}
    data |= {name: np.array([getattr(row, name) for row in rows]) for name in _PER_LINE}
    return data | {
        "line": np.array(result.lines),
        "identifier": identifier,
        "row": table_row,
        "decile_predicted": decile_predicted,
        "decile_bias": decile_bias,
    }


def empty_datasets() -> dict[str, np.ndarray]:
    """The same without any row or line."""
    data = {name: np.empty((0, 0), np.float32) for name in _PER_ROW}
    data |= {name: np.empty((0,)) for name in (*_PER_LINE, "luminosity", "row")}
    data |= {name: np.empty((0, N_QUARTILE)) for name in ("bias", "bias_error")}
    data |= {name: np.empty((0, N_DECILE)) for name in ("decile_predicted", "decile_bias")}
    return data | {name: np.empty((0,), "U1") for name in ("line", "identifier")}


def read(path) -> Record:
    """Read the artefact 'emulator_quality'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    found = artefacts.read(path, "emulator_quality")
    lines = tuple(found["line"].tolist())
    result = Evaluation(lines, *(found[name] for name in (*_PER_ROW, "luminosity")))
    rows = [QualityRow(line, *(_plain(found[name][i]) for name in _PER_LINE)) for i, line in enumerate(lines)]
    return Record(result, rows, found["row"], str(found.attrs["reason"]))


def _plain(value):
    """A number, or a tuple of numbers, of plain Python."""
    return tuple(value.tolist()) if np.ndim(value) else value.item()
