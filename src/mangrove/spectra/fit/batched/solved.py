"""Solutions of spectra of a batch that have the same components of the gas."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.spectra.fit.batched.batch import BatchLayout, Solutions
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
        """Those of them for which a condition, shape (n,), holds, in batches of their own."""
        return [
            Solved(self.rows[own], piece, Solutions(*(values[own] for values in self.solutions)), self.bic_gain[own])
            for own, piece in self.piece.parts(np.flatnonzero(use))
        ]


def together(parts: Sequence[Solved], layout: BatchLayout) -> tuple[Solutions, np.ndarray]:
    """The solutions of all spectra of a batch in one layout, and the gains of their components.

    A component that a spectrum does not have has no light, and moves with the first.

    Parameters
    ----------
    parts : sequence of Solved
        Each spectrum once.
    layout : BatchLayout
        With all components of each.
    """
    order = np.argsort(np.concatenate([part.rows for part in parts]))
    each = [_in_layout(part, layout) for part in parts]
    solutions = Solutions(*(np.concatenate(values)[order] for values in zip(*each, strict=True)))
    return solutions, np.concatenate([part.bic_gain for part in parts])[order]


def _in_layout(part: Solved, layout: BatchLayout) -> Solutions:
    own, s = part.piece.layout, part.solutions
    known = dict(zip(own.components, range(1, 1 + len(own.components)), strict=True))
    kinematics = s.kinematics[:, [0, *(known.get(component, 1) for component in layout.components)]]
    columns = list(zip(layout.gas_component, layout.gas_line, strict=True))
    gas = np.zeros((len(part.rows), len(columns)))
    gas[:, [columns.index(column) for column in zip(own.gas_component, own.gas_line, strict=True)]] = s.gas
    return s._replace(kinematics=kinematics, gas=gas)
