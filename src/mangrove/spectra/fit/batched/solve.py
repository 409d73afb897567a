"""The solutions of many spectra at once: kinematics, dust, polynomial and weights together."""

from functools import partial
from math import gcd
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra, double_precision
from mangrove.spectra.fit.batched.descent import descend
from mangrove.spectra.fit.batched.problem import chosen, place_of, problem_of
from mangrove.spectra.fit.batched.starts import DIFFERENT_V, rivals, started, unusual

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
        Without one, the start is found (:mod:`mangrove.spectra.fit.batched.starts`), and of several minima of the gas the lowest
        is taken; with one, there is no ``v_gas_other``.
    group : int, optional
        Spectra that are computed together, a divisor of their number; 1 on a CPU, where one after the other is quickest, and up
        to 256 elsewhere if not given. They take up to 40 x group x (n_star + n_gas + 20) x n_fft bytes, beside
        the batch itself.
    """
    n = len(batch.spectra.flux)
    group = group or (1 if jax.default_backend() == "cpu" else gcd(n, _DEVICE_GROUP))
    with double_precision():
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
    rival : array of int, shape (n,)
        Job of the other minimum of each spectrum, -1 without one.
    first, number : int
        The next to make; how many there are.
    """

    row: jax.Array
    place: jax.Array
    solutions: Solutions
    rival: jax.Array
    first: jax.Array
    number: jax.Array


@partial(jax.jit, static_argnums=(0, 1))
def _solve(layout: BatchLayout, group: int, galaxies: Galaxies, lines: Lines, spectra: Spectra, start) -> Solutions:
    n = len(spectra.flux)
    galaxies, lines, spectra = jax.tree.map(jnp.asarray, (galaxies, lines, spectra))

    def problem_at(rows):
        return problem_of(layout, galaxies, lines, _rows(spectra, rows))

    if start is None:
        places = jax.lax.map(
            lambda rows: started(layout, lines, problem_at(rows)), jnp.arange(n, dtype=jnp.int32).reshape(-1, group)
        )
        places = places.reshape(n, -1)
    else:
        places = place_of(*start)

    def advance(jobs: _Jobs) -> _Jobs:
        rows, place = (jax.lax.dynamic_slice_in_dim(values, jobs.first, group) for values in (jobs.row, jobs.place))
        problem, job = problem_at(rows), jobs.first + jnp.arange(group, dtype=jnp.int32)
        found = descend(layout, problem, jnp.clip(place, problem.low, problem.high), job < jobs.number)
        put = partial(jax.lax.dynamic_update_slice_in_dim, start_index=jobs.first, axis=0)
        done = jobs._replace(solutions=jax.tree.map(put, jobs.solutions, found), first=jobs.first + group)
        if start is not None:
            return done
        again = partial(_with_rivals, layout, problem, rows=rows, found=found)
        return jax.lax.cond(jobs.first < n, again, lambda jobs: jobs, done)

    jobs = _first_jobs(n, places, len(layout.components), galaxies.transform.shape[1], len(layout.gas_line))
    return _lowest(jax.lax.while_loop(lambda jobs: jobs.first < jobs.number, advance, jobs))


def _first_jobs(n: int, place, n_component: int, n_star: int, n_gas: int) -> _Jobs:
    n_theta = place.shape[1] - 2 * (1 + n_component)
    shapes = (1 + n_component, 2), (n_theta,), (n_star,), (n_gas,), (), ()
    empty = Solutions(*(jnp.zeros((2 * n, *shape)) for shape in shapes), jnp.zeros(2 * n, bool))
    row = jnp.concatenate([jnp.arange(n, dtype=jnp.int32), jnp.zeros(n, jnp.int32)])
    place = jnp.concatenate([place, jnp.zeros_like(place)])
    return _Jobs(row, place, empty, jnp.full(n, -1, jnp.int32), jnp.int32(0), jnp.int32(n))


def _with_rivals(layout: BatchLayout, problem, jobs: _Jobs, rows, found: Solutions) -> _Jobs:
    """The jobs with those of the other minima of spectra that were just solved."""
    n = len(jobs.rival)
    place, is_rival = rivals(layout, problem, found)
    number = jobs.number + jnp.cumsum(is_rival, dtype=jnp.int32)
    # What lies beyond the end is dropped.
    at = jnp.where(is_rival, number - 1, 2 * n)
    return jobs._replace(
        row=jobs.row.at[at].set(rows, mode="drop"),
        place=jobs.place.at[at].set(place, mode="drop"),
        rival=jobs.rival.at[jnp.where(is_rival, rows, n)].set(at, mode="drop"),
        number=number[-1],
    )


def _rows(values, rows):
    return jax.tree.map(lambda array: array[rows], values)


def _lowest(jobs: _Jobs) -> Solutions:
    """The lower one of the solutions of each spectrum."""
    has_rival = jobs.rival >= 0
    one = _rows(jobs.solutions, slice(0, len(jobs.rival)))
    two = _rows(jobs.solutions, jnp.where(has_rival, jobs.rival, 0))
    first, second = (s.chi2 + unusual(s.kinematics[:, 1, 0], s.kinematics[:, 0, 0]) for s in (one, two))
    wins = has_rival & (second < first)
    best, other = chosen(wins, two, one), chosen(wins, one, two)
    v, v_other = best.kinematics[:, 1, 0], other.kinematics[:, 1, 0]
    as_good = has_rival & (other.chi2 - best.chi2 < _AS_GOOD) & (jnp.abs(v_other - v) > DIFFERENT_V)
    return best._replace(v_gas_other=jnp.where(as_good, v_other, jnp.nan))
