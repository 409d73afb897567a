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
from mangrove.spectra.fit.batched.problem import Problem, columns_at, n_kinematic, solutions_of, step_from, weighed

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

    def at(place, passive):
        best = weighed(layout, problem, place, columns_at(layout, problem, place), passive[:, :n_weights])
        return best, step_from(layout, problem, place, best, passive[:, n_weights:])

    def is_going(state: _Descent):
        return (state.count < _MOST_STEPS) & jnp.any(state.going)

    def advance(state: _Descent):
        place = jnp.clip(state.place + state.part[:, None] * state.step, problem.low, problem.high)
        best, step = at(place, state.passive)
        lower = state.going & (best.chi2 < state.chi2) & jnp.all(jnp.isfinite(step.change), axis=1)
        part = jnp.where(lower, jnp.minimum(1.0, state.part * _LONGER), state.part * _SHORTER)
        there = _Descent(place, best.x, best.chi2, step.change, step.gain, step.passive, part, state.going, state.count)
        moved = jax.tree.map(partial(_chosen, lower), there._replace(count=None), state._replace(part=part, count=None))
        going = state.going & (moved.gain > _TOLERANCE) & (part > _LEAST_PART)
        return moved._replace(going=going, count=state.count + 1)

    passive = jnp.zeros((n, n_weights), bool), jnp.ones((n, n_kinematic(layout) + 1), bool)
    best, step = at(place, jnp.concatenate(passive, axis=1))
    going = step.gain > _TOLERANCE if wanted is None else wanted & (step.gain > _TOLERANCE)
    part, count = jnp.ones(n), jnp.int32(0)
    start = _Descent(place, best.x, best.chi2, step.change, step.gain, step.passive, part, going, count)
    end = jax.lax.while_loop(is_going, advance, start)
    return solutions_of(layout, problem, end.place, end.x, end.chi2, end.gain <= _LEFT)


def _chosen(which, new, old):
    return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)
