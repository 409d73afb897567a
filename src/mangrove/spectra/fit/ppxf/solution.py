"""The solution of one spectrum, what it is of, and the limits of its kinematics."""

from functools import cached_property
from typing import NamedTuple

import numpy as np

from mangrove.physics.lines import LineList
from mangrove.spectra.fit.model import total_emission
from mangrove.spectra.fit.ppxf.composition import Composition, LinearProblem
from mangrove.spectra.fit.settings import FitSettings, Guide
from mangrove.spectra.fit.shape import ROUNDING
from mangrove.spectra.fit.spectrum import Spectrum, shaped_stellar_continuum
from mangrove.spectra.fit.templates import GasTemplates, StellarTemplates


class Solution(NamedTuple):
    """What the two fits that alternate end with.

    Attributes
    ----------
    gas : GasTemplates
        Of the components that it has.
    kinematics, errors : ndarray, shape (1 + n_component, 2)
        Velocity and dispersion of the stars and of each of ``gas.components``, km/s, and pPXF's formal errors.
    problem, composition
        At these kinematics: the model of the fit.
    """

    gas: GasTemplates
    kinematics: np.ndarray
    errors: np.ndarray
    problem: LinearProblem
    composition: Composition

    @property
    def residual(self) -> np.ndarray:
        """Data minus model over the errors on the good pixels, shape (n_good,)."""
        return self.problem.data - self.problem.model(self.composition)

    def residual_on(self, spectrum: Spectrum) -> np.ndarray:
        """The same on all pixels of the spectrum that was fitted, 0 where they are not good, shape (n_wave,)."""
        whole = np.zeros(spectrum.wave.size)
        whole[spectrum.good] = self.residual
        return whole

    @property
    def n_free(self) -> int:
        """Weights that are positive, kinematics of the gas, and the coefficients of the polynomial."""
        weights = np.count_nonzero(self.composition.weights) + np.count_nonzero(self.composition.gas)
        return weights + 2 * len(self.gas.components) + self.composition.theta.size - 1


class FittedSpectrum:
    """A spectrum, its solution, and what it was solved with."""

    def __init__(
        self,
        solution: Solution,
        spectrum: Spectrum,
        z: float,
        stars: StellarTemplates,
        lines: LineList,
        settings: FitSettings,
        guide: Guide | None,
    ):
        self.solution, self.spectrum, self.z = solution, spectrum, z
        self.stars, self.lines, self.settings, self.guide = stars, lines, settings, guide

    @property
    def star_kinematics(self) -> tuple[float, float]:
        """Velocity and broadening of the stars, km/s."""
        return tuple(self.solution.kinematics[0])

    @property
    def gas_kinematics(self) -> tuple[float, float]:
        """Velocity and dispersion of the first component of the gas, km/s."""
        return tuple(self.solution.kinematics[1])

    @cached_property
    def stellar_continuum(self) -> np.ndarray:
        """Of the best fit, shape (n_wave,)."""
        best = self.solution.composition
        continuum = shaped_stellar_continuum(
            self.stars.flux @ best.weights, best.theta, self.spectrum, self.stars, *self.star_kinematics
        )
        norm = np.median(np.abs(self.spectrum.flux[self.spectrum.good]))
        return np.where(np.abs(continuum) < ROUNDING * norm, 0.0, continuum)

    @cached_property
    def emission(self) -> np.ndarray:
        """All lines of the best fit, shape (n_wave,)."""
        return self.emission_of(self.solution.kinematics[1:])

    def emission_of(self, kinematics) -> np.ndarray:
        """The lines as they were if they moved so, shape (n_wave,); ``kinematics`` of shape (n_component, 2), km/s."""
        return total_emission(self.solution.gas, self.solution.composition.gas, self.spectrum, self.stars, kinematics)
