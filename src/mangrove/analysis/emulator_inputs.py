"""The inputs of the emulator (colours, luminosity) of a run's test rows on a map in which neighbours are alike."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.analysis import embedding
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


def embed_inputs(stored: StoredTable, use_luminosity: bool, seed: int) -> InputMap:
    """The map of the test rows of a table; of all usable rows where the test rows are too few."""
    rows = stored.parts.test
    if len(rows) < embedding.LEAST_ROWS:
        rows = np.sort(np.concatenate(stored.parts))
    if len(rows) < embedding.LEAST_ROWS:
        reason = f"{len(rows)} rows are too few for a UMAP"
        return InputMap(row=np.empty(0, int), place=np.empty((0, 2), np.float32), reason=reason)
    chosen, place = embedding.umap_coordinates(stored.table.take(rows).features(use_luminosity), seed)
    return InputMap(row=rows[chosen], place=place, reason="")


def write_map(path, found: InputMap, stored: StoredTable, params: Mapping[str, Any], inputs: list) -> None:
    """Write the artefact 'emulator_embedding'."""
    data = {
        "row": found.row,
        "place": found.place,
        "identifier": stored.table.identifier[found.row],
        "split": stored.parts.sides(len(stored.table.identifier))[found.row],
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
