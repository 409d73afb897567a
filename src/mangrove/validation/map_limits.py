"""Rows of the judgements of the map of spectra, and whether they keep their limits."""

from typing import NamedTuple

import numpy as np

#: Fewer test baxels or galaxies give no verdict: baxels of one galaxy are alike, and err alike.
FEWEST_BAXELS, FEWEST_GALAXIES = 500, 20


class MeasureRow(NamedTuple):
    """A measure on the test set, of a label or of a range of S/N (``of``), and its limits (NaN: none).

    ``holds``: "yes" within the limits, "no" beyond one; "too few" baxels or galaxies to judge by; "no limit".
    """

    measure: str
    of: str
    n_baxel: int
    n_galaxy: int
    value: float
    at_least: float
    at_most: float
    holds: str


def measure_row(
    measure: str, of: str, value: float, counts: tuple[int, int], at_least: float = np.nan, at_most: float = np.nan
) -> MeasureRow:
    """A row with its verdict; ``counts`` are baxels and galaxies."""
    inside = [(value, at_least, at_most)]
    return MeasureRow(measure, of, *counts, value, at_least, at_most, verdict(inside, *counts))


def verdict(values: list[tuple[float, float, float]], n_baxel: int, n_galaxy: int) -> str:
    """Whether values keep their limits: "yes", "no", "too few" or "no limit".

    Parameters
    ----------
    values : list of (value, at least, at most)
        NaN for no limit; a value that is NaN keeps none.
    n_baxel, n_galaxy : int
        Of the test set.
    """
    limited = [one for one in values if np.isfinite(one[1:]).any()]
    if not limited:
        return "no limit"
    if n_baxel < FEWEST_BAXELS or n_galaxy < FEWEST_GALAXIES:
        return "too few"
    keeps = all(
        np.isfinite(value) and not value < at_least and not value > at_most for value, at_least, at_most in limited
    )
    return "yes" if keeps else "no"
