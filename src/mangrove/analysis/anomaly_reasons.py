"""Why a galaxy is anomalous, in words: the lines and spaxels that make its score."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.analysis.anomaly_scores import (
    MEASURES,
    Reconstructed,
    field_offset,
    flux_level,
    place_map,
    residual_ratio,
)

#: Scores below it, standard deviations, are those of normal galaxies.
UNUSUAL = 2.0
#: Lines are named that make up this part of what a measure sees, unless they are more than so many.
NAMED_PART, MOST_NAMED = 0.5, 3
#: Spaxels up to this far from the centre, and further than this part of half the side, are the centre and the outskirts.
CENTRE, OUTSKIRTS = 2.0, 0.75


class Evidence(NamedTuple):
    """Where the residuals of n cubes are larger than expected.

    Attributes
    ----------
    place : ndarray of int, shape (n, 2)
        Row and column of the place that stands out most; -1 without data.
    share : ndarray, shape (n, measure, line)
        Part of each line in what each measure sees; NaN without data.
    peak : ndarray of int, shape (n, 2)
        Line and pixel that stand out most over the whole field; 0 without data.
    """

    place: np.ndarray
    share: np.ndarray
    peak: np.ndarray


def evidence(cubes: Reconstructed, error: np.ndarray) -> Evidence:
    """Where the residuals are larger than expected; ``error`` as in :class:`mangrove.analysis.anomaly_scores.ExpectedErrors`."""
    level = flux_level(cubes)
    ratio = residual_ratio(cubes, error, level)
    n, _, pixel, _, side = ratio.shape
    images = place_map(ratio, cubes.valid)
    highest = np.where(np.isnan(images[:, 0]), -np.inf, images[:, 0]).reshape(n, -1).argmax(axis=1)
    place = np.stack(np.divmod(highest, side), axis=1)
    offset = np.nan_to_num(np.abs(field_offset(ratio, cubes.valid, level)))
    near = np.maximum(np.nan_to_num(images[np.arange(n), 1:, place[:, 0], place[:, 1]]) - 1.0, 0.0)
    seen = np.stack([near, offset.max(axis=2)], axis=1)
    total = seen.sum(axis=2, keepdims=True)
    share = np.divide(seen, total, out=np.full(seen.shape, np.nan), where=total > 0)
    place[~cubes.valid.any(axis=(1, 2, 3, 4))] = -1
    return Evidence(place, share, np.stack(np.divmod(offset.reshape(n, -1).argmax(axis=1), pixel), axis=1))


def standing_out(measure: np.ndarray, found: Evidence, lines: Sequence[str], peak_wave: float, side: int) -> str:
    """Lines and spaxels by which a galaxy stands out most.

    Parameters
    ----------
    measure : ndarray, shape (measure,)
        Standard deviations of each measure, not all NaN.
    found : Evidence
        Of this galaxy: arrays without the first axis.
    lines : sequence of str
        Names of the lines.
    peak_wave : float
        Observed wavelength, Angstrom, of ``found.peak``.
    side : int
        Side of the square, spaxels; the centre has index ``side // 2``.
    """
    at = int(np.nanargmax(measure))
    if MEASURES[at] == "field":
        return f"{lines[found.peak[0]]} at {peak_wave:.0f} Angstrom over the whole field"
    return f"{named_lines(found.share[at], lines)} {place_in_words(*found.place, side)}"


def reason(score: float, outstanding: str, without_data: Sequence[str]) -> str:
    """The reason of a score in words: what stands out (:func:`standing_out`), and the lines that have no data."""
    if np.isnan(score):
        return "no data at any line"
    words = outstanding if score >= UNUSUAL else f"not unusual; most in {outstanding}"
    return f"{words}; no data at {', '.join(without_data)}" if without_data else words


def named_lines(share: np.ndarray, lines: Sequence[str]) -> str:
    """The lines with the largest shares, up to :data:`NAMED_PART` of all together."""
    order = np.argsort(-np.nan_to_num(share), kind="stable")
    n = 1 + int(np.searchsorted(np.cumsum(np.nan_to_num(share)[order]), NAMED_PART))
    return ", ".join(lines[i] for i in order[:n]) if n <= MOST_NAMED else f"{n} lines, most in {lines[order[0]]}"


def place_in_words(row: int, column: int, side: int) -> str:
    """A spaxel of the square, from its centre."""
    y, x = int(row) - side // 2, int(column) - side // 2
    distance = np.hypot(y, x)
    if distance <= CENTRE:
        return "in the centre"
    part = "in the outskirts" if distance > OUTSKIRTS * side / 2 else "off the centre"
    return f"{part}, at (x, y) = ({x:+d}, {y:+d}) spaxels"
