"""The solution of one spectrum, what it is of, and the limits of its motions."""

from typing import NamedTuple

import numpy as np

from mangrove.lines import LineList
from mangrove.spectra.composition import Composition, LinearProblem
from mangrove.spectra.fit_settings import FitSettings, Guide
from mangrove.spectra.spectrum import Spectrum
from mangrove.spectra.templates import GasTemplates, StellarTemplates

#: Bounds of both dispersions, km/s.
SIGMA_STAR_BOUND = (1.0, 600.0)
SIGMA_GAS_BOUND = (1.0, 350.0)
START_SIGMA_STAR, START_SIGMA_GAS = 120.0, 60.0

#: Starlight below this part of the median flux is the rounding error of a difference.
_ROUNDING = 1e-9


class Solution(NamedTuple):
    """What the two fits that alternate end with.

    Attributes
    ----------
    pp : ppxf
        Its last fit, in units of the norm.
    active : ndarray of int
        Indices of its stellar templates.
    theta : ndarray
        The shape that was frozen into them.
    chi2 : float
        Of the data.
    problem, composition
        At the final kinematics.
    """

    pp: object
    active: np.ndarray
    theta: np.ndarray
    chi2: float
    problem: LinearProblem
    composition: Composition


class Fit(NamedTuple):
    """A solution and what it is of; ``norm`` is the median flux by which pPXF's spectrum was divided."""

    solution: Solution
    spectrum: Spectrum
    norm: float
    z: float
    stars: StellarTemplates
    gas: GasTemplates
    lines: LineList
    settings: FitSettings
    guide: Guide | None

    @property
    def star_motion(self) -> tuple[float, float]:
        """Velocity and broadening of the stars, km/s."""
        return tuple(self.solution.pp.sol[0][:2])

    @property
    def gas_motion(self) -> tuple[float, float]:
        """Velocity and dispersion of the gas, km/s."""
        return tuple(self.solution.pp.sol[1][:2])

    @property
    def starlight(self) -> np.ndarray:
        """Of the best fit, shape (n_wave,)."""
        starlight = (self.solution.pp.bestfit - self.solution.pp.gas_bestfit) * self.norm
        return np.where(np.abs(starlight) < _ROUNDING * self.norm, 0.0, starlight)


def star_bounds(settings: FitSettings, guide: Guide | None) -> list[tuple[float, float]]:
    """Limits of the stars' velocity and dispersion, km/s."""
    limits = [(-settings.velocity_bound, settings.velocity_bound), SIGMA_STAR_BOUND]
    if guide is None or guide.half_width == 0:
        return limits
    around = zip((guide.v, guide.sigma), limits, strict=True)
    return [(max(low, x - guide.half_width), min(high, x + guide.half_width)) for x, (low, high) in around]
