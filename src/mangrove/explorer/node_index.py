"""What lies on the nodes of a map: rows of its assignments by node, and the grid itself."""

from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.explorer.explored_run import ExploredRun
from mangrove.report.node_places import NodePlaces


class NodeRows(NamedTuple):
    """Rows of a table of assignments in the order of their nodes.

    Attributes
    ----------
    order : ndarray of int, shape (n_placed,)
        Rows that have a node, by node, those of one node ascending.
    start : ndarray of int, shape (n_node + 1,)
        Where the rows of each node begin in ``order``.
    """

    order: np.ndarray
    start: np.ndarray

    def of(self, node: int) -> np.ndarray:
        """Rows of a node, ascending, shape (n,)."""
        return self.order[self.start[node] : self.start[node + 1]]

    def of_all(self, nodes) -> np.ndarray:
        """Rows of several nodes, ascending, shape (n,)."""
        return np.sort(np.concatenate([np.empty(0, int), *map(self.of, nodes)]))

    @property
    def count(self) -> np.ndarray:
        """Rows of each node, shape (n_node,)."""
        return np.diff(self.start)


def rows_by_node(node: np.ndarray, n_node: int) -> NodeRows:
    """The index of assignments, shape (n,); -1 is no node."""
    order = np.argsort(node, kind="stable")
    start = np.searchsorted(node[order], np.arange(n_node + 1))
    return NodeRows(order[start[0] : start[-1]], start - start[0])


def node_rows(run: ExploredRun, kind: str) -> NodeRows:
    """The index of a run's assignments, 'desom_assignments' or 'galaxy_map_assignments', made once.

    Raises
    ------
    ArtefactError
        If the run has no such artefact.
    """
    attrs = run.attrs(kind)
    n_node = attrs["rows"] * attrs["columns"]
    return run.kept(("node_rows", kind), lambda: rows_by_node(run.column(kind, "node"), n_node))


def nodes_of(run: ExploredRun, kind: str) -> Artefact:
    """An artefact that has a row for every node, whole: a map or the labels on it, some megabytes.

    Raises
    ------
    ArtefactError
        If the run has no such artefact.
    """
    return run.kept(("nodes", kind), lambda: artefacts.read(run.path(kind), kind))


def grid_of(run: ExploredRun, kind: str) -> NodePlaces:
    """The grid of an artefact that has a map's nodes: 'desom_map', 'galaxy_map', 'fingerprints'."""
    attrs = run.attrs(kind)
    return NodePlaces(attrs["rows"], attrs["columns"], run.column(kind, "node_row"), run.column(kind, "node_column"))


def node_at(places: NodePlaces, column: float, row: float) -> int | None:
    """The node at a place of a figure, whose cells are centred on (column, row) from 1; None beside the map."""
    across, up = round(column) - 1, round(row) - 1
    if not (0 <= across < places.columns and 0 <= up < places.rows):
        return None
    return int(np.flatnonzero((places.column == across) & (places.row == up))[0])
