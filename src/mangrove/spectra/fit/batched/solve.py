"""The solutions of many spectra at once: kinematics, dust, polynomial and weights together.

Gauss-Newton with variable projection (Golub & Pereyra 2003, Inverse Problems 19, R1): a step solves the problem linearised in all
unknowns (:func:`mangrove.spectra.fit.batched.problem.step_from`), the weights are solved again at its end, and it is shortened
while chi2 does not fall. Each spectrum goes on until the linear model promises no more, whatever its companions do.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra, double_precision
from mangrove.spectra.fit.batched.problem import (
    Problem,
    columns_at,
    place_of,
    problem_of,
    solutions_of,
    step_from,
    weighed,
)
from mangrove.spectra.fit.bounds import START_SIGMA_GAS

#: A spectrum has converged when a step promises to lower chi2 by no more than this.
_TOLERANCE = 1e-3
#: No step that is shortened so often is tried; what it promises may be no more than this, or the fit has not converged.
_LEAST_PART, _LEFT = 2e-4, 0.1
#: Steps are shortened to this part of themselves, and grow again by this factor.
_SHORTER, _LONGER = 0.3, 4.0
_MOST_STEPS = 60
#: Values of E(B-V) of which the best is the start.
_START_EBV = (0.0, 0.25, 0.6, 1.1)


class Start(NamedTuple):
    """Where fits start.

    Attributes
    ----------
    kinematics : array, shape (n, 1 + n_component, 2)
        Velocity and dispersion of the stars and of each component of the gas, km/s.
    theta : array, shape (n, 1 + degree)
        E(B-V) and the coefficients of the polynomial.
    """

    kinematics: np.ndarray
    theta: np.ndarray


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


def solve(batch: Batch, start: Start | None = None, group: int | None = None) -> Solutions:
    """The best fit of each spectrum of a batch.

    Parameters
    ----------
    start : Start, optional
        Without one, the start is found (:mod:`mangrove.spectra.fit.batched.starts`).
    group : int, optional
        Spectra that are computed together; a divisor of their number. On a CPU one after the other, elsewhere all, if not
        given. Memory is group x (n_star + n_gas + 20) x n_fft x 8 bytes, four times over.
    """
    n = len(batch.spectra.flux)
    group = group or (1 if jax.default_backend() == "cpu" else n)
    with double_precision():
        return _solve(batch.layout, group, batch.galaxies, batch.lines, batch.spectra, start)


@partial(jax.jit, static_argnums=(0, 1))
def _solve(layout: BatchLayout, group: int, galaxies: Galaxies, lines: Lines, spectra: Spectra, start) -> Solutions:
    n = len(spectra.flux)
    one = partial(_solve_group, layout, galaxies, lines)
    if group == n:
        return one((spectra, start))
    grouped = jax.tree.map(lambda a: jnp.reshape(a, (n // group, group, *a.shape[1:])), (spectra, start))
    return jax.tree.map(lambda a: jnp.reshape(a, (n, *a.shape[2:])), jax.lax.map(one, grouped))


def _solve_group(layout: BatchLayout, galaxies: Galaxies, lines: Lines, given) -> Solutions:
    spectra, start = given
    problem = problem_of(layout, galaxies, lines, spectra)
    place = place_of(*start) if start is not None else _started(layout, problem)
    return descend(layout, problem, jnp.clip(place, problem.low, problem.high))


def descend(layout: BatchLayout, problem: Problem, place) -> Solutions:
    """The minimum next to a place, shape (n, n_place)."""
    n_weights = problem.galaxies.transform.shape[1] + len(layout.gas_line)
    n, n_bounded = len(place), place.shape[1] - layout.settings.polynomial_degree

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
        here = state._replace(part=part)
        moved = jax.tree.map(partial(_chosen, lower), there[:-1], here[:-1])
        going = state.going & (moved[4] > _TOLERANCE) & (part > _LEAST_PART)
        return _Descent(*moved[:-1], going, state.count + 1)

    passive = jnp.concatenate([jnp.zeros((n, n_weights), bool), jnp.ones((n, n_bounded), bool)], axis=1)
    best, step = at(place, passive)
    state = _Descent(
        place,
        best.x,
        best.chi2,
        step.change,
        step.gain,
        step.passive,
        jnp.ones(n),
        step.gain > _TOLERANCE,
        jnp.int32(0),
    )
    state = jax.lax.while_loop(is_going, advance, state)
    converged = state.gain <= _LEFT
    return solutions_of(layout, problem, state.place, state.x, state.chi2, converged)


def _chosen(which, new, old):
    return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _started(layout: BatchLayout, problem: Problem) -> jax.Array:
    """The given kinematics of the stars, with the best of several values of E(B-V)."""
    n, degree = len(problem.data), layout.settings.polynomial_degree
    stars = problem.spectra.start
    gas = jnp.stack([stars[:, 0], jnp.full(n, START_SIGMA_GAS)], axis=1)
    kinematics = jnp.concatenate([stars[:, None], jnp.repeat(gas[:, None], len(layout.components), axis=1)], axis=1)
    place = place_of(kinematics, jnp.zeros((n, 1 + degree)))
    columns = columns_at(layout, problem, place)
    passive = jnp.zeros(columns.shape[:2], bool)
    values = jnp.array(_START_EBV if layout.settings.continuum.attenuation else _START_EBV[:1])
    ebv = -1 - degree
    tried = jax.lax.map(lambda e: weighed(layout, problem, place.at[:, ebv].set(e), columns, passive).chi2, values)
    return place.at[:, ebv].set(values[jnp.argmin(tried, axis=0)])
