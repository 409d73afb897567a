"""Limits of the axes and colours of figures."""

import numpy as np

#: Interquartile ranges beyond the quartiles within which values set a scale: all, those that no gap parts from these.
_REACH, _GAP = (2.0, 5.0), 0.5
_MARGIN = 0.08


def robust_limits(values, low: float = 2.0, high: float = 98.0) -> tuple[float, float]:
    """Percentiles of the finite values, always apart; (0, 1) without any."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return 0.0, 1.0
    bottom, top = np.percentile(finite, [low, high])
    margin = 0.05 * abs(bottom) or 0.5
    return (float(bottom), float(top)) if top > bottom else (float(bottom - margin), float(top + margin))


def extend_of(values, low: float, high: float) -> str:
    """Ends of a colour bar that are pointed, as finite values lie beyond its limits: both, min, max, neither."""
    finite = np.asarray(values)[np.isfinite(values)]
    below, above = bool(np.any(finite < low)), bool(np.any(finite > high))
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def fenced_limits(values) -> tuple[float, float]:
    """Limits with a margin that hold the bulk of the finite values, however far a small group lies from it.

    Values within two interquartile ranges of the quartiles (after Tukey 1977), and those farther out, up to five, that
    no gap of half a range parts from them: one odd galaxy among many moves no scale, as it would the 98th percentile.
    (0, 1) without any value.
    """
    finite = np.asarray(values, float)
    finite = np.sort(finite[np.isfinite(finite)])
    if not finite.size:
        return 0.0, 1.0
    lower, upper = np.percentile(finite, [25.0, 75.0])
    top = _edge(finite, upper, upper - lower)
    bottom = -_edge(-finite[::-1], -lower, upper - lower)
    return padded(*robust_limits([bottom, top], 0.0, 100.0))


def _edge(ordered: np.ndarray, quartile: float, width: float) -> float:
    """The largest of values in rising order that belongs to the bulk (see :func:`fenced_limits`)."""
    inner, outer = np.searchsorted(ordered, [quartile + reach * width for reach in _REACH], side="right")
    apart = np.diff(ordered[inner - 1 : outer]) > _GAP * width
    return float(ordered[inner - 1 + (np.argmax(apart) if apart.any() else apart.size)])


def padded(low: float, high: float) -> tuple[float, float]:
    """Limits with room on either side."""
    return low - _MARGIN * (high - low), high + _MARGIN * (high - low)
