"""How well the distribution of a label on a node tells the label of a baxel on it: order, offset, calibration."""

from typing import NamedTuple

import numpy as np

from mangrove.analysis.node_distributions import DECILES, LEVELS
from mangrove.analysis.node_labels import NodeLabels
from mangrove.validation.comparison import clustered_error, robust_width, spearman

#: Content of the interval between the quantiles 16 and 84 %, in what part of the galaxies it is to hold a label, and the
#: widest that its median may be, over that of the whole sample: a distribution that is the same everywhere holds as much.
COVERAGE_LIMITS = (0.60, 0.76)
WIDTH_LIMITS = {"log_age_lw": 0.6, "log_ml_r": 0.6, "ebv_star": 0.8}
#: Values of many baxels are spread over so many places of their range of levels.
_TURNS = 100
_LOW, _MIDDLE, _HIGH = np.searchsorted(LEVELS, (0.16, 0.5, 0.84))


class Calibration(NamedTuple):
    """A label of baxels against its distribution on their nodes; NaN where no baxel has both.

    Attributes
    ----------
    n, n_galaxy : int
        Baxels that have the label, on nodes that have it, and their galaxies.
    rho : float
        Spearman's, of label and median of the node.
    bias, scatter : float
        Median of node median minus label, and 1.4826 times its median absolute deviation, unit of the label.
    coverage, coverage_error : float
        Fraction of the labels in the 16-84 % interval of their node, and its error by the scatter between galaxies. A
        value that many baxels share, such as E(B-V) = 0, is partly within an interval that it bounds.
    width : float
        Median width of that interval over that of the whole training set.
    pit : ndarray of int, shape (10,)
        Labels by the deciles of their node between which they lie: even if calibrated.
    """

    n: int
    n_galaxy: int
    rho: float
    bias: float
    scatter: float
    coverage: float
    coverage_error: float
    width: float
    pit: np.ndarray


def calibration(nodes: NodeLabels, label: str, node, values, galaxy) -> Calibration:
    """Judge the distributions of a label by baxels that they were not made from.

    Parameters
    ----------
    nodes : NodeLabels
    label : str
    node : ndarray of int, shape (n,)
        Node of each baxel.
    values : ndarray, shape (n,)
        Its label, as fitted or true; NaN without.
    galaxy : ndarray of int, shape (n,)
    """
    j = nodes.labels.index(label)
    known = np.isfinite(values) & np.isfinite(nodes.median[node, j])
    node, values, galaxy = node[known], values[known], galaxy[known]
    quantiles = nodes.value[node, j].astype(float)
    low, median, high = quantiles[:, _LOW], quantiles[:, _MIDDLE], quantiles[:, _HIGH]
    levels = _levels_of(values, quantiles)
    inside, offset = _part_inside(*levels), median - values
    sample = nodes.sample_value[j, _HIGH] - nodes.sample_value[j, _LOW]
    any_known = values.size > 0
    return Calibration(
        n=values.size,
        n_galaxy=np.unique(galaxy).size,
        rho=spearman(median, values),
        bias=float(np.median(offset)) if any_known else np.nan,
        scatter=robust_width(offset),
        coverage=float(inside.mean()) if any_known else np.nan,
        coverage_error=clustered_error(inside, galaxy) if any_known else np.nan,
        width=float(np.median(high - low) / sample) if any_known and sample > 0 else np.nan,
        pit=np.bincount(_deciles(*levels), minlength=DECILES.size + 1),
    )


def _levels_of(values, quantiles) -> tuple[np.ndarray, np.ndarray]:
    """Levels from and up to which each value is a quantile of its node, shape (n,) each; equal for one that is none.

    Between two levels of which it is the quantile of one alone, the middle is taken for where that begins or ends.
    """
    half = 0.5 * np.diff(LEVELS)
    starts, ends = LEVELS - np.append(0.0, half), LEVELS + np.append(half, 0.0)
    tied = quantiles == values[:, None]
    first, last = np.argmax(tied, axis=1), LEVELS.size - 1 - np.argmax(tied[:, ::-1], axis=1)
    between = np.sum(values[:, None] > quantiles, axis=1)
    inner = np.concatenate([[0.0], LEVELS[:-1] + half, [1.0]])[between]
    some = tied.any(axis=1)
    return np.where(some, starts[first], inner), np.where(some, ends[last], inner)


def _part_inside(low, high) -> np.ndarray:
    """How much of levels from low to high, shape (n,) each, lies between 16 and 84 %: all, nothing, or a part."""
    common = np.minimum(high, LEVELS[_HIGH]) - np.maximum(low, LEVELS[_LOW])
    return np.where(high > low, np.clip(common, 0.0, None) / np.where(high > low, high - low, 1.0), common >= 0.0)


def _deciles(low, high) -> np.ndarray:
    """Decile, 0-9, of levels from low to high, shape (n,) each; those of several deciles take turns in them."""
    turn = (np.arange(low.size) % _TURNS + 0.5) / _TURNS
    return np.searchsorted(DECILES, low + turn * (high - low), side="right")
