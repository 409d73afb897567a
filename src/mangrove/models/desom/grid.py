"""The grid of nodes of a self-organising map."""

from typing import NamedTuple

import numpy as np

#: Distances on the grid: the Manhattan one, and that of the published code, which is wrong (see :class:`SomGrid`).
MANHATTAN, PUBLISHED = "manhattan", "published"


class SomGrid(NamedTuple):
    """The grid of nodes; node k stands at row k // columns and column k % columns, from 0.

    Attributes
    ----------
    rows, columns : int
    distance : {"manhattan", "published"}
        Distance between nodes: the number of rows plus the number of columns between them; or the formula of the code
        of DESOM (Forest et al. 2019), which takes ``abs(a - b) // columns`` of nodes a and b for the number of rows: on
        15 x 15 it is 1 too small for 43.6 % of the pairs.
    """

    rows: int = 15
    columns: int = 15
    distance: str = MANHATTAN

    @property
    def n_node(self) -> int:
        """Number of nodes."""
        return self.rows * self.columns

    def positions(self) -> np.ndarray:
        """Row and column of each node, from 0, shape (n_node, 2), int."""
        return np.stack(np.divmod(np.arange(self.n_node), self.columns), axis=-1)

    def distances(self) -> np.ndarray:
        """Distance between every two nodes on the grid, shape (n_node, n_node), float32."""
        row, column = np.moveaxis(np.abs(self.positions()[:, None] - self.positions()), -1, 0)
        if self.distance == PUBLISHED:
            node = np.arange(self.n_node)
            row = np.abs(node[:, None] - node) // self.columns
        return (row + column).astype(np.float32)
