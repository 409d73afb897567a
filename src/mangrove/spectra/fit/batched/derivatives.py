"""Derivatives of solutions by the data: what a fit would become if a pixel, an error or a prior were a little different.

At a minimum of chi2 its slope along all that is free vanishes, and it goes on to vanish where the data change. So the solution
moves by -H^-1 times the change of the slope, with H the second derivatives of chi2, those of the model included (the implicit
function theorem; Blondel et al. 2022, Efficient and modular implicit differentiation). Weights that are zero and what is at a limit
stay. chi2 itself changes as if the solution stayed.

For those who differentiate: call all of it within :func:`mangrove.spectra.fit.batched.batch.double_precision`.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve

from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra, double_precision
from mangrove.spectra.fit.batched.problem import Problem, kinematics_and_theta, place_of, problem_of
from mangrove.spectra.fit.batched.solve import Start, solve

#: Added to the second derivatives, all 1 along each unknown, so that rounding leaves them positive definite.
_RIDGE = 1e-12
#: Unknowns whose second derivatives are computed at a time.
_AT_A_TIME = 16


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


def solve_differentiably(batch: Batch, start: Start | None = None) -> Solutions:
    """:func:`mangrove.spectra.fit.batched.solve.solve`, to be differentiated by flux and error (``jax.grad``, ``jax.jvp``)."""
    return with_derivatives(batch, solve(batch._replace(spectra=jax.lax.stop_gradient(batch.spectra)), start))


def with_derivatives(batch: Batch, solutions: Solutions, centre=None) -> Solutions:
    """Solutions as they are, but as functions of the data, forward and backward.

    Parameters
    ----------
    solutions : Solutions
        Of this batch; NaN is the derivative of those that are no minimum.
    centre : array, shape (n, degree), optional
        Of the prior of the polynomial's coefficients; 0 if not given.

    Returns
    -------
    Solutions
        Functions of flux, error and ``centre``. The norm of a spectrum, which scales the cost of rough weights, is a constant.
    """
    layout, galaxies, lines, spectra = batch
    if centre is None:
        centre = jnp.zeros((len(spectra.flux), layout.settings.polynomial_degree))
    return _with_derivatives(layout, galaxies, lines, spectra, solutions, centre)


def derivatives(
    batch: Batch, solutions: Solutions, labels: Callable[[Solutions], Mapping[str, jax.Array]]
) -> dict[str, ByData]:
    """Derivatives of labels by the data.

    Parameters
    ----------
    labels : callable
        Differentiable functions of solutions, shape (n, ...) each, that take each spectrum for itself
        (:func:`mangrove.spectra.labels.solution_labels.solution_labels`).
    """
    moving = [name for name in Solutions._fields if name != "converged"]
    with double_precision():
        values, back = jax.vjp(
            lambda parts: dict(labels(solutions._replace(**parts))), {name: getattr(solutions, name) for name in moving}
        )
        sizes = {name: math.prod(value.shape[1:]) for name, value in values.items()}
        one_each = jnp.eye(sum(sizes.values()))
        (by_solution,) = jax.vmap(lambda one: back(_as_labels(one, values)))(one_each)
        found = _pulled_back(batch.layout, batch.galaxies, batch.lines, batch.spectra, solutions, by_solution)
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
def _pulled_back(layout: BatchLayout, galaxies, lines, spectra: Spectra, solutions: Solutions, by_solution):
    """Derivatives by flux, error and centre from those by the solution, each of shape (n_label, n, ...)."""

    def of_data(flux, error, centre):
        given = spectra._replace(flux=flux, error=error)
        found = _with_derivatives(layout, galaxies, lines, given, solutions, centre)
        return {name: getattr(found, name) for name in by_solution}

    centre = jnp.zeros((len(spectra.flux), layout.settings.polynomial_degree))
    _, back = jax.vjp(of_data, spectra.flux, spectra.error, centre)
    return jax.vmap(back)(by_solution)


@partial(jax.jit, static_argnums=0)
def _with_derivatives(
    layout: BatchLayout, galaxies: Galaxies, lines: Lines, spectra: Spectra, solutions: Solutions, centre
) -> Solutions:
    solutions, still = jax.lax.stop_gradient((solutions, (spectra, centre)))
    given = problem_of(layout, galaxies, lines, still[0])
    unknowns = jnp.concatenate(
        [place_of(solutions.kinematics, solutions.theta), solutions.weights, solutions.gas], axis=1
    )
    of_data = partial(_chi2, layout, given)
    slope = jax.grad(lambda u, spectra, centre: jnp.sum(of_data(u, spectra, centre)))
    curvature = _curvature(lambda u: slope(u, *still), unknowns)
    moved = _newton_step(curvature, slope(unknowns, spectra, centre), _free(layout, given, solutions))
    changed = unknowns + _zero_like(moved)
    chi2 = solutions.chi2 + _zero_like(of_data(unknowns, spectra, centre))
    kinematics, theta, weights, gas = _apart(layout, given, changed)
    return solutions._replace(
        # The square root of a square is not the same to the last bit.
        kinematics=solutions.kinematics + _zero_like(kinematics),
        theta=theta,
        weights=weights,
        gas=gas,
        chi2=chi2,
    )


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
    settings = layout.settings.continuum
    if settings.calibration_error > 0:
        chi2 += jnp.sum(((theta[:, 1:] - centre) / settings.calibration_error) ** 2, axis=1)
    if settings.regularisation > 0:
        rough = jnp.einsum("ni,nij,nj->n", weights, jnp.asarray(galaxies.roughness)[spectra.galaxy], weights)
        chi2 += rough / spectra.norm**2
    return chi2


def _free(layout: BatchLayout, problem: Problem, solutions: Solutions) -> jax.Array:
    """What may move with the data, shape (n, n_unknown)."""
    place = place_of(solutions.kinematics, solutions.theta)
    inside = (place > problem.low) & (place < problem.high)
    return jnp.concatenate([inside, solutions.weights > 0.0, solutions.gas > 0.0], axis=1)


def _curvature(slope, unknowns) -> jax.Array:
    """Second derivatives, shape (n, n_unknown, n_unknown); no spectrum depends on the unknowns of another."""
    _, along = jax.linearize(slope, unknowns)
    every = jnp.eye(unknowns.shape[1])
    rows = jax.lax.map(lambda one: along(jnp.broadcast_to(one[None], unknowns.shape)), every, batch_size=_AT_A_TIME)
    return jnp.swapaxes(rows, 0, 1)


def _newton_step(curvature, slope, free) -> jax.Array:
    """The step that undoes a slope along what is free, and 0 along the rest; NaN where there is no minimum."""
    length = jnp.sqrt(jnp.diagonal(curvature, axis1=1, axis2=2))
    # What changes nothing, as the velocity of gas without lines, stays.
    free &= length != 0.0
    scale = jnp.where(free, 1.0 / jnp.where(free, length, 1.0), 0.0)
    scaled = curvature * scale[:, :, None] * scale[:, None]
    rest = jnp.where(free, _RIDGE, 1.0)[:, :, None] * jnp.eye(free.shape[1])[None]
    lower = jnp.linalg.cholesky(scaled + rest)
    return -scale * cho_solve((lower, True), (scale * slope)[..., None])[..., 0]
