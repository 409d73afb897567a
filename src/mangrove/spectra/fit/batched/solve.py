"""The solutions of many spectra at once: kinematics, dust, polynomial and weights together."""

from functools import partial
from math import gcd
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra, double_precision
from mangrove.spectra.fit.batched.descent import descend
from mangrove.spectra.fit.batched.problem import place_of, problem_of
from mangrove.spectra.fit.batched.starts import DIFFERENT, Started, started, unusual

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


@partial(jax.jit, static_argnums=(0, 1))
def _solve(layout: BatchLayout, group: int, galaxies: Galaxies, lines: Lines, spectra: Spectra, start) -> Solutions:
    n = len(spectra.flux)
    galaxies, lines, spectra = jax.tree.map(jnp.asarray, (galaxies, lines, spectra))

    def start_of(rows):
        return started(layout, lines, problem_of(layout, galaxies, lines, _rows(spectra, rows)))

    if start is None:
        starts = jax.lax.map(start_of, jnp.arange(n).reshape(-1, group))
        starts = jax.tree.map(lambda values: values.reshape(n, *values.shape[2:]), starts)
    else:
        place = place_of(*start)
        starts = Started(place, place, jnp.zeros(n, bool))
    # All spectra, and those with a rival once more.
    order = jnp.argsort(~starts.has_rival)
    row = jnp.concatenate([jnp.arange(n), order])
    place = jnp.concatenate([starts.place, starts.rival[order]])
    n_job = n + jnp.sum(starts.has_rival)

    def solved(first):
        rows = jax.lax.dynamic_slice_in_dim(row, first, group)
        problem = problem_of(layout, galaxies, lines, _rows(spectra, rows))
        at = jnp.clip(jax.lax.dynamic_slice_in_dim(place, first, group), problem.low, problem.high)
        return descend(layout, problem, at, first + jnp.arange(group) < n_job)

    def advance(state):
        first, solutions = state
        put = lambda whole, part: jax.lax.dynamic_update_slice_in_dim(whole, part, first, 0)
        return first + group, jax.tree.map(put, solutions, solved(first))

    empty = jax.tree.map(lambda s: jnp.zeros((2 * n, *s.shape[1:]), s.dtype), jax.eval_shape(solved, 0))
    _, both = jax.lax.while_loop(lambda state: state[0] < n_job, advance, (0, empty))
    return _lowest(both, order, starts.has_rival)


def _rows(spectra: Spectra, rows) -> Spectra:
    return jax.tree.map(lambda values: values[rows], spectra)


def _lowest(both: Solutions, order, has_rival) -> Solutions:
    """Of the solutions and of their rivals, which follow in an order of their own, the lower ones."""
    n = len(order)
    one = _rows(both, slice(0, n))
    two = _rows(both, n + jnp.argsort(order))
    first, second = (s.chi2 + unusual(s.kinematics[:, 1, 0], s.kinematics[:, 0, 0]) for s in (one, two))
    rival_wins = has_rival & (second < first)
    best, other = (
        jax.tree.map(lambda a, b, w=wins: jnp.where(w.reshape(-1, *[1] * (a.ndim - 1)), a, b), two, one)
        for wins in (rival_wins, ~rival_wins)
    )
    v, v_other = best.kinematics[:, 1, 0], other.kinematics[:, 1, 0]
    as_good = has_rival & (other.chi2 - best.chi2 < _AS_GOOD) & (jnp.abs(v_other - v) > DIFFERENT)
    return best._replace(v_gas_other=jnp.where(as_good, v_other, jnp.nan))
