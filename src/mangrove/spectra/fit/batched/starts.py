"""Where fits start: velocities of stars and gas from a coarse scan, and the best of several values of E(B-V), for a batch.

From a velocity that is 500 km/s off most fits end in a wrong minimum. A shift by whole pixels is a cross-correlation, so all shifts
cost one transform back (Tonry & Davis 1979, AJ 84, 1511): of the stars, fitted to the pixels away from lines, and of each
line with what they leave. Gas with weak lines has several minima: once the stars are known, all of them are compared, and
where another one may be as good it is followed to its end.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import BatchLayout, Lines, Solutions, Spectra
from mangrove.spectra.fit.batched.descent import descend
from mangrove.spectra.fit.batched.factors import cholesky, solve_factored
from mangrove.spectra.fit.batched.problem import (
    Problem,
    chosen,
    columns_at,
    kinematics_and_theta,
    n_kinematic,
    place_of,
    weighed,
)
from mangrove.spectra.fit.bounds import START_SIGMA_GAS
from mangrove.spectra.fit.templates import MAIN

#: Values of E(B-V) of which the best is the start, in the polynomial where there is no dust curve.
_START_EBV = (0.0, 0.25, 0.6, 1.1)
#: Gas moves by no more than this, km/s, in nearly all galaxies: pixels so near to a line tell nothing about stars, unless
#: less than this part of the pixels would be left.
_LINE_REACH, _LEAST_LEFT = 1000.0, 0.3
#: Dispersions of the gas that the scan tries, km/s, and how many of its maxima are compared; so is the gas at the
#: velocity of the stars, and at that of the galaxy.
_SCANNED_SIGMA, _N_MAXIMA = (30.0, 70.0, 150.0, 280.0), 3
#: A line counts where at least this part of its light can fall on good pixels.
_LEAST_SEEN = 0.2
#: Minima of the gas are different ones if their velocities or dispersions differ by more than this, km/s; another is
#: followed to its end if it is higher by no more than this with the stars as they are.
DIFFERENT_V, _DIFFERENT_SIGMA, _RIVAL = 35.0, 100.0, 3.0
#: Noise has minima of weak lines at any velocity, gas mostly near that of the stars: so far from it, km/s, a minimum must
#: be lower by 1, and by the square of that farther away.
_USUAL_SHIFT = 60.0
#: Stars mostly move by no more than this against the start, km/s: farther away they must match better as well.
_USUAL_VELOCITY = 200.0


def started(layout: BatchLayout, lines: Lines, problem: Problem) -> jax.Array:
    """Places from which fits start, shape (n, n_place)."""
    place, weights = _stars(layout, lines, problem)
    kinematics, theta = kinematics_and_theta(layout, place)
    stars = model.stellar_continuum(layout, problem.galaxies, problem.spectra, weights, kinematics, theta)
    rest = problem._replace(data=problem.data - stars * problem.inverse)
    return place.at[:, 2:4].set(_gas_maxima(layout, rest, place, 1)[:, 0])


def unusual(v_gas, v_star) -> jax.Array:
    """What is added to chi2 when minima of the gas are compared, for how far gas is from the stars."""
    return ((v_gas - v_star) / _USUAL_SHIFT) ** 2


def rivals(layout: BatchLayout, problem: Problem, found: Solutions) -> tuple[jax.Array, jax.Array]:
    """The best other minimum of the gas, and whether it may be as good as that of a solution.

    It is sought with the stars as they are; then all weights are solved again.

    Returns
    -------
    place : array, shape (n, n_place)
    is_rival : array of bool, shape (n,)
    """
    given = layout, problem.galaxies, problem.spectra
    stars = model.stellar_continuum(*given, found.weights, found.kinematics, found.theta)
    rest = problem._replace(data=problem.data - stars * problem.inverse)
    place = place_of(found.kinematics, found.theta)
    minima = _gas_minima(layout, rest, place)
    apart = jnp.abs(minima[..., 0] - place[:, None, 2]) > DIFFERENT_V
    apart = apart | (jnp.abs(jnp.sqrt(minima[..., 1]) - jnp.sqrt(place[:, None, 3])) > _DIFFERENT_SIGMA)
    columns = columns_at(layout, problem, place)
    passive = jnp.concatenate([found.weights > 0.0, found.gas > 0.0], axis=1)

    def chi2_with(pair):
        at = place.at[:, 2:4].set(pair)
        gas = model.gas_columns(*given, problem.transforms, kinematics_and_theta(layout, at)[0])
        there = columns.at[:, found.weights.shape[1] :].set(gas * problem.inverse[:, None])
        return weighed(layout, problem, at, there, passive).chi2

    tried = jax.lax.map(chi2_with, jnp.swapaxes(minima, 0, 1)).T
    tried = jnp.where(apart, tried, jnp.inf)
    worth = tried + unusual(minima[..., 0], place[:, :1])
    row, best = jnp.arange(len(place)), jnp.argmin(worth, axis=1)
    least = worth[row, best] - unusual(place[:, 2], place[:, 0])
    is_rival = jnp.minimum(tried[row, best], least) < found.chi2 + _RIVAL
    return place.at[:, 2:4].set(minima[row, best]), is_rival


def _stars(layout: BatchLayout, lines: Lines, problem: Problem) -> tuple[jax.Array, jax.Array]:
    """Place with the stars where the scan has them, and the weights of their templates there."""
    quiet = _away_from_lines(lines, problem)
    place, weights = _best_ebv(layout, quiet, _first(layout, problem.spectra))
    place = _scanned(layout, quiet, place, weights)
    columns = _star_columns(layout, quiet, place)
    best = weighed(layout, quiet, place, columns, weights > 0.0)
    return place, best.x


def _first(layout: BatchLayout, spectra: Spectra) -> jax.Array:
    """The place before anything is known but a guide."""
    n, n_component = len(spectra.start), len(layout.components)
    gas = jnp.stack([spectra.start[:, 0], jnp.full_like(spectra.start[:, 0], START_SIGMA_GAS)], axis=1)
    kinematics = jnp.concatenate([spectra.start[:, None], jnp.repeat(gas[:, None], n_component, axis=1)], axis=1)
    return place_of(kinematics, jnp.zeros((n, 1 + layout.settings.polynomial_degree), gas.dtype))


def _away_from_lines(lines: Lines, problem: Problem) -> Problem:
    """The problem without the pixels near lines."""
    spectra = problem.spectra
    wave = jnp.asarray(problem.galaxies.wave)[spectra.galaxy]
    v = C_KMS * jnp.log(wave[:, None] / jnp.asarray(lines.wave)[None, :, None])
    quiet = spectra.good & ~jnp.any((jnp.abs(v) < _LINE_REACH) & spectra.use[..., None], axis=1)
    enough = jnp.mean(quiet, axis=1) > _LEAST_LEFT * jnp.mean(spectra.good, axis=1)
    quiet = quiet | ~enough[:, None]
    return problem._replace(inverse=jnp.where(quiet, problem.inverse, 0.0), data=jnp.where(quiet, problem.data, 0.0))


def _star_columns(layout: BatchLayout, problem: Problem, place) -> jax.Array:
    kinematics, _ = kinematics_and_theta(layout, place)
    return model.star_columns(layout, problem.galaxies, problem.spectra, kinematics) * problem.inverse[:, None]


def _best_ebv(layout: BatchLayout, problem: Problem, place) -> tuple[jax.Array, jax.Array]:
    """Place with the best of several values of E(B-V), and the weights of the stars there."""
    columns = _star_columns(layout, problem, place)

    def tried(best, ebv):
        _, weights, chi2 = best
        at = _with_dust(layout, problem, place, ebv)
        new = weighed(layout, problem, at, columns, weights > 0.0)
        return chosen(new.chi2 < chi2, (at, new.x, new.chi2), best), None

    nothing = jnp.zeros_like(columns[..., 0]), jnp.full_like(place[:, 0], jnp.inf)
    (place, weights, _), _ = jax.lax.scan(tried, (place, *nothing), jnp.array(_START_EBV, place.dtype))
    return place, weights


def _with_dust(layout: BatchLayout, problem: Problem, place, ebv) -> jax.Array:
    """The place with this E(B-V), in the polynomial where there is no dust curve."""
    dust, settings = n_kinematic(layout), layout.settings
    if settings.continuum.attenuation:
        return place.at[:, dust].set(ebv)
    if settings.polynomial_degree == 0:
        return place
    legendre, curve = (
        jnp.asarray(a)[problem.spectra.galaxy] for a in (problem.galaxies.legendre, problem.galaxies.curve)
    )
    n_wave = problem.spectra.n_wave[:, None]
    inside = jnp.arange(curve.shape[1], dtype=n_wave.dtype)[None] < n_wave
    attenuation = jnp.where(inside, jnp.exp(-ebv * curve), 0.0)
    # The polynomial has a mean of 1; the level is that of the weights.
    level = n_wave.astype(curve.dtype) / jnp.sum(attenuation, axis=1, keepdims=True)
    relative = attenuation * level - inside.astype(curve.dtype)
    products = jnp.einsum("ndw,new->nde", legendre, legendre)
    right = jnp.einsum("ndw,nw->nd", legendre, relative)
    return place.at[:, dust + 1 :].set(solve_factored(cholesky(products), right[..., None])[..., 0])


def _scanned(layout: BatchLayout, problem: Problem, place, weights) -> jax.Array:
    """The place with the velocity at which the stars with these weights match best."""
    kinematics, theta = kinematics_and_theta(layout, place)
    given = layout, problem.galaxies, problem.spectra
    kernel = model.broadening(*given, kinematics[:, 0, 0], kinematics[:, 0, 1] ** 2)
    mixture = model.star_mixture(*given[1:], weights) * kernel
    shape = model.shape(*given[1:], theta)
    gain = _gain(layout, mixture, problem.data * problem.inverse * shape, (problem.inverse * shape) ** 2)
    v = place[:, :1] + _shifts(layout, problem)
    inside = (v >= problem.low[:, :1]) & (v <= problem.high[:, :1])
    # Templates that do not match gain by chance: what they gain counts over the chi2 per pixel that they leave.
    left = jnp.sum(problem.data**2, axis=1) - jnp.max(gain, axis=1)
    scale = jnp.maximum(left / jnp.sum(problem.inverse > 0.0, axis=1).astype(left.dtype), 1.0)
    gain = gain / scale[:, None] - ((v - place[:, :1]) / _USUAL_VELOCITY) ** 2
    gain = jnp.where(inside, gain, -jnp.inf)
    best = jnp.argmax(gain, axis=1)
    is_free = problem.high[:, 0] > problem.low[:, 0]
    return place.at[:, 0].set(jnp.where(is_free, _refined(v, gain, best), place[:, 0]))


def _gain(layout: BatchLayout, transforms, weighted, weight) -> jax.Array:
    """By how much templates lower chi2, each by itself, at all shifts by whole pixels, shape (..., n_fft).

    Parameters
    ----------
    transforms : array, shape (..., n_freq)
        Of the templates where they are not shifted.
    weighted, weight : array, shape (..., n_wave)
        Data over variance, and inverse variance; both with the shape that multiplies the template.
    """
    back = partial(jnp.fft.irfft, n=layout.n_fft, axis=-1)
    onto = back(jnp.conj(transforms) * jnp.fft.rfft(weighted, layout.n_fft))
    squared = jnp.fft.rfft(back(transforms) ** 2)
    length = back(jnp.conj(squared) * jnp.fft.rfft(weight, layout.n_fft))
    seen = length > _LEAST_SEEN * jnp.max(length, axis=-1, keepdims=True)
    return jnp.where(seen, jnp.maximum(onto, 0.0) ** 2 / jnp.where(seen, length, 1.0), 0.0)


def _shifts(layout: BatchLayout, problem: Problem) -> jax.Array:
    """Velocities, km/s, of the shifts, shape (n, n_fft)."""
    pixel = jnp.asarray(problem.galaxies.pixel)[problem.spectra.galaxy]
    return pixel[:, None] * jnp.asarray(np.fft.fftfreq(layout.n_fft, 1.0 / layout.n_fft), pixel.dtype)[None]


def _refined(v, gain, best) -> jax.Array:
    """Velocity of the top of the parabola through a maximum and its neighbours, shape (n,)."""

    def at(values, shift):
        return jnp.take_along_axis(values, (best + shift)[:, None] % values.shape[1], axis=1)[:, 0]

    before, top, after = (at(gain, shift) for shift in (-1, 0, 1))
    bend = before - 2.0 * top + after
    part = jnp.where(jnp.isfinite(bend) & (bend < 0.0), 0.5 * (before - after) / jnp.where(bend < 0.0, bend, -1.0), 0.0)
    return at(v, 0) + jnp.clip(part, -0.5, 0.5) * (v[:, 1] - v[:, 0])


def _gas_minima(layout: BatchLayout, rest: Problem, place) -> jax.Array:
    """Velocity and variance of the first component of the gas in the minima of what the stars leave, shape (n, n_minimum, 2)."""
    n = len(place)
    usual = jnp.stack([place[:, 0], rest.spectra.start[:, 0]], axis=1)
    usual = jnp.stack([usual, jnp.full_like(usual, START_SIGMA_GAS**2)], axis=-1)
    tops = jnp.concatenate([usual, _gas_maxima(layout, rest, place, _N_MAXIMA)], axis=1)
    rows = jnp.repeat(jnp.arange(n), tops.shape[1])
    only = _without_stars(layout, rest, rows)
    at = place[rows, : n_kinematic(layout) + 1].at[:, 2:4].set(tops.reshape(-1, 2))
    bare = layout._replace(settings=layout.settings._replace(polynomial_degree=0))
    found = descend(bare, only, at)
    return place_of(found.kinematics, found.theta)[:, 2:4].reshape(n, -1, 2)


def _gas_maxima(layout: BatchLayout, rest: Problem, place, number: int) -> jax.Array:
    """Velocity and variance of the gas where its lines lower chi2 most, shape (n, number, 2)."""
    given = layout, rest.galaxies, rest.spectra
    main = [i for i, c in enumerate(layout.gas_component) if c == MAIN]
    weighted, weight = rest.data * rest.inverse, rest.inverse**2

    def total(sigma):
        kernel = model.broadening(*given, place[:, 2], jnp.full_like(place[:, 0], sigma**2))
        gain = _gain(layout, rest.transforms[:, jnp.array(main)] * kernel[:, None], weighted[:, None], weight[:, None])
        return jnp.sum(gain, axis=1)

    scanned = jnp.array(_SCANNED_SIGMA, place.dtype)
    gains = jax.lax.map(total, scanned)
    gain, which = jnp.max(gains, axis=0), jnp.argmax(gains, axis=0)
    v = place[:, 2:3] + _shifts(layout, rest)
    gain = jnp.where((v >= rest.low[:, 2:3]) & (v <= rest.high[:, 2:3]), gain, -jnp.inf)
    gain = gain - unusual(v, place[:, :1])
    top = (gain >= jnp.roll(gain, 1, axis=1)) & (gain >= jnp.roll(gain, -1, axis=1))
    _, places = jax.lax.top_k(jnp.where(top, gain, -jnp.inf), number)
    variance = jnp.square(scanned)[jnp.take_along_axis(which, places, axis=1)]
    velocities = jnp.stack([_refined(v, gain, places[:, i]) for i in range(number)], axis=1)
    return jnp.stack([velocities, variance], axis=-1)


def _without_stars(layout: BatchLayout, rest: Problem, rows) -> Problem:
    """The problem of the gas alone, of some spectra, with neither stars nor polynomial."""
    galaxies = rest.galaxies._replace(
        transform=rest.galaxies.transform[:, :0],
        roughness=rest.galaxies.roughness[:, :0, :0],
        legendre=rest.galaxies.legendre[:, :0],
    )
    n = n_kinematic(layout) + 1
    low, high = (jnp.asarray(limits)[rows, :n] for limits in (rest.low, rest.high))
    return Problem(
        galaxies,
        jax.tree.map(lambda values: jnp.asarray(values)[rows], rest.spectra),
        rest.transforms[rows],
        rest.inverse[rows],
        rest.data[rows],
        low,
        high,
    )
