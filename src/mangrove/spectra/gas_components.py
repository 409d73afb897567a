"""Whether gas has more than one component: the model with the lowest Bayesian information criterion."""

from collections.abc import Sequence
from copy import copy
from functools import cache
from itertools import combinations

import numpy as np

from mangrove.lines import LineList, distance_to_lines
from mangrove.spectra.alternation import Task, solve
from mangrove.spectra.composition import eliminate
from mangrove.spectra.fit_solution import NEAR_BOUND, SIGMA_COMPONENT_BOUND, Solution
from mangrove.spectra.residuals import robust_rms, scatter_of_sums
from mangrove.spectra.spectrum import on_data
from mangrove.spectra.templates import BROAD, MAIN, SECOND, GasTemplates, with_components
from mangrove.wavelengths import C_KMS

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
#: Pixels farther from lines than this, km/s, tell the noise.
_AWAY = 800.0


def choose_components(task: Task, one: Solution, lines: LineList) -> tuple[Solution, float]:
    """The best of the models that the settings allow, and by how much it lowers the criterion.

    BIC = chi2 / s^2 + k ln n, with k the positive weights of the gas and two motions per component, and n the good
    pixels. s is the scatter of the single component's residual away from lines over as many pixels as the further
    component is wide (:func:`mangrove.spectra.residuals.scatter_of_sums`): where templates or errors are wrong over
    such widths, a component must win against that. Each further component must lower BIC by :data:`MIN_BIC_GAIN`, with
    its motion inside the bounds.

    Parameters
    ----------
    one : Solution
        With a single component of the gas.
    """
    best, gain = one, 0.0
    if not _is_detected(one):
        return best, gain
    judge = _Judge(task, one, lines)
    if task.settings.gas_components > 1:
        two = _extended(task, one, with_components(one.gas, lines, [SECOND]), _pairs(one))
        lowered = judge.gain(one, two)
        if lowered > MIN_BIC_GAIN:
            best, gain = _narrow_first(two), lowered
    if task.settings.broad_lines:
        kinds = [*best.gas.components[1:], BROAD]
        broad = _extended(task, best, with_components(one.gas, lines, kinds), _beside(best))
        lowered = judge.gain(best, broad)
        if lowered > MIN_BIC_GAIN:
            best, gain = _narrow_first(broad) if SECOND in kinds else broad, gain + lowered
    return best, gain


class _Judge:
    """Compares models of a spectrum by their BIC."""

    def __init__(self, task: Task, one: Solution, lines: LineList):
        spectrum = task.spectrum
        self.task, residual = task, one.residual_on(spectrum)
        self.rms = max(robust_rms(one.residual), 1.0)
        self.residual = residual / self.rms
        self.free = spectrum.good & (distance_to_lines(spectrum.wave, lines, one.motions[1, 0]) > _AWAY)

    def gain(self, less: Solution, more: Solution) -> float:
        """By how much the last component of a model lowers BIC against a model without it."""
        if self._at_bound(more):
            return -np.inf
        scale = self.rms * scatter_of_sums(self.residual, self.free, self._pixels(more.motions[-1, 1]))
        chi2 = [np.sum(s.residual**2) / scale**2 for s in (less, more)]
        n_free = [np.count_nonzero(s.composition.gas) + 2 * len(s.gas.components) for s in (less, more)]
        return float(chi2[0] - chi2[1] - (n_free[1] - n_free[0]) * np.log(less.residual.size))

    def _pixels(self, sigma: float) -> int:
        """Pixels over which a Gaussian spreads: the equivalent width of the square of its profile."""
        return max(int(2.0 * np.sqrt(np.pi) * sigma / (C_KMS * self.task.spectrum.log_step)), 1)

    def _at_bound(self, solution: Solution) -> bool:
        velocity, sigma = solution.motions[-1]
        low, high = SIGMA_COMPONENT_BOUND[solution.gas.components[-1]]
        far = abs(velocity) > NEAR_BOUND * self.task.settings.velocity_bound
        return far or sigma > NEAR_BOUND * high or (solution.gas.components[-1] == BROAD and sigma < 1.01 * low)


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
