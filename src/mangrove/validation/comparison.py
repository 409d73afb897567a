"""Measured against true values of baxels: correlation, and pulls with the errors of their mean and width."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from mangrove.physics.constants import MAD_TO_SIGMA

#: A value fails if it exceeds a limit by more than this many of its errors; a smaller excess may be chance.
FAIL_ERRORS = 2.0
#: 1.4826 / (4 phi(0.6745)), with phi the density of a unit Gaussian.
_GAUSSIAN_SPREAD = 1.166


class TruthComparison(NamedTuple):
    """One quantity over baxels, shape (n,) each: value, error, truth, S/N of the baxel, index of its galaxy."""

    measured: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    snr: np.ndarray
    galaxy: np.ndarray

    @property
    def pull(self) -> np.ndarray:
        """Measured minus true over the error, shape (n,)."""
        return (self.measured - self.truth) / self.error

    def between(self, low: float, high: float) -> "TruthComparison":
        """Those with low <= S/N < high."""
        use = (self.snr >= low) & (self.snr < high)
        return TruthComparison(*(values[use] for values in self))


def comparison(measured, error, truth, snr, use) -> TruthComparison:
    """Those of ``use`` that have a value, an error and a truth."""
    use = use & np.isfinite(measured) & np.isfinite(truth) & (error > 0) & np.isfinite(error)
    columns = (np.asarray(values, float)[use] for values in (measured, error, truth, snr))
    return TruthComparison(*columns, galaxy=np.zeros(use.sum(), int))


def join(parts: list[TruthComparison]) -> TruthComparison:
    """Comparisons put together."""
    return TruthComparison(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation of the rows where both are finite; NaN with fewer than three, or where all are equal."""
    use = np.isfinite(a) & np.isfinite(b)
    a, b = a[use], b[use]
    if use.sum() < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def robust_width(pull) -> float:
    """Width of a distribution from its median absolute deviation: 1.4826 MAD, 1 for a unit Gaussian; NaN if empty."""
    return float(MAD_TO_SIGMA * np.median(np.abs(pull - np.median(pull)))) if np.size(pull) else float("nan")


def robust_width_error(pull, galaxy) -> float:
    """Standard error of the robust width of pulls, shape (n,), near a Gaussian; NaN for one galaxy.

    From the influence function of the median absolute deviation, summed by galaxy: 1.17 width / sqrt(n) where all
    pulls are independent.
    """
    distance = np.abs(pull - np.median(pull))
    return _GAUSSIAN_SPREAD * robust_width(pull) * clustered_error(np.sign(distance - np.median(distance)), galaxy)


def clustered_error(pull, galaxy) -> float:
    """Standard error of the mean of pulls, shape (n,), that are correlated within a galaxy; NaN for one galaxy."""
    names, member = np.unique(galaxy, return_inverse=True)
    if names.size < 2:
        return float("nan")
    residual = np.bincount(member, pull - np.mean(pull))
    return float(np.sqrt(np.sum(residual**2) * names.size / (names.size - 1)) / np.size(pull))
