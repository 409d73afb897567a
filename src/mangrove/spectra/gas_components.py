"""Whether gas has more than one component: the model with the lowest Bayesian information criterion."""

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache
from itertools import combinations

import numpy as np

from mangrove.lines import LineList
from mangrove.spectra.alternation import Task, solve
from mangrove.spectra.composition import eliminate
from mangrove.spectra.fit_solution import Solution, robust_rms
from mangrove.spectra.spectrum import on_data
from mangrove.spectra.templates import BROAD, MAIN, SECOND, GasTemplates, with_components

#: By how much the criterion must fall: odds of e^5, "very strong" in Kass & Raftery (1995, JASA 90, 773).
MIN_BIC_GAIN = 10.0

#: Motions from which pairs of components start, relative to the only one: km/s, and parts of its dispersion.
_START_V = (-300.0, -150.0, 0.0, 150.0, 300.0)
_START_SIGMA = (0.5, 1.0, 2.5)
#: Dispersions, km/s, from which a broad component starts.
_START_BROAD = (700.0, 1400.0, 2800.0)
_LEAST_SIGMA = 20.0
#: Gas has one component where no line is above so many errors of its amplitude.
_DETECTED = 5.0


def choose_components(task: Task, one: Solution, lines: LineList) -> tuple[Solution, float]:
    """The best of the models that the settings allow, and by how much it lowers the criterion.

    BIC = chi2 / s^2 + k ln n, with k the positive weights of the gas and two motions per component, n the good pixels,
    and s the robust scatter of the residual of the single component, if that is above 1: where the templates or the
    errors are wrong by more than the noise, a component has to win against that. A model with more components is taken
    where it lowers BIC by more than :data:`MIN_BIC_GAIN` for each of them.

    Parameters
    ----------
    one : Solution
        With a single component of the gas.
    """
    scale = max(robust_rms(one.residual), 1.0)
    best, gain = one, 0.0
    for trial in _trials(task, one, lines) if _is_detected(one) else ():
        lowered = _bic(one, scale) - _bic(trial, scale)
        more = len(trial.gas.components) - len(best.gas.components)
        if lowered > gain + MIN_BIC_GAIN * more:
            best, gain = trial, lowered
    return best, gain


def _trials(task: Task, one: Solution, lines: LineList) -> Iterator[Solution]:
    """The models beside the single component, those with fewer components first."""
    two = None
    if task.settings.gas_components > 1:
        two = _narrow_first(_extended(task, one, with_components(one.gas, lines, [SECOND]), _pairs(one)))
        yield two
    if task.settings.broad_lines:
        yield _extended(task, one, with_components(one.gas, lines, [BROAD]), _beside(one))
        if two is not None:
            both = with_components(one.gas, lines, [SECOND, BROAD])
            yield _narrow_first(_extended(task, two, both, _beside(two)))


def _pairs(one: Solution) -> list[np.ndarray]:
    """Motions from which two components may start, shape (2, 2) each."""
    velocity, sigma = one.motions[1]
    single = [(velocity + v, max(part * sigma, _LEAST_SIGMA)) for v in _START_V for part in _START_SIGMA]
    return [np.array(pair) for pair in combinations(single, 2)]


def _beside(known: Solution) -> list[np.ndarray]:
    """Motions of known components with those from which a broad one may start."""
    velocity = known.motions[1, 0]
    return [np.vstack([known.motions[1:], [velocity, sigma]]) for sigma in _START_BROAD]


def _extended(task: Task, near: Solution, gas: GasTemplates, starts: Sequence[np.ndarray]) -> Solution:
    """The solution with these templates, from that start whose lines alone lower chi2 most."""
    good, error = task.spectrum.good, task.spectrum.error[task.spectrum.good, None]
    emission = near.problem.data - near.problem.starlight(near.composition)

    @cache
    def moved(component: int, velocity: float, sigma: float) -> np.ndarray:
        flux = gas.flux[:, gas.component == component]
        return on_data(flux, task.spectrum, task.stars, velocity, sigma)[good] / error

    def chi2(start: np.ndarray) -> float:
        columns = np.hstack([moved(c, *motion) for c, motion in zip(gas.components, start, strict=True)])
        products, right = columns.T @ columns, columns.T @ emission
        weights = eliminate(products, right[:, None], 0)[:, 0]
        return float(weights @ products @ weights - 2.0 * weights @ right)

    best = min(starts, key=chi2)
    return solve(task, gas, np.vstack([near.motions[:1], best]), near.composition.theta)


def _narrow_first(solution: Solution) -> Solution:
    """The same solution with the narrower of its two components of all lines as the first."""
    if solution.motions[1, 1] <= solution.motions[2, 1]:
        return solution
    place = np.arange(solution.gas.component.size)
    kind = solution.gas.component
    order = np.concatenate([place[kind == SECOND], place[kind == MAIN], place[kind > SECOND]])
    rows = [0, 2, 1, *range(3, len(solution.motions))]
    problem = copy(solution.problem)
    problem.gas = problem.gas[:, order]
    composition = solution.composition._replace(gas=solution.composition.gas[order])
    return Solution(solution.gas, solution.motions[rows], solution.errors[rows], problem, composition)


def _is_detected(one: Solution) -> bool:
    return bool(np.any(one.composition.gas * np.linalg.norm(one.problem.gas, axis=0) > _DETECTED))


def _bic(solution: Solution, scale: float) -> float:
    k = np.count_nonzero(solution.composition.gas) + 2 * len(solution.gas.components)
    return float(np.sum(solution.residual**2)) / scale**2 + k * np.log(solution.residual.size)
