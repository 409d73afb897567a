"""The solutions of many spectra at once: kinematics, dust, polynomial and weights together."""

from collections.abc import Callable
from functools import partial
from math import gcd
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched import forms
from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra, double_precision
from mangrove.spectra.fit.batched.descent import Descent, advanced, begun, ended
from mangrove.spectra.fit.batched.precision import DOUBLE, MIXED, in_single
from mangrove.spectra.fit.batched.problem import Problem, chosen, n_kinematic, place_of, problem_of
from mangrove.spectra.fit.batched.rivals import are_different, rivals
from mangrove.spectra.fit.batched.starts import started, unusual

#: Spectra that are computed together on a device that is none of the host's cores.
_DEVICE_GROUP = 256
#: Minima of the gas are equally good if their chi2 differs by no more than this.
_AS_GOOD = 1.0


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


def solve(batch: Batch, start: Start | None = None, group: int | None = None) -> Solutions:
    """The best fit of each spectrum of a batch.

    No spectrum is touched by what its companions hold. A spectrum that cannot be fitted has ``chi2`` NaN and has not
    converged.

    Parameters
    ----------
    start : Start, optional
        Without one, the start is found (:mod:`mangrove.spectra.fit.batched.starts`). Of several minima of the gas the lowest is
        taken, if it is not so far from the stars that noise explains it better
        (:func:`mangrove.spectra.fit.batched.starts.unusual`); ``v_gas_other`` is the velocity of another one, of another
        velocity or dispersion, whose chi2 is higher by less than 1, or lower. With a start, there is none.
    group : int, optional
        Spectra that are computed together, a divisor of their number; 1 on a CPU, where one after the other is quickest, and up
        to 256 elsewhere if not given. They take up to 40 x group x (n_star + 6 n_gas + 20) x n_fft bytes, beside the
        batch itself.
    """
    n = len(batch.spectra.flux)
    group = group or (gcd(n, _DEVICE_GROUP) if forms.together() else 1)
    # In single precision, the products of a GPU would have three digits.
    with double_precision(), jax.default_matmul_precision("highest"):
        return _solve(batch.layout, group, batch.galaxies, batch.lines, batch.spectra, start)


class _Jobs(NamedTuple):
    """Descents to make, and made: one of each spectrum, and then one more of those whose gas has another minimum.

    Attributes
    ----------
    row : array of int, shape (2 n,)
        Spectrum of each.
    place : array, shape (2 n, n_place)
        Where each starts.
    solutions : Solutions
        Of each.
    number : int
        How many there are.
    variance : array, shape (n,)
        Of the velocity of the stars, once other minima were sought.
    """

    row: jax.Array
    place: jax.Array
    solutions: Solutions
    number: jax.Array
    variance: jax.Array


class _Slots(NamedTuple):
    """Descents that are computed together: where one ends, the next of the jobs begins.

    Attributes
    ----------
    job : array of int, shape (group,)
        Which they are.
    next : int
        The first job that no slot has taken yet.
    problem, state
        Of each.
    solutions : Solutions
        Of all jobs.
    """

    job: jax.Array
    next: jax.Array
    problem: Problem
    state: Descent
    solutions: Solutions


@partial(jax.jit, static_argnums=(0, 1))
def _solve(layout: BatchLayout, group: int, galaxies: Galaxies, lines: Lines, spectra: Spectra, start) -> Solutions:
    n = len(spectra.flux)
    galaxies, lines, spectra = jax.tree.map(jnp.asarray, (galaxies, lines, spectra))

    precision = layout.precision
    shared = galaxies if precision == DOUBLE else in_single(galaxies)

    def exact_at(rows):
        return problem_of(layout, galaxies, lines, _rows(spectra, rows))

    def problem_at(rows):
        problem = exact_at(rows)
        return problem if precision == DOUBLE else in_single(problem._replace(galaxies=None))._replace(galaxies=shared)

    def refined(jobs: _Jobs) -> _Jobs:
        if precision != MIXED:
            return jobs
        place = place_of(jobs.solutions.kinematics, jobs.solutions.theta)
        return _made(layout, galaxies, exact_at, group, jobs._replace(place=place), 0)

    def of_all(function):
        """Of the spectra, group by group."""
        found = jax.lax.map(function, jnp.arange(n, dtype=jnp.int32).reshape(-1, group))
        return jax.tree.map(lambda values: values.reshape(n, *values.shape[2:]), found)

    def with_rivals(jobs: _Jobs) -> _Jobs:
        place, is_rival, variance = of_all(lambda rows: _rivals(layout, problem_at(rows), _rows(jobs.solutions, rows)))
        order = jnp.argsort(~is_rival)
        return jobs._replace(
            row=jobs.row.at[n:].set(order.astype(jnp.int32)),
            place=jobs.place.at[n:].set(place[order]),
            number=n + jnp.sum(is_rival, dtype=jnp.int32),
            variance=variance,
        )

    if start is not None:
        jobs = _first_jobs(layout, galaxies, place_of(*start))
        return _rows(refined(_made(layout, shared, problem_at, group, jobs, 0)).solutions, slice(0, n))
    jobs = _first_jobs(layout, galaxies, of_all(lambda rows: started(layout, lines, problem_at(rows)).astype(float)))

    def made(turn, jobs: _Jobs) -> _Jobs:
        jobs = _made(layout, shared, problem_at, group, jobs, turn * n)
        return jax.lax.cond(turn == 0, with_rivals, lambda jobs: jobs, jobs)

    return _lowest(refined(jax.lax.fori_loop(0, 2, made, jobs)))


def _first_jobs(layout: BatchLayout, galaxies: Galaxies, place) -> _Jobs:
    n, n_pair = len(place), n_kinematic(layout) // 2
    shapes = (
        (n_pair, 2),
        (place.shape[1] - 2 * n_pair,),
        (galaxies.transform.shape[1],),
        (len(layout.gas_line),),
        (),
        (),
    )
    empty = Solutions(*(jnp.zeros((2 * n, *shape)) for shape in shapes), jnp.zeros(2 * n, bool))
    row = jnp.arange(2 * n, dtype=jnp.int32) % n
    return _Jobs(row, jnp.concatenate([place, place]), empty, jnp.int32(n), jnp.zeros(n))


def _made(layout: BatchLayout, galaxies: Galaxies, problem_at: Callable, group: int, jobs: _Jobs, first) -> _Jobs:
    """The jobs from a first one on with their solutions."""

    def begin(job):
        known = jnp.minimum(job, len(jobs.row) - 1)
        problem = problem_at(jobs.row[known])
        state = begun(layout, problem, jobs.place[known].astype(problem.data.dtype))
        # What galaxies share is no part of the slots.
        return problem._replace(galaxies=None), state._replace(going=job < jobs.number)

    def is_going(slots: _Slots):
        return jnp.any(slots.state.going)

    def advance(slots: _Slots) -> _Slots:
        problem = slots.problem._replace(galaxies=galaxies)
        state = advanced(layout, problem, slots.state)
        over = slots.state.going & ~state.going
        found = ended(layout, problem, state)
        # What lies beyond the end is dropped.
        at = jnp.where(over, slots.job, len(jobs.row))
        solutions = jax.tree.map(
            lambda all_, some: all_.at[at].set(some.astype(all_.dtype), mode="drop"), slots.solutions, found
        )
        job = jnp.where(over, slots.next + jnp.cumsum(over, dtype=jnp.int32) - 1, slots.job)

        def refilled(held):
            return chosen(over, begin(job), held)

        problem, state = jax.lax.cond(jnp.any(over), refilled, lambda held: held, (slots.problem, state))
        return _Slots(job, slots.next + jnp.sum(over, dtype=jnp.int32), problem, state, solutions)

    job = jnp.asarray(first, jnp.int32) + jnp.arange(group, dtype=jnp.int32)
    slots = _Slots(job, jnp.asarray(first + group, jnp.int32), *begin(job), jobs.solutions)
    return jobs._replace(solutions=jax.lax.while_loop(is_going, advance, slots).solutions)


def _rivals(layout: BatchLayout, problem: Problem, found: Solutions) -> tuple[jax.Array, jax.Array, jax.Array]:
    if problem.data.dtype != float:
        found = in_single(found)
    place, is_rival, variance = rivals(layout, problem, found)
    return place.astype(float), is_rival, variance.astype(float)


def _rows(values, rows):
    return jax.tree.map(lambda array: array[rows], values)


def _lowest(jobs: _Jobs) -> Solutions:
    """The lower one of the solutions of each spectrum."""
    n = len(jobs.row) // 2
    place = n + jnp.argsort(jobs.row[n:]).astype(jnp.int32)
    has_rival = place < jobs.number
    one, two = _rows(jobs.solutions, slice(0, n)), _rows(jobs.solutions, place)
    first, second = (s.chi2 + unusual(s.kinematics[:, 1, 0], s.kinematics[:, 0, 0], jobs.variance) for s in (one, two))
    wins = has_rival & (second < first)
    best, other = chosen(wins, two, one), chosen(wins, one, two)
    as_good = other.chi2 - best.chi2 < _AS_GOOD
    is_told = has_rival & as_good & are_different(best.kinematics, other.kinematics)
    return best._replace(v_gas_other=jnp.where(is_told, other.kinematics[:, 1, 0], jnp.nan))
