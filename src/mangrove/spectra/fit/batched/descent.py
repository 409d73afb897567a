"""The minimum of chi2 next to a place, for a batch.

Gauss-Newton with variable projection (Golub & Pereyra 2003, Inverse Problems 19, R1): a step solves the problem linearised in all
unknowns (:func:`mangrove.spectra.fit.batched.problem.step_from`), the weights are solved again at its end, and it is shortened
while chi2 does not fall. Each spectrum goes on until the linear model promises no more, whatever its companions do.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mangrove.spectra.fit.batched.batch import BatchLayout, Solutions
from mangrove.spectra.fit.batched.problem import (
    Problem,
    chosen,
    columns_at,
    n_kinematic,
    solutions_of,
    step_from,
    weighed,
)

#: A spectrum has converged when a step promises to lower chi2 by no more than this; in single precision, which tells chi2
#: no better.
_TOLERANCE, _TOLERANCE_IN_SINGLE = 1e-3, 0.03
#: No step that is shortened so often is tried; what it promises may be no more than this, or the fit has not converged.
_LEAST_PART, _LEFT = 2e-4, 0.1
#: Steps are shortened to this part of themselves, and grow again by this factor.
_SHORTER, _LONGER = 0.3, 4.0
#: No step is made longer than so many of those that the linear model gives.
_LONGEST = 4.0
_MOST_STEPS = 60


class Descent(NamedTuple):
    """Spectra on their way, arrays over them.

    Attributes
    ----------
    place, x, chi2
        The best so far.
    step, gain
        From there, and what it promises (:class:`mangrove.spectra.fit.batched.problem.Step`).
    passive : array of bool, shape (n, n_star + n_gas + n_bounded)
        Unknowns that are positive at its end.
    part : array, shape (n,)
        Of the step that is tried next.
    going : array of bool, shape (n,)
    count : array of int, shape (n,)
        Places seen.
    """

    place: jax.Array
    x: jax.Array
    chi2: jax.Array
    step: jax.Array
    gain: jax.Array
    passive: jax.Array
    part: jax.Array
    going: jax.Array
    count: jax.Array


def descend(layout: BatchLayout, problem: Problem, place, tolerance: float) -> Solutions:
    """The minimum next to a place within the limits, shape (n, n_place).

    Parameters
    ----------
    tolerance : float
        It is reached when a step promises to lower chi2 by no more.
    """

    def is_going(state: Descent):
        return jnp.any(state.going)

    state = begun(layout, problem, place)
    return ended(
        layout, problem, jax.lax.while_loop(is_going, partial(advanced, layout, problem, tolerance=tolerance), state)
    )


def begun(layout: BatchLayout, problem: Problem, place) -> Descent:
    """A descent before its first step, which leads nowhere: it is taken to see what the place has."""
    n, n_weights = len(place), problem.galaxies.transform.shape[1] + len(layout.gas_line)
    passive = jnp.zeros((n, n_weights), bool), jnp.ones((n, n_kinematic(layout) + 1), bool)
    unknown = jnp.full_like(place[:, 0], jnp.inf)
    return Descent(
        place=jnp.clip(place, problem.low, problem.high),
        x=jnp.zeros((n, n_weights), place.dtype),
        chi2=unknown,
        step=jnp.zeros_like(place),
        gain=unknown,
        passive=jnp.concatenate(passive, axis=1),
        part=jnp.ones_like(unknown),
        going=jnp.ones(n, bool),
        count=jnp.zeros(n, jnp.int32),
    )


def advanced(layout: BatchLayout, problem: Problem, state: Descent, tolerance: float | None = None) -> Descent:
    """A descent one step later; what has ended stays as it is.

    Parameters
    ----------
    tolerance : float, optional
        As in :func:`descend`; that of a solution if not given.
    """
    n_weights = state.x.shape[1]
    place = jnp.clip(state.place + state.part[:, None] * state.step, problem.low, problem.high)
    best = weighed(layout, problem, place, columns_at(layout, problem, place), state.passive[:, :n_weights], state.x)
    step = step_from(layout, problem, place, best, state.passive[:, n_weights:])
    lower = (best.chi2 < state.chi2) & jnp.all(jnp.isfinite(step.change), axis=1)
    part = jnp.where(lower, _next_part(state, best.chi2), state.part * _SHORTER)
    there = Descent(place, best.x, best.chi2, step.change, step.gain, step.passive, part, state.going, state.count + 1)
    moved = chosen(lower, there, state._replace(part=part, count=state.count + 1))
    # What has no chi2 where it starts has none anywhere.
    if tolerance is None:
        tolerance = _TOLERANCE if place.dtype == float else _TOLERANCE_IN_SINGLE
    going = (moved.gain > tolerance) & (part > _LEAST_PART) & jnp.isfinite(moved.chi2) & (moved.count < _MOST_STEPS)
    return chosen(state.going, moved._replace(going=going), state)


def _next_part(state: Descent, chi2) -> jax.Array:
    """Part of the next step, after one that led to a lower chi2.

    Steps of Gauss-Newton are too short where residuals bend the model, as along what age and dust have in common. A whole step
    that gained more than it promised tells by how much: the next one is longer, and then there is a whole one again.
    """
    bend = jnp.maximum(2.0 - (state.chi2 - chi2) / state.gain, 1.0 / _LONGEST)
    longer = jnp.where(jnp.isfinite(bend), jnp.maximum(1.0 / bend, 1.0), 1.0)
    return jnp.where(state.part == 1.0, longer, jnp.minimum(1.0, state.part * _LONGER))


def ended(layout: BatchLayout, problem: Problem, state: Descent) -> Solutions:
    """The solutions to which a descent has come."""
    chi2 = jnp.where(jnp.isfinite(state.chi2), state.chi2, jnp.nan)
    return solutions_of(layout, problem, state.place, state.x, chi2, state.gain <= _LEFT)
