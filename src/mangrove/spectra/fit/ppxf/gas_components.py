"""Whether gas has more than one component: the model with the lowest Bayesian information criterion."""

from collections.abc import Sequence
from copy import copy
from functools import cache

import numpy as np

from mangrove.physics.lines import LineList, distance_to_lines
from mangrove.physics.wavelengths import C_KMS
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
from mangrove.spectra.fit.ppxf.alternation import Task, solve
from mangrove.spectra.fit.ppxf.composition import eliminate
from mangrove.spectra.fit.ppxf.solution import Solution
from mangrove.spectra.fit.residuals import robust_rms, scatter_of_sums
from mangrove.spectra.fit.spectrum import on_data
from mangrove.spectra.fit.templates import GasTemplates, with_components


def choose_components(task: Task, one: Solution, lines: LineList) -> tuple[Solution, float]:
    """The best of the models that the settings allow, and by how much it lowers the criterion.

    BIC = chi2 / s^2 + k ln n, with k the positive weights of the gas and a velocity and a dispersion per component, and
    n the good pixels. s is the scatter of the larger model's residual away from lines over as many pixels as its
    further component is wide (:func:`mangrove.spectra.fit.residuals.scatter_of_sums`): where templates or errors are
    wrong over such widths, a component must win against that. It is taken where it lowers BIC by more than
    :data:`mangrove.spectra.fit.component_trials.MIN_BIC_GAIN`, with its kinematics inside the bounds: first the better
    of the second and the broad component, then the other in addition.

    Parameters
    ----------
    one : Solution
        With a single component of the gas.
    """
    allowed = further_components(task.settings)
    best, gain = one, 0.0
    while allowed and _is_detected(one):
        trials = [_with(task, best, lines, kind) for kind in allowed]
        gains = [_bic_gain(task, best, trial, kind, lines) for trial, kind in zip(trials, allowed, strict=True)]
        first = int(np.argmax(gains))
        if gains[first] <= MIN_BIC_GAIN:
            break
        best, gain = trials[first], gain + gains[first]
        del allowed[first]
    return (_narrow_first(best) if SECOND in best.gas.components else best), gain


def _with(task: Task, less: Solution, lines: LineList, kind: int) -> Solution:
    """The solution with one more component, from that start whose lines alone lower chi2 most."""
    one = less.gas.components == (MAIN,)
    kinds = sorted({*less.gas.components, kind})
    main = less.gas.component == MAIN
    single = GasTemplates(less.gas.flux[:, main], less.gas.free[main], less.gas.component[main])
    gas = with_components(single, lines, kinds[1:])
    known = less.kinematics[1:]
    if kind == BROAD:
        starts = [np.vstack([known, [known[0, 0], sigma]]) for sigma in START_BROAD]
    else:
        starts = [pair if one else np.vstack([pair, known[1:]]) for pair in _pairs(known[0])]
    return _extended(task, less, gas, starts)


def _bic_gain(task: Task, less: Solution, more: Solution, kind: int, lines: LineList) -> float:
    """By how much a component lowers BIC against a model without it; minus infinity where it is at a bound."""
    spectrum = task.spectrum
    velocity, sigma = more.kinematics[1 + more.gas.components.index(kind)]
    low, high = SIGMA_COMPONENT_BOUND[kind]
    beyond = abs(velocity) > NEAR_BOUND * task.settings.velocity_bound or sigma > NEAR_BOUND * high
    if beyond or (kind == BROAD and NEAR_BOUND * sigma < low):
        return -np.inf
    away = distance_to_lines(spectrum.wave, lines, more.kinematics[1, 0]) > AWAY_FROM_LINES
    # A Gaussian is as wide as the equivalent width of the square of its profile.
    size = max(int(2.0 * np.sqrt(np.pi) * sigma / (C_KMS * spectrum.log_step)), 1)
    rms = max(robust_rms(more.residual), 1.0)
    scale = rms * scatter_of_sums(more.residual_on(spectrum) / rms, spectrum.good & away, size)
    chi2 = [np.sum(s.residual**2) / scale**2 for s in (less, more)]
    n_free = [np.count_nonzero(s.composition.gas) + 2 * len(s.gas.components) for s in (less, more)]
    return float(chi2[0] - chi2[1] - (n_free[1] - n_free[0]) * np.log(less.residual.size))


def _pairs(kinematics) -> list[np.ndarray]:
    """Kinematics from which two components may start in place of one, shape (2, 2) each."""
    velocity, sigma = kinematics
    single = [(velocity + v, max(part * sigma, LEAST_START_SIGMA)) for v, part in SINGLES]
    return [np.array([single[a], single[b]]) for a, b in PAIRS]


def _extended(task: Task, near: Solution, gas: GasTemplates, starts: Sequence[np.ndarray]) -> Solution:
    """The solution with these templates, from that start whose lines alone lower chi2 most."""
    good, error = task.spectrum.good, task.spectrum.error[task.spectrum.good, None]
    emission = near.problem.data - near.problem.stellar_continuum(near.composition)

    @cache
    def moved(component: int, velocity: float, sigma: float) -> np.ndarray:
        flux = gas.flux[:, gas.component == component]
        return on_data(flux, task.spectrum, task.stars, velocity, sigma)[good] / error

    def chi2(start: np.ndarray) -> float:
        columns = np.hstack([moved(c, *of_it) for c, of_it in zip(gas.components, start, strict=True)])
        products, right = columns.T @ columns, columns.T @ emission
        weights = eliminate(products, right[:, None], 0)[:, 0]
        return float(weights @ products @ weights - 2.0 * weights @ right)

    best = min(starts, key=chi2)
    return solve(task, gas, np.vstack([near.kinematics[:1], best]), near.composition.theta)


def _narrow_first(solution: Solution) -> Solution:
    """The same solution with the narrower of its two components of all lines as the first."""
    if solution.kinematics[1, 1] <= solution.kinematics[2, 1]:
        return solution
    place = np.arange(solution.gas.component.size)
    kind = solution.gas.component
    order = np.concatenate([place[kind == SECOND], place[kind == MAIN], place[kind > SECOND]])
    rows = [0, 2, 1, *range(3, len(solution.kinematics))]
    problem = copy(solution.problem)
    problem.gas = problem.gas[:, order]
    composition = solution.composition._replace(gas=solution.composition.gas[order])
    return Solution(solution.gas, solution.kinematics[rows], solution.errors[rows], problem, composition)


def _is_detected(one: Solution) -> bool:
    return bool(np.any(one.composition.gas * np.linalg.norm(one.problem.gas, axis=0) > GAS_DETECTED))
