"""The map of the emulator's inputs as an artefact: read and drawn without what makes it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.models.emulator.line_table import StoredTable


class InputMap(NamedTuple):
    """Where rows of a run's table lie on the map.

    Attributes
    ----------
    row : ndarray of int, shape (n,)
        Rows of the table, in random order.
    place : ndarray of float32, shape (n, 2)
    reason : str
        Why there is no map; empty where there is one.
    """

    row: np.ndarray
    place: np.ndarray
    reason: str


def write_map(path, found: InputMap, stored: StoredTable, params: Mapping[str, Any], inputs: list) -> None:
    """Write the artefact 'emulator_embedding'."""
    data = {
        "row": found.row,
        "place": found.place,
        "identifier": stored.table.identifier[found.row],
        "split": stored.split.of_rows(len(stored.table.identifier))[found.row],
    }
    attrs = {"status": "empty" if found.reason else "ok", "reason": found.reason}
    artefacts.write(path, "emulator_embedding", data, artefacts.provenance(path, params, inputs), attrs)


def read_map(path) -> InputMap:
    """Read the artefact 'emulator_embedding'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    found = artefacts.read(path, "emulator_embedding")
    return InputMap(row=found["row"], place=found["place"], reason=str(found.attrs["reason"]))
