"""The steps of a fit for a batch: solved, further components of the gas, outliers left out, measured."""

import jax
import numpy as np

from mangrove.physics.lines import LineList
from mangrove.spectra.fit.batched.arrays import lines_of, with_gas
from mangrove.spectra.fit.batched.batch import Batch, Solutions
from mangrove.spectra.fit.batched.clipping import outliers
from mangrove.spectra.fit.batched.components import choose_components
from mangrove.spectra.fit.batched.measure import measurements
from mangrove.spectra.fit.batched.pieces import Piece
from mangrove.spectra.fit.batched.solve import Start, solve
from mangrove.spectra.fit.batched.solved import Solved, together
from mangrove.spectra.fit.component_names import MAIN
from mangrove.spectra.fit.component_trials import further_components
from mangrove.spectra.fit.settings import FitSettings


def columns_of(piece: Piece, lines: LineList, settings: FitSettings) -> dict[str, np.ndarray]:
    """The fields of :class:`mangrove.spectra.fit.results.FitResult` for the spectra of a batch, shape (n, ...) each.

    Parameters
    ----------
    piece : Piece
        With one component of the gas.
    settings : FitSettings
        Of its galaxies.

    Returns
    -------
    dict
        And 'finite': whether the solution is.
    """
    one = Solved(np.arange(len(piece)), piece, piece.run(solve), np.zeros(len(piece)))
    models = choose_components(one, lines, settings)
    # All models are measured by one program: what a spectrum does not have is there without light.
    layout = with_gas(piece.layout, lines, (MAIN, *further_components(settings)))
    whole = piece.with_gas(layout, lines_of(layout, lines))
    solutions, bic_gain = together(models, layout)
    n_clipped = np.zeros(len(piece), np.int32)
    if settings.clip_sigma > 0:
        beyond = whole.run(outliers, solutions)
        n_clipped = beyond.sum(axis=1, dtype=np.int32)
        good = piece.spectra.good & ~beyond
    if n_clipped.any():
        models = [part for model in models for part in _solved_again(model, n_clipped[model.rows] > 0, good)]
        solutions, _ = together(models, layout)
        whole = whole.masked(good)
    columns = whole.run(_measured, solutions, n_draw=settings.n_draw)
    return columns | {
        "n_clipped": n_clipped,
        "gas_bic_gain": bic_gain,
        "finite": _is_finite(solutions),
    }


def _measured(batch: Batch, solutions: Solutions, n_draw: int) -> dict[str, jax.Array]:
    return measurements(*batch, solutions, n_draw)


def _solved_again(model: Solved, again, good) -> list[Solved]:
    """The same spectra, of which some are solved again from their solution with other good pixels.

    Parameters
    ----------
    again : ndarray of bool, shape (n,)
    good : ndarray of bool, shape (n_batch, n_wave)
        Of the whole batch.
    """
    parts = model.where(~again)
    for part in model.where(again):
        start = Start(part.solutions.kinematics, part.solutions.theta)
        again_solved = part.piece.masked(good[part.rows]).run(solve, start)
        # From a start, no other minimum is sought.
        again_solved = again_solved._replace(v_gas_other=part.solutions.v_gas_other)
        parts.append(part._replace(solutions=again_solved))
    return parts


def _is_finite(solutions: Solutions) -> np.ndarray:
    s = solutions
    values = (v.reshape(len(v), -1) for v in (s.kinematics, s.theta, s.weights, s.gas, s.chi2))
    return np.all([np.isfinite(v).all(axis=1) for v in values], axis=0)
