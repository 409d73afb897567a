"""Whether gas has more than one component, for a batch: as :mod:`mangrove.spectra.fit.ppxf.gas_components` chooses."""

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.physics.lines import LineList
from mangrove.spectra.fit.batched.arrays import lines_of, with_gas
from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Solutions
from mangrove.spectra.fit.batched.clipping import distance_to_lines, residuals
from mangrove.spectra.fit.batched.model import broadening, gas_columns, gas_transforms, on_data, stellar_continuum
from mangrove.spectra.fit.batched.nonnegative import nonnegative
from mangrove.spectra.fit.batched.residuals import robust_rms, scatter_of_sums
from mangrove.spectra.fit.batched.solve import Start, solve
from mangrove.spectra.fit.batched.solved import Solved
from mangrove.spectra.fit.bounds import GAS_DETECTED, NEAR_BOUND, SIGMA_COMPONENT_BOUND
from mangrove.spectra.fit.component_names import BROAD, MAIN, SECOND
from mangrove.spectra.fit.component_trials import (
    AWAY_FROM_LINES,
    LEAST_START_SIGMA,
    MIN_BIC_GAIN,
    PAIRS,
    SINGLES,
    START_BROAD,
    further_components,
)
from mangrove.spectra.fit.settings import FitSettings


def choose_components(one: Solved, lines: LineList, settings: FitSettings) -> list[Solved]:
    """The same spectra, each with the best of the models that the settings allow, in a batch for each model.

    A further component is tried in those whose gas is detected, and taken where it lowers the Bayesian information
    criterion by more than :data:`mangrove.spectra.fit.component_trials.MIN_BIC_GAIN`
    (:func:`mangrove.spectra.fit.ppxf.gas_components.choose_components` says how it is counted).

    Parameters
    ----------
    one : Solved
        With a single component of the gas.
    """
    allowed = further_components(settings)
    if not allowed:
        return [one]
    detected = one.piece.run(is_detected, one.solutions)
    grown = [model for part in one.where(detected) for model in _grown(part, allowed, lines)]
    return one.where(~detected) + [_narrow_first(part) for part in grown]


def _grown(less: Solved, allowed: list[int], lines: LineList) -> list[Solved]:
    """With the component that gains most, and then perhaps with the others, in those spectra where one gains enough."""
    if not allowed:
        return [less]
    trials = [_with(less, kind, lines) for kind in allowed]
    gains = np.array([trial.bic_gain - less.bic_gain for trial in trials])
    first, enough = np.argmax(gains, axis=0), np.max(gains, axis=0) > MIN_BIC_GAIN
    models = less.where(~enough)
    for place, trial in enumerate(trials):
        others = allowed[:place] + allowed[place + 1 :]
        for part in trial.where(enough & (first == place)):
            models += _grown(part, others, lines)
    return models


def _with(less: Solved, kind: int, lines: LineList) -> Solved:
    """The solutions with one more component, from that start whose lines alone lower chi2 most."""
    layout = with_gas(less.piece.layout, lines, sorted({*less.piece.layout.components, kind}))
    piece = less.piece.with_gas(layout, lines_of(layout, lines))
    kinematics = piece.run(best_start, less.solutions, kind=kind)
    more = piece.run(solve, Start(kinematics, less.solutions.theta))
    before = less.piece.run(chi2_and_n_free, less.solutions)
    gain = piece.run(bic_gain, more, *before, kind=kind)
    return Solved(less.rows, piece, more, less.bic_gain + gain)


def is_detected(batch: Batch, solutions: Solutions) -> jax.Array:
    """Whether one of the lines is, shape (n,)."""
    layout, galaxies, lines, spectra = batch
    transforms = gas_transforms(layout, galaxies, lines, spectra)
    columns = gas_columns(layout, galaxies, spectra, transforms, solutions.kinematics)
    length = jnp.sqrt(jnp.sum(jnp.where(spectra.good, 1.0 / spectra.error, 0.0)[:, None] ** 2 * columns**2, axis=-1))
    return jnp.any(solutions.gas * length > GAS_DETECTED, axis=-1)


def chi2_and_n_free(batch: Batch, solutions: Solutions) -> tuple[jax.Array, jax.Array]:
    """chi2 of the data, and what is free in the gas: positive weights, and the kinematics of its components; shape (n,)."""
    n_weight = jnp.sum(solutions.gas > 0, axis=-1)
    n_free = n_weight + jnp.asarray(2 * len(batch.layout.components), n_weight.dtype)
    return jnp.sum(residuals(batch, solutions) ** 2, axis=-1), n_free


def best_start(batch: Batch, less: Solutions, kind: int) -> jax.Array:
    """Kinematics of stars and gas from which a solution with one more component starts, shape (n, 1 + n_component, 2).

    Parameters
    ----------
    batch : Batch
        With that component in its layout.
    less : Solutions
        Without it.
    """
    layout = batch.layout
    components, kinematics, starts = _blocks(layout, less, kind)
    products, right = _normal_equations(batch, less, components, kinematics)
    first = np.cumsum([0, *(layout.gas_component.count(c) for c in components)])
    column = np.array([np.concatenate([np.arange(first[i], first[i + 1]) for i in start]) for start in starts])
    products = products[:, column[:, :, None], column[:, None]]
    right = right[:, column]
    n, (n_start, m) = len(right), column.shape
    weights, _ = nonnegative(products.reshape(-1, m, m), right.reshape(-1, 1, m))
    weights = weights.reshape(n, n_start, m)
    # At the solution chi2 is lower by the products of weights and right hand side.
    best = jnp.argmax(jnp.sum(weights * right, axis=-1), axis=-1)
    gas = jnp.take_along_axis(kinematics, jnp.array(starts)[best][..., None], axis=1)
    return jnp.concatenate([less.kinematics[:, :1], gas], axis=1)


def bic_gain(batch: Batch, more: Solutions, chi2, n_free, kind: int) -> jax.Array:
    """By how much a component lowers BIC; minus infinity where it is at a bound, shape (n,).

    Parameters
    ----------
    chi2, n_free : array, shape (n,)
        Without it (:func:`chi2_and_n_free`).
    """
    spectra = batch.spectra
    velocity, sigma = jnp.moveaxis(more.kinematics[:, 1 + batch.layout.components.index(kind)], -1, 0)
    bound = jnp.asarray(batch.galaxies.velocity_bound)[spectra.galaxy]
    low, high = SIGMA_COMPONENT_BOUND[kind]
    beyond = (jnp.abs(velocity) > NEAR_BOUND * bound) | (sigma > NEAR_BOUND * high)
    if kind == BROAD:
        beyond |= NEAR_BOUND * sigma < low
    residual = residuals(batch, more)
    away = distance_to_lines(batch, more.kinematics[:, 1, 0]) > AWAY_FROM_LINES
    # A Gaussian is as wide as the equivalent width of the square of its profile.
    pixel = jnp.asarray(batch.galaxies.pixel)[spectra.galaxy]
    size = jnp.maximum((2.0 * np.sqrt(np.pi) * sigma / pixel).astype(jnp.int64), 1)
    rms = jnp.maximum(robust_rms(residual, spectra.good), 1.0)
    scale = rms * scatter_of_sums(residual / rms[:, None], spectra.good & away, size)
    chi2_more, n_more = chi2_and_n_free(batch, more)
    n_good = jnp.sum(spectra.good, axis=-1)
    cost = (n_more - n_free).astype(chi2.dtype) * jnp.log(n_good.astype(chi2.dtype))
    gain = (chi2 - chi2_more) / scale**2 - cost
    return jnp.where(beyond | ~jnp.isfinite(gain), -jnp.inf, gain)


def _blocks(layout: BatchLayout, less: Solutions, kind: int) -> tuple[list[int], jax.Array, list[tuple[int, ...]]]:
    """Lines of one component at one velocity and width each, of which starts are made.

    Returns
    -------
    components : list of int, length n_block
    kinematics : array, shape (n, n_block, 2)
    starts : list of tuple of int
        The block of each component of the layout.
    """
    known = less.kinematics[:, 1:]
    n = len(known)
    if kind == BROAD:
        place = known.shape[1]
        components = [*layout.components[:-1], *[BROAD] * len(START_BROAD)]
        sigma = jnp.broadcast_to(jnp.array(START_BROAD)[None], (n, len(START_BROAD)))
        trials = jnp.stack([jnp.broadcast_to(known[:, :1, 0], sigma.shape), sigma], axis=-1)
        starts = [(*range(place), place + i) for i in range(len(START_BROAD))]
        return components, jnp.concatenate([known, trials], axis=1), starts
    shift, part = jnp.array(SINGLES).T
    sigma = jnp.maximum(part[None] * known[:, :1, 1], LEAST_START_SIGMA)
    singles = jnp.stack([known[:, :1, 0] + shift[None], sigma], axis=-1)
    components = [MAIN] * len(SINGLES) + list(layout.components[2:])
    starts = [(*pair, *range(len(SINGLES), len(components))) for pair in PAIRS]
    return components, jnp.concatenate([singles, known[:, 1:]], axis=1), starts


def _normal_equations(batch: Batch, less: Solutions, components: list[int], kinematics) -> tuple[jax.Array, jax.Array]:
    """Products of the lines of all blocks with each other, and with what the starlight leaves, shape (n, m, m) and (n, m)."""
    layout, galaxies, lines, spectra = batch
    inverse = jnp.where(spectra.good, 1.0 / spectra.error, 0.0)
    starlight = stellar_continuum(layout, galaxies, spectra, less.weights, less.kinematics, less.theta)
    transforms = gas_transforms(layout, galaxies, lines, spectra)

    def moved(component: int, velocity, sigma):
        kernel = broadening(layout, galaxies, spectra, velocity, sigma**2)
        of_it = np.flatnonzero(np.array(layout.gas_component) == component)
        return on_data(layout, transforms[:, of_it] * kernel[:, None]) * inverse[:, None]

    columns = jnp.concatenate([moved(c, *kinematics[:, i].T) for i, c in enumerate(components)], axis=1)
    target = (spectra.flux - starlight) * inverse
    return jnp.einsum("niw,njw->nij", columns, columns), jnp.einsum("niw,nw->ni", columns, target)


def _narrow_first(solved: Solved) -> Solved:
    """The same solutions, where there are two components of all lines with the narrower as the first."""
    layout, s = solved.piece.layout, solved.solutions
    if SECOND not in layout.components:
        return solved
    kind = np.array(layout.gas_component)
    order = np.concatenate([np.flatnonzero(kind == c) for c in (SECOND, MAIN, BROAD)])
    rows = [0, 2, 1, *range(3, s.kinematics.shape[1])]
    swap = s.kinematics[:, 1, 1] > s.kinematics[:, 2, 1]
    kinematics = np.where(swap[:, None, None], s.kinematics[:, rows], s.kinematics)
    gas = np.where(swap[:, None], s.gas[:, order], s.gas)
    return solved._replace(solutions=s._replace(kinematics=kinematics, gas=gas))
