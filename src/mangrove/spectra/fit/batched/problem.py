"""The linear problems of a fit: weights at a place, and a step from it, for a batch.

A *place* is all that is not a weight, shape (n, n_place): velocity (km/s) and variance (km2/s2) of the stars and of each component of
the gas in turn, E(B-V), and the coefficients of the polynomial, as :func:`mangrove.spectra.fit.batched.model.jacobian` has them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import BatchLayout, Galaxies, Lines, Solutions, Spectra
from mangrove.spectra.fit.batched.nonnegative import nonnegative_from
from mangrove.spectra.fit.bounds import MAX_EBV, SIGMA_COMPONENT_BOUND

#: No farther is a linear step trusted: velocities, km/s, and E(B-V), mag.
_LONGEST_V, _LONGEST_EBV = 250.0, 0.5
#: Inverse width of the prior of a line's light, over its error where it is seen: too wide to matter there.
_LINE_HOLD = 1e-5


class Problem(NamedTuple):
    """What a batch of fits is given, arrays over its spectra.

    Attributes
    ----------
    galaxies, spectra
    transforms : array, shape (n, n_gas, n_freq)
        Of the gas at rest.
    inverse, data : array, shape (n, n_wave)
        Inverse of the error and flux over error, 0 where a pixel is not good.
    low, high : array, shape (n, n_place)
        Limits of the place; equal where it is fixed.
    """

    galaxies: Galaxies
    spectra: Spectra
    transforms: jax.Array
    inverse: jax.Array
    data: jax.Array
    low: jax.Array
    high: jax.Array


class Weighed(NamedTuple):
    """The best weights at a place.

    Attributes
    ----------
    columns : array, shape (n, n_star + n_gas, n_wave)
        Templates over the errors of the data.
    products : array, shape (n, n_star + n_gas, n_star + n_gas)
        Of these with each other; the cost of rough weights and the prior of the lines are in them.
    residual : array, shape (n, n_wave)
        Data minus model over the errors.
    x : array, shape (n, n_star + n_gas)
    passive : array of bool, shape (n, n_star + n_gas)
        Weights that are positive.
    chi2 : array, shape (n,)
        Of data and priors.
    """

    columns: jax.Array
    products: jax.Array
    residual: jax.Array
    x: jax.Array
    passive: jax.Array
    chi2: jax.Array


class Step(NamedTuple):
    """A step of all that is not a weight, shape (n, n_place), the fall of chi2 if the model were linear, shape (n,), and
    the unknowns that are positive there, shape (n, n_star + n_gas + n_bounded)."""

    change: jax.Array
    gain: jax.Array
    passive: jax.Array


def problem_of(layout: BatchLayout, galaxies: Galaxies, lines: Lines, spectra: Spectra) -> Problem:
    """The problem of a batch."""
    inverse = jnp.where(spectra.good, 1.0 / spectra.error, 0.0)
    return Problem(
        galaxies,
        spectra,
        model.gas_transforms(layout, galaxies, lines, spectra),
        inverse,
        jnp.where(spectra.good, spectra.flux, 0.0) * inverse,
        *_limits(layout, galaxies, spectra),
    )


def place_of(kinematics, theta) -> jax.Array:
    """Kinematics and theta of solutions as one place."""
    squared = jnp.stack([kinematics[..., 0], kinematics[..., 1] ** 2], axis=-1)
    return jnp.concatenate([squared.reshape(len(kinematics), -1), theta], axis=1)


def n_kinematic(layout: BatchLayout) -> int:
    """How many velocities and variances there are; E(B-V) comes next in a place."""
    return 2 * (1 + len(layout.components))


def kinematics_and_theta(layout: BatchLayout, place) -> tuple[jax.Array, jax.Array]:
    """The reverse of :func:`place_of`."""
    n = n_kinematic(layout)
    pairs = place[:, :n].reshape(len(place), -1, 2)
    return jnp.stack([pairs[..., 0], jnp.sqrt(pairs[..., 1])], axis=-1), place[:, n:]


def columns_at(layout: BatchLayout, problem: Problem, place) -> jax.Array:
    """Templates over the errors of the data, the stars' without shape, shape (n, n_star + n_gas, n_wave)."""
    kinematics, _ = kinematics_and_theta(layout, place)
    given = layout, problem.galaxies, problem.spectra
    parts = model.star_columns(*given, kinematics), model.gas_columns(*given, problem.transforms, kinematics)
    return jnp.concatenate(parts, axis=1) * problem.inverse[:, None]


def weighed(layout: BatchLayout, problem: Problem, place, columns, passive, near=None) -> Weighed:
    """The best weights at a place.

    Parameters
    ----------
    columns : array
        Of :func:`columns_at`.
    passive : array of bool, shape (n, n_star + n_gas)
        A guess of the weights that are positive.
    near : array, shape (n, n_star + n_gas), optional
        Weights from which the changes are solved, so that little is lost where numbers are large; 0 if not given.
    """
    _, theta = kinematics_and_theta(layout, place)
    n_star = problem.galaxies.transform.shape[1]
    shape = model.shape(problem.galaxies, problem.spectra, theta)
    columns = columns.at[:, :n_star].multiply(shape[:, None])
    smooth, lines_hold = _smooth(problem), line_hold(problem.spectra)[:, None]
    gas = np.arange(n_star, columns.shape[1])
    products = jnp.einsum("niw,njw->nij", columns, columns).at[:, :n_star, :n_star].add(smooth)
    products = products.at[:, gas, gas].add(lines_hold)
    near = jnp.zeros_like(columns[..., 0]) if near is None else near
    residual = problem.data - jnp.einsum("ni,niw->nw", near, columns)
    slope = jnp.einsum("niw,nw->ni", columns, residual)
    slope = slope - _slope_of_priors(problem, near)
    x, passive = nonnegative_from(products, slope, near, 0, passive)
    residual = problem.data - jnp.einsum("ni,niw->nw", x, columns)
    penalty = jnp.sum(x * _slope_of_priors(problem, x), axis=1) + _hold(problem) * jnp.sum(theta[:, 1:] ** 2, axis=1)
    return Weighed(columns, products, residual, x, passive, jnp.sum(residual**2, axis=1) + penalty)


def step_from(layout: BatchLayout, problem: Problem, place, best: Weighed, passive) -> Step:
    """The step to the minimum of the linearised problem, in which all weights are free as well (Gauss-Newton).

    Kinematics and E(B-V) are unknowns that are not negative when counted from the nearer of their limits; the coefficients of
    the polynomial have no limits.

    Parameters
    ----------
    passive : array of bool, shape (n, n_bounded)
        A guess of those that are not at that limit.
    """
    n_bounded = n_kinematic(layout) + 1
    columns = _moving_columns(layout, problem, place, best)
    bounded = place[:, :n_bounded]
    low, high = problem.low[:, :n_bounded], problem.high[:, :n_bounded]
    upper = bounded > 0.5 * (low + high)
    sign, origin = jnp.where(upper, -1.0, 1.0), jnp.where(upper, high, low)
    shift = bounded - origin
    # The coefficients of the polynomial, the weights, and what has limits, in this order.
    both = jnp.concatenate([columns[:, n_bounded:], sign[..., None] * columns[:, :n_bounded]], axis=1)
    n_free = both.shape[1] - n_bounded
    own = jnp.einsum("niw,njw->nij", both, both)
    cross = jnp.einsum("niw,njw->nij", both, best.columns)
    free, last = slice(0, n_free), slice(n_free, None)
    products = jnp.concatenate(
        [
            jnp.concatenate([own[:, free, free], cross[:, free], own[:, free, last]], axis=2),
            jnp.concatenate([jnp.swapaxes(cross[:, free], 1, 2), best.products, jnp.swapaxes(cross[:, last], 1, 2)], 2),
            jnp.concatenate([own[:, last, free], cross[:, last], own[:, last, last]], axis=2),
        ],
        axis=1,
    )
    onto = jnp.einsum("niw,nw->ni", both, best.residual)
    hold, coefficients = _hold(problem)[:, None], place[:, n_bounded:]
    of_weights = jnp.einsum("niw,nw->ni", best.columns, best.residual) - _slope_of_priors(problem, best.x)
    slope = jnp.concatenate([onto[:, free] - hold * coefficients, of_weights, onto[:, last]], axis=1)
    i = np.arange(n_free)
    products = products.at[:, i, i].add(hold)
    # The model is linear about the place, and what has limits counts from them.
    here = jnp.concatenate([jnp.zeros_like(coefficients), best.x, sign * shift], axis=1)
    y, positive = nonnegative_from(products, slope, here, n_free, jnp.concatenate([best.passive, passive], axis=1))
    by = y - here
    gain = jnp.sum((2.0 * slope - jnp.einsum("nij,nj->ni", products, by)) * by, axis=1)
    # What changes nothing, as the velocity of gas without lines, stays where it is.
    matters = jnp.diagonal(own, axis1=1, axis2=2)[:, last] > 0.0
    moved = jnp.where(matters, origin + sign * y[:, -n_bounded:] - bounded, 0.0)
    longest = jnp.asarray(_longest(layout), place.dtype)
    change = jnp.concatenate([jnp.clip(moved, -longest, longest), y[:, free]], axis=1)
    return Step(change, gain, positive)


def chosen(which, new, old):
    """Of two trees of arrays over spectra, the first where ``which``, shape (n,), and the second elsewhere."""

    def pick(one, two):
        return jnp.where(which.reshape(-1, *[1] * (one.ndim - 1)), one, two)

    return jax.tree.map(pick, new, old)


def solutions_of(layout: BatchLayout, problem: Problem, place, x, chi2, converged) -> Solutions:
    """Places and weights as solutions."""
    kinematics, theta = kinematics_and_theta(layout, place)
    n_star = problem.galaxies.transform.shape[1]
    return Solutions(kinematics, theta, x[:, :n_star], x[:, n_star:], chi2, jnp.full_like(chi2, jnp.nan), converged)


def line_hold(spectra: Spectra) -> jax.Array:
    """Inverse variance of the prior of the light of a line, shape (n,).

    A line that lies in masked pixels has a column of rounding: of its light any amount would do, and follow noise.
    """
    weight = jnp.where(spectra.good, spectra.error**-2.0, 0.0)
    n_good = jnp.sum(spectra.good, axis=1).astype(weight.dtype)
    return _LINE_HOLD**2 * jnp.sum(weight, axis=1) / jnp.maximum(n_good, 1.0)


def _slope_of_priors(problem: Problem, x) -> jax.Array:
    """Half of the slope of what rough weights and the light of lines cost, shape (n, n_star + n_gas)."""
    n_star = problem.galaxies.transform.shape[1]
    rough = jnp.einsum("nij,nj->ni", _smooth(problem), x[:, :n_star])
    return jnp.concatenate([rough, line_hold(problem.spectra)[:, None] * x[:, n_star:]], axis=1)


def _smooth(problem: Problem) -> jax.Array:
    """Cost of rough weights, shape (n, n_star, n_star)."""
    spectra = problem.spectra
    return jnp.asarray(problem.galaxies.roughness)[spectra.galaxy] / spectra.norm[:, None, None] ** 2


def _hold(problem: Problem) -> jax.Array:
    """Inverse variance of the prior of the polynomial, shape (n,)."""
    return jnp.asarray(problem.galaxies.polynomial_hold)[problem.spectra.galaxy]


def _limits(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra) -> tuple[jax.Array, jax.Array]:
    bound = jnp.asarray(galaxies.velocity_bound)[spectra.galaxy]
    rest = np.array([(0.0, MAX_EBV if layout.attenuation else 0.0), *[(-np.inf, np.inf)] * layout.degree])
    both = []
    for stars, sign, side in ((spectra.low, -1.0, 0), (spectra.high, 1.0, 1)):
        squared = [jnp.full_like(bound, SIGMA_COMPONENT_BOUND[c][side] ** 2) for c in layout.components]
        gas = [values for one in squared for values in (sign * bound, one)]
        moving = jnp.stack([stars[:, 0], stars[:, 1] ** 2, *gas], axis=1)
        still = jnp.broadcast_to(jnp.asarray(rest[:, side])[None], (len(bound), len(rest)))
        both.append(jnp.concatenate([moving, still], axis=1))
    return both[0], both[1]


def _longest(layout: BatchLayout) -> np.ndarray:
    kinematic = [_LONGEST_V, np.inf] * (1 + len(layout.components))
    return np.array([[*kinematic, _LONGEST_EBV]])


def _moving_columns(layout: BatchLayout, problem: Problem, place, best: Weighed) -> jax.Array:
    """Derivatives by the place over the errors of the data; none by what is fixed."""
    at = solutions_of(layout, problem, place, best.x, best.chi2, best.chi2 > 0.0)
    columns = model.jacobian(layout, problem.galaxies, problem.spectra, problem.transforms, at)
    free = problem.high > problem.low
    return jnp.where(free[..., None], columns * problem.inverse[:, None], 0.0)
