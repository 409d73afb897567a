"""Other minima of the gas, for a batch: weak lines have several, and one may be as good as that of a solution.

They are sought with the stars as they are, from the maxima of a scan (:mod:`mangrove.spectra.fit.batched.starts`) and from the
velocities at which gas usually is.
"""

import jax
import jax.numpy as jnp

from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import BatchLayout, Solutions
from mangrove.spectra.fit.batched.descent import descend
from mangrove.spectra.fit.batched.problem import Problem, columns_at, n_kinematic, place_of, weighed
from mangrove.spectra.fit.batched.starts import gas_maxima, star_velocity_variance, unusual
from mangrove.spectra.fit.bounds import START_SIGMA_GAS

#: Minima are different ones if their velocities or dispersions differ by more than this, km/s; another is followed to its
#: end if it is higher by no more than this with the stars as they are.
_DIFFERENT_V, _DIFFERENT_SIGMA, _RIVAL = 35.0, 100.0, 3.0
#: So many maxima of the scan are compared; so is the gas at the velocity of the stars, and at that of the galaxy, unless it
#: lowers chi2 by more than this, where the scan has all minima that count.
_N_MAXIMA, _SEEN_CLEARLY = 3, 50.0
#: The scan is coarse: of what a minimum gains it may miss so much, and no less than this part of it.
_SLACK, _LEAST_HOPE = 5.0, 0.8
#: Minima are compared when a step promises to lower chi2 by no more than this.
_NEAR_ENOUGH = 0.02


def rivals(layout: BatchLayout, problem: Problem, found: Solutions) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The best other minimum of the gas, and whether it may be as good as that of a solution.

    It is sought with the stars as they are; then all weights are solved again. Where the scan has nothing that comes near to
    the gas that was found, no step is taken.

    Returns
    -------
    place : array, shape (n, n_place)
    is_rival : array of bool, shape (n,)
    variance : array, shape (n,)
        Of the velocity of the stars (:func:`mangrove.spectra.fit.batched.starts.star_velocity_variance`).
    """
    given = layout, problem.galaxies, problem.spectra
    stars = model.stellar_continuum(*given, found.weights, found.kinematics, found.theta)
    rest = problem._replace(data=problem.data - stars * problem.inverse)
    place = place_of(found.kinematics, found.theta)
    gas = model.emission(*given, problem.transforms, found.gas, found.kinematics) * problem.inverse
    reached = jnp.sum(rest.data**2 - (rest.data - gas) ** 2, axis=1)
    variance = star_velocity_variance(problem, stars)
    tops, hopeful = _gas_tops(layout, rest, place, variance, reached)
    bare = _without_stars(layout, rest)

    def with_each(one):
        top, hope = one
        unknown = jnp.full_like(found.chi2, jnp.inf)
        return jax.lax.cond(jnp.any(hope), lambda: _minimum(layout, problem, bare, found, top), lambda: (top, unknown))

    minima, tried = jax.lax.map(with_each, (jnp.swapaxes(tops, 0, 1), hopeful.T))
    minima, tried = jnp.swapaxes(minima, 0, 1), jnp.where(hopeful, tried.T, jnp.inf)
    worth = tried + unusual(minima[..., 0], place[:, :1], variance[:, None])
    row, best = jnp.arange(len(place)), jnp.argmin(worth, axis=1)
    least = worth[row, best] - unusual(place[:, 2], place[:, 0], variance)
    is_rival = jnp.minimum(tried[row, best], least) < found.chi2 + _RIVAL
    return place.at[:, 2:4].set(minima[row, best]), is_rival, variance


def are_different(one, other) -> jax.Array:
    """Whether the gas of two solutions of each spectrum is that of different minima, shape (n,).

    Parameters
    ----------
    one, other : array, shape (n, 1 + n_component, 2)
        Velocity and dispersion of the stars and of each component of the gas, km/s; the first of the gas counts.
    """
    apart = jnp.abs(one[:, 1] - other[:, 1])
    return (apart[:, 0] > _DIFFERENT_V) | (apart[:, 1] > _DIFFERENT_SIGMA)


def _minimum(
    layout: BatchLayout, problem: Problem, bare: Problem, found: Solutions, top
) -> tuple[jax.Array, jax.Array]:
    """The minimum of the gas next to a velocity and variance, shape (n, 2), and chi2 there with all weights solved again.

    chi2 is infinite where it is the minimum that was found.

    Parameters
    ----------
    bare : Problem
        Of the gas alone.
    """
    place = place_of(found.kinematics, found.theta)
    only = layout._replace(degree=0)
    start = place[:, : n_kinematic(layout) + 1].at[:, 2:4].set(top)
    end = descend(only, bare, start, _NEAR_ENOUGH)
    pair = place_of(end.kinematics, end.theta)[:, 2:4]
    apart = _is_apart(pair[:, None], place)[:, 0]

    def solved_again():
        at = place.at[:, 2:4].set(pair)
        near = jnp.concatenate([found.weights, jnp.zeros_like(found.gas)], axis=1)
        return weighed(layout, problem, at, columns_at(layout, problem, at), near > 0.0, near).chi2

    unknown = jnp.full_like(found.chi2, jnp.inf)
    chi2 = jax.lax.cond(jnp.any(apart), solved_again, lambda: unknown)
    return pair, jnp.where(apart, chi2, jnp.inf)


def _gas_tops(layout: BatchLayout, rest: Problem, place, variance, reached) -> tuple[jax.Array, jax.Array]:
    """Velocities and variances of the gas that may lead to another minimum, shape (n, n_top, 2), and which do.

    What leads nowhere is put where the gas is.

    Parameters
    ----------
    reached : array, shape (n,)
        By how much the gas that was found lowers chi2.
    """
    usual = jnp.stack([place[:, 0], rest.spectra.start[:, 0]], axis=1)
    usual = jnp.stack([usual, jnp.full_like(usual, START_SIGMA_GAS**2)], axis=-1)
    maxima, gain = gas_maxima(layout, rest, place, variance, _N_MAXIMA)
    # Of gas that is seen clearly, the scan has all minima that count.
    hopeful = [jnp.broadcast_to(reached[:, None] < _SEEN_CLEARLY, usual.shape[:2])]
    # Whether a minimum is taken depends on how far gas is from the stars as well.
    usual_v = unusual(place[:, 2], place[:, 0], variance)[:, None]
    usual_v -= unusual(maxima[..., 0], place[:, :1], variance[:, None])
    hopeful += [gain + jnp.maximum(usual_v, 0.0) + _SLACK > _LEAST_HOPE * reached[:, None]]
    tops = jnp.concatenate([usual, maxima], axis=1)
    hopeful = jnp.concatenate(hopeful, axis=1) & _is_apart(tops, place)
    return jnp.where(hopeful[..., None], tops, place[:, None, 2:4]), hopeful


def _is_apart(pairs, place) -> jax.Array:
    """Whether velocities and variances of the gas, shape (n, k, 2), are others than that of a place, shape (n, k)."""
    by_sigma = jnp.abs(jnp.sqrt(pairs[..., 1]) - jnp.sqrt(place[:, None, 3])) > _DIFFERENT_SIGMA
    return by_sigma | (jnp.abs(pairs[..., 0] - place[:, None, 2]) > _DIFFERENT_V)


def _without_stars(layout: BatchLayout, rest: Problem) -> Problem:
    """The problem of the gas alone, with neither stars nor polynomial."""
    galaxies = rest.galaxies._replace(
        transform=rest.galaxies.transform[:, :0],
        roughness=rest.galaxies.roughness[:, :0, :0],
        legendre=rest.galaxies.legendre[:, :0],
    )
    n = n_kinematic(layout) + 1
    return rest._replace(galaxies=galaxies, low=rest.low[:, :n], high=rest.high[:, :n])
