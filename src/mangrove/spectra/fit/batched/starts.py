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
from mangrove.spectra.fit.batched.batch import BatchLayout, Lines, Spectra
from mangrove.spectra.fit.batched.factors import cholesky, solve_factored
from mangrove.spectra.fit.batched.problem import (
    Problem,
    chosen,
    kinematics_and_theta,
    n_kinematic,
    place_of,
    weighed,
)
from mangrove.spectra.fit.bounds import START_SIGMA_GAS
from mangrove.spectra.fit.component_names import MAIN

#: Values of E(B-V) of which the best is the start, in the polynomial where there is no dust curve.
_START_EBV = (0.0, 0.25, 0.6, 1.1)
#: Gas moves by no more than this, km/s, in nearly all galaxies: pixels so near to a line tell nothing about stars, unless
#: less than this part of the pixels would be left.
_LINE_REACH, _LEAST_LEFT = 1000.0, 0.3
#: Dispersions of the gas that the scan tries, km/s.
_SCANNED_SIGMA = (30.0, 70.0, 150.0, 280.0)
#: A line counts where at least this part of its light can fall on good pixels.
_LEAST_SEEN = 0.2
#: Noise has minima of weak lines at any velocity, gas mostly near that of the stars: so far from it, km/s, a minimum must
#: be lower by 1, and by the square of that farther away.
_USUAL_SHIFT = 60.0
#: What the variance of the velocity of the stars counts as in that: it is that of the slopes of starlight alone, which noise
#: makes steeper, and which weights, dispersion and polynomial share.
_UNSURE = 10.0
#: Least inverse of that variance, s2/km2: of no starlight.
_LEAST_KNOWN = 1e-8
#: Stars mostly move by no more than this against the start, km/s: farther away they must match better as well.
_USUAL_VELOCITY = 200.0


def started(layout: BatchLayout, lines: Lines, problem: Problem) -> jax.Array:
    """Places from which fits start, shape (n, n_place)."""
    place, weights = _stars(layout, lines, problem)
    kinematics, theta = kinematics_and_theta(layout, place)
    stars = model.stellar_continuum(layout, problem.galaxies, problem.spectra, weights, kinematics, theta)
    rest = problem._replace(data=problem.data - stars * problem.inverse)
    variance = star_velocity_variance(problem, stars)
    return place.at[:, 2:4].set(gas_maxima(layout, rest, place, variance, 1)[0][:, 0])


def star_velocity_variance(problem: Problem, stars) -> jax.Array:
    """Variance of the velocity of the stars by the slopes of the starlight, were nothing else free, km2/s2, shape (n,).

    Parameters
    ----------
    stars : array, shape (n, n_wave)
        The stellar continuum.
    """
    pixel = jnp.asarray(problem.galaxies.pixel)[problem.spectra.galaxy]
    by_velocity = jnp.gradient(stars, axis=1) * problem.inverse / pixel[:, None]
    return 1.0 / jnp.maximum(jnp.sum(by_velocity**2, axis=1), _LEAST_KNOWN)


def unusual(v_gas, v_star, variance) -> jax.Array:
    """What is added to chi2 when minima of the gas are compared, for how far gas is from the stars.

    Parameters
    ----------
    variance : array
        Of ``v_star`` (:func:`star_velocity_variance`): gas is near to stars only if it is known where they are.
    """
    return (v_gas - v_star) ** 2 / (_USUAL_SHIFT**2 + _UNSURE * variance)


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
    return place_of(kinematics, jnp.zeros((n, 1 + layout.degree), gas.dtype))


def _away_from_lines(lines: Lines, problem: Problem) -> Problem:
    """The problem without the pixels near lines."""
    spectra = problem.spectra
    wave = jnp.asarray(problem.galaxies.wave)[spectra.galaxy]
    v = C_KMS * jnp.log(wave[:, None] / jnp.asarray(lines.wave, wave.dtype)[None, :, None])
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
    dust = n_kinematic(layout)
    if layout.attenuation:
        return place.at[:, dust].set(ebv)
    if layout.degree == 0:
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


def gas_maxima(layout: BatchLayout, rest: Problem, place, variance, number: int) -> tuple[jax.Array, jax.Array]:
    """Velocity and variance of the gas where its lines lower chi2 most, shape (n, number + 1, 2), and by how much.

    The last one is the highest maximum of narrow lines: where noise makes broad ones gain more, it would not show.

    Parameters
    ----------
    variance : array, shape (n,)
        Of the velocity of the stars.
    """
    given = layout, rest.galaxies, rest.spectra
    main = [i for i, c in enumerate(layout.gas_component) if c == MAIN]
    weighted, weight = rest.data * rest.inverse, rest.inverse**2

    def total(sigma):
        kernel = model.broadening(*given, place[:, 2], jnp.full_like(place[:, 0], sigma**2))
        gain = _gain(layout, rest.transforms[:, jnp.array(main)] * kernel[:, None], weighted[:, None], weight[:, None])
        return jnp.sum(gain, axis=1)

    scanned = jnp.array(_SCANNED_SIGMA, place.dtype)
    v = place[:, 2:3] + _shifts(layout, rest)
    inside = (v >= rest.low[:, 2:3]) & (v <= rest.high[:, 2:3])
    gains = jnp.where(inside, jax.lax.map(total, scanned), -jnp.inf)
    highest, which = jnp.max(gains, axis=0), jnp.argmax(gains, axis=0)
    gain, narrow = (values - unusual(v, place[:, :1], variance[:, None]) for values in (highest, gains[0]))
    top = (gain >= jnp.roll(gain, 1, axis=1)) & (gain >= jnp.roll(gain, -1, axis=1))
    _, places = jax.lax.top_k(jnp.where(top, gain, -jnp.inf), number)
    narrowest = jnp.argmax(narrow, axis=1).astype(places.dtype)
    velocities = [_refined(v, gain, places[:, i]) for i in range(number)] + [_refined(v, narrow, narrowest)]
    places = jnp.concatenate([places, narrowest[:, None]], axis=1)
    variance = jnp.square(scanned)[jnp.take_along_axis(which, places, axis=1)].at[:, -1].set(scanned[0] ** 2)
    lowered = (
        jnp.take_along_axis(highest, places, axis=1)
        .at[:, -1]
        .set(jnp.take_along_axis(gains[0], places[:, -1:], axis=1)[:, 0])
    )
    return jnp.stack([jnp.stack(velocities, axis=1), variance], axis=-1), lowered
