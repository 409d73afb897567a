"""Where a baxel of a galaxy lies on the map of spectra."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_index import NodeRows, rows_by_node

_KIND = "desom_assignments"


class PlacedBaxel(NamedTuple):
    """Node of a baxel, from 0 as artefacts count, and its place for people; its typicality, 1 as typical as any."""

    node: int
    column: int
    row: int
    typicality: float


def placed_baxel(run: ExploredRun, plateifu: str, baxel: int) -> PlacedBaxel | None:
    """The place of a baxel; None where the run has no map of spectra, or the baxel no node."""
    rows = _rows_of(run, plateifu)
    if not rows.size:
        return None
    own = rows[run.column(_KIND, "baxel")[rows] == baxel]
    node = int(run.column(_KIND, "node")[own[0]]) if own.size else -1
    if node < 0:
        return None
    row, column = divmod(node, run.attrs(_KIND)["columns"])
    return PlacedBaxel(node, column + 1, row + 1, float(run.column(_KIND, "typicality")[own[0]]))


def baxels_on(run: ExploredRun, plateifu: str, nodes: Sequence[int]) -> list[int]:
    """The baxels of a galaxy that lie on some nodes, ascending; empty where the run has no map of spectra."""
    rows = _rows_of(run, plateifu)
    if not rows.size:
        return []
    return sorted(run.column(_KIND, "baxel")[rows[np.isin(run.column(_KIND, "node")[rows], nodes)]].tolist())


def _rows_of(run: ExploredRun, plateifu: str) -> np.ndarray:
    """Rows of the assignments that are a galaxy's."""
    if not run.has(_KIND):
        return np.zeros(0, int)
    galaxy = np.flatnonzero(run.column(_KIND, "plateifu") == plateifu)
    return _rows_by_galaxy(run).of(int(galaxy[0])) if galaxy.size else np.zeros(0, int)


def _rows_by_galaxy(run: ExploredRun) -> NodeRows:
    """Rows of the assignments by galaxy, made once: they lie in the order of the training."""
    n = run.column(_KIND, "plateifu").size
    return run.kept(("rows_by_galaxy", _KIND), lambda: rows_by_node(run.column(_KIND, "galaxy"), n))
