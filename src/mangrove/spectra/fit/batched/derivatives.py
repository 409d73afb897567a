"""Derivatives of solutions by the data: what a fit becomes if a pixel, an error or a prior is a little different.

At a minimum of chi2 its slope along all that is free is zero, and it stays zero when the data change. So the solution
moves by -H^-1 times the change of the slope, with H the second derivatives of chi2, those of the model included (the
implicit function theorem; Blondel et al. 2022, Efficient and modular implicit differentiation). Weights that are zero
and what is at a limit stay. chi2 itself changes as if the solution stayed.

Calls of :func:`with_derivatives` and :func:`solve_differentiably`, and whatever differentiates them, belong within
:func:`mangrove.spectra.fit.batched.batch.double_precision`.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra, double_precision
from mangrove.spectra.fit.batched.factors import cholesky, solve_factored
from mangrove.spectra.fit.batched.problem import Problem, kinematics_and_theta, line_hold, place_of, problem_of
from mangrove.spectra.fit.batched.solve import Start, solve

#: Added to the second derivatives, all 1 along each unknown, so that rounding leaves them positive definite.
_RIDGE = 1e-12


class ByData(NamedTuple):
    """Derivatives of a label.

    Attributes
    ----------
    flux, error : ndarray, shape (n, ..., n_wave)
        By flux and error of each pixel; 0 where a pixel is not good.
    centre : ndarray, shape (n, ..., degree)
        By the centres of the prior of the polynomial's coefficients, which are 0.
    """

    flux: np.ndarray
    error: np.ndarray
    centre: np.ndarray


class _Minimum(NamedTuple):
    """The surroundings of minima of chi2.

    Attributes
    ----------
    problem : Problem
    unknowns : array, shape (n, n_unknown)
        Place and weights.
    lower : array, shape (n, n_unknown, n_unknown)
        Triangular factor of the second derivatives times ``scale`` on both sides; NaN where there is no minimum.
    scale : array, shape (n, n_unknown)
        0 for what stays.
    """

    problem: Problem
    unknowns: jax.Array
    lower: jax.Array
    scale: jax.Array


def solve_differentiably(batch: Batch, start: Start | None = None) -> Solutions:
    """Solve a batch (:func:`mangrove.spectra.fit.batched.solve.solve`) so that JAX can differentiate by flux and error."""
    return with_derivatives(batch, solve(batch._replace(spectra=jax.lax.stop_gradient(batch.spectra)), start))


def with_derivatives(batch: Batch, solutions: Solutions, centre=None) -> Solutions:
    """Solutions as they are, but as functions of the data, forward and backward.

    Parameters
    ----------
    solutions : Solutions
        Of this batch; the derivatives of one that is no minimum are NaN.
    centre : array, shape (n, degree), optional
        Of the prior of the polynomial's coefficients; 0 if not given.

    Returns
    -------
    Solutions
        Functions of flux, error and ``centre``. The norm of a spectrum, which scales the cost of rough weights, and the width of
        the prior of its lines are constants.
    """
    solutions, still = jax.lax.stop_gradient((solutions, batch.spectra))
    minimum = _minimum(batch.layout, batch.galaxies, batch.lines, still, solutions)
    if centre is None:
        centre = jnp.zeros_like(solutions.theta[:, 1:])
    return _of_data(batch.layout, minimum, solutions, batch.spectra, centre)


def derivatives(
    batch: Batch, solutions: Solutions, labels: Callable[[Batch, Solutions], Mapping[str, jax.Array]]
) -> dict[str, ByData]:
    """Derivatives of labels by the data.

    Parameters
    ----------
    labels : callable
        Differentiable functions of the batch's flux and of solutions, shape (n, ...) each, that take each spectrum for itself
        (:func:`mangrove.spectra.labels.solution_labels.solution_labels`).
    """
    moving = {name: getattr(solutions, name) for name in Solutions._fields if name != "converged"}

    def of_parts(flux, parts):
        given = batch._replace(spectra=batch.spectra._replace(flux=flux))
        return dict(labels(given, solutions._replace(**parts)))

    with double_precision():
        values, back = jax.vjp(of_parts, jnp.asarray(batch.spectra.flux), moving)
        sizes = {name: math.prod(value.shape[1:]) for name, value in values.items()}
        one_each = jnp.eye(sum(sizes.values()))
        directly, by_solution = jax.vmap(lambda one: back(_as_labels(one, values)))(one_each)
        minimum = _minimum(batch.layout, batch.galaxies, batch.lines, batch.spectra, solutions)
        by_flux, *others = _pulled_back(batch.layout, minimum, solutions, batch.spectra, by_solution)
        found = by_flux + directly, *others
    parts = [np.split(np.asarray(part).swapaxes(0, 1), np.cumsum([*sizes.values()])[:-1], axis=1) for part in found]
    return {
        name: ByData(*(rows.reshape(*value.shape, -1) for rows in of_label))
        for (name, value), *of_label in zip(values.items(), *parts, strict=True)
    }


def _as_labels(one, values: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """The same value, shape (n_label,), for each spectrum, as labels of the given shapes."""
    first, made = 0, {}
    for name, value in values.items():
        last = first + math.prod(value.shape[1:])
        made[name] = jnp.broadcast_to(one[first:last].reshape(1, *value.shape[1:]), value.shape)
        first = last
    return made


@partial(jax.jit, static_argnums=0)
def _pulled_back(layout: BatchLayout, minimum: _Minimum, solutions: Solutions, spectra: Spectra, by_solution):
    """Derivatives by flux, error and centre from those by the solution, each of shape (n_label, n, ...)."""

    def of_data(flux, error, centre):
        found = _of_data(layout, minimum, solutions, spectra._replace(flux=flux, error=error), centre)
        return {name: getattr(found, name) for name in by_solution}

    _, back = jax.vjp(of_data, spectra.flux, spectra.error, jnp.zeros_like(solutions.theta[:, 1:]))
    return jax.vmap(back)(by_solution)


@partial(jax.jit, static_argnums=0)
def _minimum(layout: BatchLayout, galaxies: Galaxies, lines: Lines, spectra: Spectra, solutions: Solutions) -> _Minimum:
    problem = problem_of(layout, galaxies, lines, spectra)
    place = place_of(solutions.kinematics, solutions.theta)
    unknowns = jnp.concatenate([place, solutions.weights, solutions.gas], axis=1)
    slope = partial(_slope, layout, problem, spectra=spectra, centre=jnp.zeros_like(solutions.theta[:, 1:]))
    curvature = _curvature(slope, unknowns)
    inside = (place > problem.low) & (place < problem.high)
    length = jnp.sqrt(jnp.diagonal(curvature, axis1=1, axis2=2))
    # What changes nothing, as the velocity of gas without lines, stays.
    free = jnp.concatenate([inside, solutions.weights > 0.0, solutions.gas > 0.0], axis=1) & (length != 0.0)
    scale = jnp.where(free, 1.0 / jnp.where(free, length, 1.0), 0.0)
    scaled = curvature * scale[:, :, None] * scale[:, None]
    rest = jnp.where(free, _RIDGE, 1.0)[:, :, None] * jnp.eye(free.shape[1])[None]
    return _Minimum(problem, unknowns, cholesky(scaled + rest), scale)


@partial(jax.jit, static_argnums=0)
def _of_data(layout: BatchLayout, minimum: _Minimum, solutions: Solutions, spectra: Spectra, centre) -> Solutions:
    """The solutions as functions of the data."""
    problem, unknowns, lower, scale = minimum
    slope = _slope(layout, problem, unknowns, spectra, centre)
    moved = -scale * solve_factored(lower, (scale * slope)[..., None])[..., 0]
    parts = (*_apart(layout, problem, unknowns + _zero_like(moved)), _chi2(layout, problem, unknowns, spectra, centre))
    names = ("kinematics", "theta", "weights", "gas", "chi2")
    changes = {name: getattr(solutions, name) + _zero_like(part) for name, part in zip(names, parts, strict=True)}
    return solutions._replace(**changes)


@jax.custom_jvp
def _zero_like(values):
    """Zero, with the derivative of the values."""
    return jnp.zeros_like(values)


@_zero_like.defjvp
def _(primals, tangents):
    return jnp.zeros_like(primals[0]), tangents[0]


def _apart(layout: BatchLayout, problem: Problem, unknowns):
    """Kinematics, theta, weights of the stars and of the gas."""
    n_star, n_gas = problem.galaxies.transform.shape[1], len(layout.gas_line)
    place = unknowns[:, : -n_star - n_gas]
    weights = unknowns[:, place.shape[1] : place.shape[1] + n_star]
    return *kinematics_and_theta(layout, place), weights, unknowns[:, -n_gas:]


def _chi2(layout: BatchLayout, problem: Problem, unknowns, spectra: Spectra, centre) -> jax.Array:
    """chi2 of data and priors, shape (n,)."""
    galaxies = problem.galaxies
    kinematics, theta, weights, gas = _apart(layout, problem, unknowns)
    continuum = model.stellar_continuum(layout, galaxies, spectra, weights, kinematics, theta)
    emission = model.emission(layout, galaxies, spectra, problem.transforms, gas, kinematics)
    residual = jnp.where(spectra.good, (spectra.flux - continuum - emission) / spectra.error, 0.0)
    chi2 = jnp.sum(residual**2, axis=1)
    hold, roughness = (jnp.asarray(values)[spectra.galaxy] for values in (galaxies.polynomial_hold, galaxies.roughness))
    rough = jnp.einsum("ni,nij,nj->n", weights, roughness, weights) / spectra.norm**2
    # Of the data as they are: the width of that prior is a constant.
    dim = line_hold(problem.spectra) * jnp.sum(gas**2, axis=1)
    return chi2 + hold * jnp.sum((theta[:, 1:] - centre) ** 2, axis=1) + rough + dim


def _slope(layout: BatchLayout, problem: Problem, unknowns, spectra: Spectra, centre) -> jax.Array:
    """Derivatives of chi2 by the unknowns, shape (n, n_unknown)."""
    return jax.grad(lambda u: jnp.sum(_chi2(layout, problem, u, spectra, centre)))(unknowns)


def _curvature(slope, unknowns) -> jax.Array:
    """Second derivatives, shape (n, n_unknown, n_unknown); no spectrum depends on the unknowns of another."""
    _, along = jax.linearize(slope, unknowns)
    rows = jax.lax.map(lambda one: along(jnp.broadcast_to(one[None], unknowns.shape)), jnp.eye(unknowns.shape[1]))
    return jnp.swapaxes(rows, 0, 1)
