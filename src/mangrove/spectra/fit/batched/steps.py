"""The steps of a fit for a batch: solved, further components of the gas, outliers left out, measured."""

import jax
import numpy as np

from mangrove.physics.lines import LineList
from mangrove.spectra.fit.batched.clipping import outliers
from mangrove.spectra.fit.batched.components import choose_components
from mangrove.spectra.fit.batched.measure import measured
from mangrove.spectra.fit.batched.pieces import Piece
from mangrove.spectra.fit.batched.solve import Start, solve
from mangrove.spectra.fit.batched.solved import Solved


def columns_of(piece: Piece, lines: LineList) -> dict[str, np.ndarray]:
    """The fields of :class:`mangrove.spectra.fit.results.FitResult` for the spectra of a batch, shape (n, ...) each.

    Parameters
    ----------
    piece : Piece
        With one component of the gas.

    Returns
    -------
    dict
        And 'finite': whether the solution is.
    """
    one = Solved(np.arange(len(piece)), piece, piece.run(solve), np.zeros(len(piece)))
    columns: dict[str, np.ndarray] = {}
    for part in choose_components(one, lines):
        part, n_clipped = _without_outliers(part)
        found = part.piece.run(measured, part.solutions, n_clipped, part.bic_gain)
        for name, values in (found | {"finite": _is_finite(part)}).items():
            columns.setdefault(name, np.empty((len(piece), *values.shape[1:]), values.dtype))[part.rows] = values
    return columns


def _without_outliers(part: Solved) -> tuple[Solved, np.ndarray]:
    """The same spectra, of which those with outliers are solved again without them, and how many pixels those are."""
    piece, solutions = part.piece, part.solutions
    if piece.layout.settings.clip_sigma == 0:
        return part, np.zeros(len(piece), np.int32)
    beyond = piece.run(outliers, solutions)
    n_clipped = beyond.sum(axis=1, dtype=np.int32)
    if n_clipped.any():
        piece = piece.masked(piece.spectra.good & ~beyond)
        solutions = jax.tree.map(np.copy, solutions)
        for rows, smaller in piece.parts(np.flatnonzero(n_clipped)):
            start = Start(solutions.kinematics[rows], solutions.theta[rows])
            for values, found in zip(solutions, smaller.run(solve, start), strict=True):
                values[rows] = found
    return part._replace(piece=piece, solutions=solutions), n_clipped


def _is_finite(part: Solved) -> np.ndarray:
    s = part.solutions
    values = (v.reshape(len(part.rows), -1) for v in (s.kinematics, s.theta, s.weights, s.gas, s.chi2))
    return np.all([np.isfinite(v).all(axis=1) for v in values], axis=0)
