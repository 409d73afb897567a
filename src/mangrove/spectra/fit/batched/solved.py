"""Solutions of spectra of a batch that have the same components of the gas."""

from typing import NamedTuple

import numpy as np

from mangrove.spectra.fit.batched.batch import Solutions
from mangrove.spectra.fit.batched.pieces import Piece


class Solved(NamedTuple):
    """Some spectra of a batch with their solutions, on the host.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Which of the batch they are.
    piece : Piece
        A batch of these alone.
    solutions : Solutions
    bic_gain : ndarray, shape (n,)
        Of their components over a single one.
    """

    rows: np.ndarray
    piece: Piece
    solutions: Solutions
    bic_gain: np.ndarray

    def where(self, use) -> list["Solved"]:
        """Those of them where a condition, shape (n,), holds, in batches of their own."""
        return [
            Solved(self.rows[own], piece, Solutions(*(values[own] for values in self.solutions)), self.bic_gain[own])
            for own, piece in self.piece.parts(np.flatnonzero(use))
        ]
