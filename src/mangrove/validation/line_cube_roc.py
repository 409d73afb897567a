"""How well an anomaly score tells planted anomalies from normal galaxies that are alike in flux and size."""

from typing import NamedTuple

import numpy as np

#: Normal galaxies that each planted one is compared with.
N_CONTROL = 10
#: Bins of strength of equal width in its logarithm.
N_STRENGTH_BIN = 4
_N_BOOTSTRAP = 300


class Controls(NamedTuple):
    """The normal galaxies most like each planted one.

    Attributes
    ----------
    index : ndarray of int, shape (n, n_control)
        Among the normal galaxies.
    offset : ndarray, shape (n, 2)
        Median absolute difference of log flux and of log size from these, dex.
    """

    index: np.ndarray
    offset: np.ndarray


def nearest_controls(planted: np.ndarray, normal: np.ndarray, n_control: int = N_CONTROL) -> Controls:
    """The normal galaxies nearest in log flux and log size, each over its standard deviation among the normal ones.

    Parameters
    ----------
    planted, normal : ndarray, shape (n, 2) and (m, 2)
        log10 of flux and of size.
    n_control : int
        All normal galaxies if there are fewer.
    """
    spread = normal.std(axis=0)
    apart = planted[:, None] - normal[None]
    distance = np.hypot(*np.moveaxis(apart / np.where(spread > 0, spread, 1.0), -1, 0))
    index = np.argsort(distance, axis=1, kind="stable")[:, :n_control]
    return Controls(index, np.median(np.abs(np.take_along_axis(apart, index[..., None], axis=1)), axis=1))


def matched_auc(planted: np.ndarray, normal: np.ndarray, index: np.ndarray) -> float:
    """Mean probability that a planted galaxy has a higher score than one of its controls; ties count half.

    With all normal galaxies as controls of each, this is the area under the ordinary ROC curve (Mann & Whitney 1947).

    Parameters
    ----------
    planted, normal : ndarray, shape (n,) and (m,)
        Scores; galaxies without one (NaN) do not count.
    index : ndarray of int, shape (n, n_control)
        Controls of each planted galaxy, see :class:`Controls`.

    Returns
    -------
    float
        NaN without galaxies.
    """
    wins, counts = _wins(planted, normal, index)
    return _mean_win(wins, counts)


def auc_error(planted: np.ndarray, normal: np.ndarray, index: np.ndarray, seed: int) -> float:
    """Standard error of :func:`matched_auc`, from bootstrap samples of planted and of normal galaxies, both drawn."""
    wins, counts = _wins(planted, normal, index)
    rng, n, m = np.random.default_rng(seed), len(planted), len(normal)
    drawn = []
    for _ in range(_N_BOOTSTRAP):
        some = rng.integers(n, size=n)
        weight = np.bincount(rng.integers(m, size=m), minlength=m)[index[some]] * counts[some]
        drawn.append(_mean_win(wins[some], weight))
    known = np.array(drawn)[np.isfinite(drawn)]
    return float(known.std()) if known.size > 1 else float("nan")


def strength_edges(strength: np.ndarray) -> np.ndarray:
    """Edges of :data:`N_STRENGTH_BIN` bins of equal width in log strength, over what there is, shape (n_bin + 1,)."""
    known = strength[strength > 0]
    if not known.size:
        return np.full(N_STRENGTH_BIN + 1, np.nan)
    return np.geomspace(known.min(), known.max(), N_STRENGTH_BIN + 1)


def strength_bin(strength: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Bin of each strength, shape (n,), the ends of the range in the outermost ones."""
    return np.clip(np.searchsorted(edges, strength, side="right") - 1, 0, len(edges) - 2)


def _wins(planted: np.ndarray, normal: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each planted galaxy exceeds each of its controls (1, 0, or 0.5), and whether both have a score."""
    own, others = planted[:, None], normal[index]
    return np.where(own > others, 1.0, np.where(own == others, 0.5, 0.0)), np.isfinite(others) & np.isfinite(own)


def _mean_win(wins: np.ndarray, weight: np.ndarray) -> float:
    total = weight.sum(axis=1)
    some = total > 0
    if not some.any():
        return float("nan")
    return float(((wins * weight)[some].sum(axis=1) / total[some]).mean())
