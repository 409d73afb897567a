"""Where the nodes of a self-organising map lie: they are (column, row) from 1, row 1 at the bottom."""

from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact


class NodePlaces(NamedTuple):
    """The grid of a map: numbers of rows and columns, and the row and column of each node from 0, shape (n_node,)."""

    rows: int
    columns: int
    row: np.ndarray
    column: np.ndarray

    def name(self, node: int) -> str:
        """A node as figures and tables name it: (column, row) from 1."""
        return f"({self.column[node] + 1}, {self.row[node] + 1})"

    def steps(self, node: int) -> np.ndarray:
        """Grid distance (Manhattan) of every node from one, shape (n_node,)."""
        return abs(self.row - self.row[node]) + abs(self.column - self.column[node])

    def laid_out(self, values) -> np.ndarray:
        """Values of the nodes, shape (n_node,), by row and column, shape (rows, columns)."""
        grid = np.full((self.rows, self.columns), np.nan)
        grid[self.row, self.column] = values
        return grid


def places_of(artefact: Artefact) -> NodePlaces:
    """The grid of an artefact that has a map's nodes."""
    attrs = artefact.attrs
    return NodePlaces(attrs["rows"], attrs["columns"], artefact["node_row"], artefact["node_column"])
