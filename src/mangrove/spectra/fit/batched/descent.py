"""The minimum of chi2 next to a place, for a batch.

Gauss-Newton with variable projection (Golub & Pereyra 2003, Inverse Problems 19, R1): a step solves the problem linearised in all
unknowns (:func:`mangrove.spectra.fit.batched.problem.step_from`), the weights are solved again at its end, and it is shortened
while chi2 does not fall. Each spectrum goes on until the linear model promises no more, whatever its companions do.
"""

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

#: A spectrum has converged when a step promises to lower chi2 by no more than this.
_TOLERANCE = 1e-3
#: No step that is shortened so often is tried; what it promises may be no more than this, or the fit has not converged.
_LEAST_PART, _LEFT = 2e-4, 0.1
#: Steps are shortened to this part of themselves, and grow again by this factor.
_SHORTER, _LONGER = 0.3, 4.0
_MOST_STEPS = 60


class _Descent(NamedTuple):
    """Spectra on their way: the best place so far, what it has, the step from there and the part of it to try next."""

    place: jax.Array
    x: jax.Array
    chi2: jax.Array
    step: jax.Array
    gain: jax.Array
    passive: jax.Array
    part: jax.Array
    going: jax.Array
    count: jax.Array


def descend(layout: BatchLayout, problem: Problem, place, wanted=None) -> Solutions:
    """The minimum next to a place.

    Parameters
    ----------
    place : array, shape (n, n_place)
        Within the limits.
    wanted : array of bool, shape (n,), optional
        The others stay where they are.
    """
    n, n_weights = len(place), problem.galaxies.transform.shape[1] + len(layout.gas_line)

    def is_going(state: _Descent):
        return (state.count < _MOST_STEPS) & jnp.any(state.going)

    def advance(state: _Descent):
        place = jnp.clip(state.place + state.part[:, None] * state.step, problem.low, problem.high)
        columns, passive = columns_at(layout, problem, place), state.passive
        best = weighed(layout, problem, place, columns, passive[:, :n_weights])
        step = step_from(layout, problem, place, best, passive[:, n_weights:])
        lower = state.going & (best.chi2 < state.chi2) & jnp.all(jnp.isfinite(step.change), axis=1)
        part = jnp.where(lower, jnp.minimum(1.0, state.part * _LONGER), state.part * _SHORTER)
        there = _Descent(place, best.x, best.chi2, step.change, step.gain, step.passive, part, state.going, None)
        moved = chosen(lower, there, state._replace(part=part, count=None))
        # What has no chi2 where it starts has none anywhere.
        going = state.going & (moved.gain > _TOLERANCE) & (part > _LEAST_PART) & jnp.isfinite(moved.chi2)
        return moved._replace(going=going, count=state.count + 1)

    # The first step leads nowhere: it is taken to see what the place has.
    passive = jnp.zeros((n, n_weights), bool), jnp.ones((n, n_kinematic(layout) + 1), bool)
    unknown = jnp.full(n, jnp.inf)
    start = _Descent(
        place=place,
        x=jnp.zeros((n, n_weights)),
        chi2=unknown,
        step=jnp.zeros_like(place),
        gain=unknown,
        passive=jnp.concatenate(passive, axis=1),
        part=jnp.ones(n),
        going=jnp.ones(n, bool) if wanted is None else wanted,
        count=jnp.int32(0),
    )
    end = jax.lax.while_loop(is_going, advance, start)
    chi2 = jnp.where(jnp.isfinite(end.chi2), end.chi2, jnp.nan)
    return solutions_of(layout, problem, end.place, end.x, chi2, end.gain <= _LEFT)
