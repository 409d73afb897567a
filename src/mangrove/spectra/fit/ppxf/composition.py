"""What a spectrum is made of at given kinematics: populations, dust, and the polynomial of calibration errors."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from mangrove.spectra.fit.bounds import MAX_EBV
from mangrove.spectra.fit.regularisation import second_differences
from mangrove.spectra.fit.settings import ContinuumSettings
from mangrove.spectra.fit.shape import POLYNOMIAL_FLOOR, legendre, relative_curve
from mangrove.spectra.fit.spectrum import Spectrum, moving_gas, on_data
from mangrove.spectra.fit.templates import GasTemplates, StellarTemplates

#: The whole library and the polynomial may improve chi2 by no more than this at the final kinematics.
CHI2_TOLERANCE = 0.1
_TURNS = 12
_TURN_TOLERANCE = 0.02
_STEP_PARTS = (1.0, 0.4, 0.1)
_START_EBV = (0.0, 0.25, 0.6, 1.1)
#: Added to the squared lengths of the columns, all 1, so that rounding leaves their products positive definite.
_RIDGE = 1e-12
#: A template joins where the cosine of its angle to the residual, in units of the data, exceeds this.
_SLOPE_TOLERANCE = 1e-10
#: A line of which a smaller part lies on good pixels is none: its column is rounding, of which any amount would follow noise.
_LEAST_SEEN = 1e-5


class Composition(NamedTuple):
    """What a spectrum is made of.

    Attributes
    ----------
    weights : ndarray, shape (n_star,)
        Of the stellar templates, attenuated as at :data:`mangrove.spectra.fit.shape.PIVOT`.
    gas : ndarray, shape (n_gas,)
        Of the emission lines.
    theta : ndarray, shape (1 + degree,)
        E(B-V), mag, and the coefficients of the Legendre polynomial from order 1.
    chi2 : float
        Of the data, and of the coefficients and weights where a prior holds them.
    """

    weights: np.ndarray
    gas: np.ndarray
    theta: np.ndarray
    chi2: float


class LinearProblem:
    """All templates, E(B-V) and the polynomial against a spectrum at given kinematics.

    The model is (stars . weights) x shape + gas . weights, where shape is attenuation times polynomial. The shape is
    linearised (Gauss-Newton); its steps have no sign, so they are eliminated by the triangular factor before the
    non-negative problem of the weights is solved, and follow from its solution.

    Parameters
    ----------
    kinematics : array_like, shape (1 + n_component, 2)
        Velocity and dispersion of the stars and of each component of the gas, km/s.
    """

    def __init__(
        self, spectrum: Spectrum, stars: StellarTemplates, gas: GasTemplates, continuum: ContinuumSettings, kinematics
    ):
        good, error = spectrum.good, spectrum.error[spectrum.good]
        self.continuum = continuum
        self.data = spectrum.flux[good] / error
        self.stars = on_data(stars.flux, spectrum, stars, *kinematics[0])[good] / error[:, None]
        lines = moving_gas(gas, spectrum, stars, kinematics[1:])
        self.seen = np.linalg.norm(lines[good], axis=0) > _LEAST_SEEN * np.linalg.norm(lines, axis=0)
        self.gas = np.where(self.seen, lines[good], 0.0) / error[:, None]
        self.length = np.linalg.norm(self.stars, axis=0)
        self.legendre = legendre(spectrum.wave.size, continuum.degree)[good]
        self.curve = relative_curve(spectrum.wave[good])
        self.smoothness = second_differences(stars, continuum.regularisation) / np.median(np.abs(spectrum.flux[good]))

    def solve(self, theta=None) -> Composition:
        """The best composition, from the shape ``theta`` or, without one, from several values of E(B-V)."""
        best = None
        for start in self._starts(theta):
            trial = self._weighed(start, best)
            best = trial if best is None or trial.chi2 < best.chi2 else best
        for _ in range(_TURNS):
            step = self._improved(best).theta - best.theta
            # Weights and shape multiply each other: the linear step is taken in the shape alone, and as far as it helps.
            trials = (self._weighed(best.theta + part * step, best) for part in _STEP_PARTS)
            better = next((t for t in trials if t.chi2 < best.chi2 - _TURN_TOLERANCE), None)
            if better is None:
                break
            best = better
        return best

    def draws(self, best: Composition, scale: float, n: int, rng: np.random.Generator) -> list[Composition]:
        """Solutions for n noisy copies of the best model (parametric bootstrap), linear about it.

        Parameters
        ----------
        scale : float
            Noise in units of the errors; the prior's centre is drawn as well.
        """
        size = self.data.size
        noise = rng.standard_normal((size + self.continuum.degree, n))
        copies = self.model(best)[:, None] + scale * noise[:size]
        centres = self.continuum.calibration_error * noise[size:] + best.theta[1:, None]
        return self._steps(best, copies, centres)

    def _starts(self, theta) -> list[np.ndarray]:
        if theta is not None:
            return [theta]
        values = _START_EBV if self.continuum.attenuation else (0.0,)
        return [np.append(ebv, np.zeros(self.continuum.degree)) for ebv in values]

    def _shape(self, theta) -> np.ndarray:
        return np.exp(-theta[0] * self.curve) * np.maximum(1.0 + self.legendre @ theta[1:], POLYNOMIAL_FLOOR)

    def stellar_continuum(self, c: Composition) -> np.ndarray:
        """Stellar continuum over the errors of the data on the good pixels, shape (n_good,)."""
        return (self.stars @ c.weights) * self._shape(c.theta)

    def stellar_continuum_columns(self, c: Composition) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of the stellar continuum by what is free in a composition, over the errors of the data.

        Returns
        -------
        columns : ndarray, shape (n_good, n)
            By the weights that are positive, E(B-V) where it is not at a bound, the coefficients of the polynomial.
        hold : ndarray, shape (n,)
            What a prior adds to their squared lengths.
        """
        active = c.weights > 0
        free = np.full(c.theta.size, bool(active.any()))
        free[0] &= self.continuum.attenuation and 0.0 < c.theta[0] < MAX_EBV
        by_weight = self.stars[:, active] * self._shape(c.theta)[:, None]
        columns = np.hstack([by_weight, self._shape_columns(c)[:, free]])
        return columns, np.append(np.zeros(by_weight.shape[1]), self._hold()[free])

    def model(self, c: Composition) -> np.ndarray:
        """Stellar continuum and gas over the errors of the data on the good pixels, shape (n_good,)."""
        return self.stellar_continuum(c) + self.gas @ c.gas

    def _evaluated(self, c: Composition) -> Composition:
        chi2 = np.sum((self.data - self.model(c)) ** 2) + self.penalty(c.theta)
        return c._replace(chi2=float(chi2 + np.sum((self.smoothness @ c.weights) ** 2)))

    def penalty(self, theta) -> float:
        """chi2 of the polynomial's coefficients about zero."""
        size = self.continuum.calibration_error
        return float(np.sum((theta[1:] / size) ** 2)) if size > 0 else 0.0

    def _weighed(self, theta, near: Composition | None = None) -> Composition:
        """Best weights for a shape, found faster from a composition near to it."""
        nothing = np.empty((self.data.size, 0)), np.empty(0), np.empty((0, 1))
        ((_, weights),) = self._solved(theta, near, self.data[:, None], *nothing)
        return self._evaluated(self._composition(weights, theta))

    def _improved(self, base: Composition) -> Composition:
        (trial,) = self._steps(base, self.data[:, None], np.zeros((self.continuum.degree, 1)))
        return trial

    def _steps(self, base: Composition, data, centres) -> list[Composition]:
        """One linear solution about a base for each column of data and of centres of the prior."""
        free = np.full(base.theta.size, bool(base.weights.any()))
        free[0] &= self.continuum.attenuation
        solutions = self._linear(base, free, data, centres)
        free[0] = False
        ebv = np.array([c.theta[0] for c in solutions])
        for outside, bound in ((ebv < 0.0, 0.0), (ebv > MAX_EBV, MAX_EBV)):
            if outside.any():
                at_bound = base._replace(theta=np.append(bound, base.theta[1:]))
                again = self._linear(at_bound, free, data[:, outside], centres[:, outside])
                for i, solution in zip(np.flatnonzero(outside), again, strict=True):
                    solutions[i] = solution
        return solutions

    def _linear(self, base: Composition, free, data, centres) -> list[Composition]:
        columns, hold = self._shape_columns(base), self._hold()
        pull = hold[:, None] * np.vstack([np.zeros((1, data.shape[1])), centres - base.theta[1:, None]])
        found = []
        for step, weights in self._solved(base.theta, base, data, columns[:, free], hold[free], pull[free]):
            theta = base.theta.copy()
            theta[free] += step
            found.append(self._composition(weights, theta))
        return found

    def _shape_columns(self, base: Composition) -> np.ndarray:
        """Derivatives of the stellar continuum by E(B-V) and the polynomial's coefficients, shape (n_good, 1 + degree)."""
        continuum = self.stars @ base.weights
        attenuation = np.exp(-base.theta[0] * self.curve)
        by_ebv = -self.curve * continuum * self._shape(base.theta)
        return np.column_stack([by_ebv, (continuum * attenuation)[:, None] * self.legendre])

    def _hold(self) -> np.ndarray:
        """What the prior adds to the squared lengths of these columns."""
        size = self.continuum.calibration_error
        return np.append(0.0, np.full(self.continuum.degree, size**-2.0 if size > 0 else 0.0))

    def _solved(self, theta, near, targets, columns, hold, pull) -> list[tuple[np.ndarray, np.ndarray]]:
        """Steps along free columns and non-negative weights for each target.

        Few templates have weight: those of a composition near the solution are tried first, and others join them
        while one of them would lower chi2. That is the solution with all templates.

        Parameters
        ----------
        near : Composition or None
        columns, hold, pull : ndarray, shape (n_good, k), (k,), (k, n_target)
            The free columns; what a prior adds to their squared lengths, and to their products with the targets.
        """
        k, n, shape = columns.shape[1], self.stars.shape[1], self._shape(theta)[:, None]
        use = np.ones(n, bool) if near is None or not near.weights.any() else near.weights > 0
        least = _SLOPE_TOLERANCE * np.linalg.norm(targets, axis=0)
        while True:
            system = np.hstack([columns, self.stars[:, use] * shape, self.gas])
            products, right = system.T @ system, system.T @ targets
            free, used = slice(0, k), slice(k, k + np.count_nonzero(use))
            smoothness = self.smoothness[:, use]
            products[free, free] += np.diag(hold)
            products[used, used] += smoothness.T @ smoothness
            right[free] += pull
            solution = eliminate(products, right, k)
            slope = self.stars.T @ ((targets - system @ solution) * shape)
            slope -= self.smoothness.T @ (smoothness @ solution[used])
            joining = ~use & np.any(slope > least * self.length[:, None], axis=1)
            if not joining.any():
                break
            use |= joining
        weights = np.zeros((n + self.gas.shape[1], targets.shape[1]))
        weights[np.append(use, np.ones(self.gas.shape[1], bool))] = solution[k:]
        return list(zip(solution[free].T, weights.T, strict=True))

    def _composition(self, weights, theta) -> Composition:
        n = self.stars.shape[1]
        return Composition(weights[:n], weights[n:], theta, np.nan)


def eliminate(products, right, k: int) -> np.ndarray:
    """Least squares of k free columns and others with non-negative weights, from their normal equations.

    They cost a fraction of a QR decomposition and square the condition number, which does no harm here: weights that
    are not negative cannot cancel, so chi2 stays exact to rounding.

    Parameters
    ----------
    products, right : ndarray, shape (n, n), (n, n_target)
        Products of the columns with each other and with the targets.

    Returns
    -------
    ndarray, shape (n, n_target)
    """
    length = np.sqrt(products.diagonal())
    length[length == 0] = 1.0
    r = cholesky(products / np.outer(length, length) + _RIDGE * np.eye(length.size), check_finite=False)
    projected = solve_triangular(r, right / length[:, None], trans="T", check_finite=False)
    solution = np.empty_like(projected)
    for i, q in enumerate(projected.T):
        solution[k:, i] = nnls(r[k:, k:], q[k:])[0]
    rest = projected[:k] - r[:k, k:] @ solution[k:]
    solution[:k] = solve_triangular(r[:k, :k], rest, check_finite=False) if k else rest
    return solution / length[:, None]
