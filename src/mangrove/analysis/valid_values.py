"""Sums, means, medians and quantiles of arrays in which some values are not data."""

from math import prod

import numpy as np
from scipy.ndimage import uniform_filter


def sum_of(values: np.ndarray, where: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Sum, in double precision, of the values where ``where`` holds."""
    return values.sum(axis=axes, where=where, dtype=float)


def mean_of(values: np.ndarray, where: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Mean of the values where ``where`` holds; NaN without any."""
    return ratio_of(sum_of(values, where, axes), where.sum(axis=axes))


def ratio_of(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """Quotient; NaN where the denominator is not positive."""
    over, under = np.broadcast_arrays(over, under)
    return np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)


def smoothed(total: np.ndarray, count: np.ndarray, side: int) -> np.ndarray:
    """Mean over squares of ``side`` spaxels, shape (..., y, x), from the sums and numbers of the values of each spaxel.

    NaN where a spaxel has none.
    """
    size = (1,) * (total.ndim - 2) + (side, side)
    mean = [uniform_filter(values.astype(float), size, mode="constant") for values in (total, count)]
    return ratio_of(mean[0], np.where(count > 0, mean[1], 0.0))


def maximum_of(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Maximum of what is not NaN; NaN without any."""
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=axes, initial=-np.inf)
    return np.where(np.isinf(highest), np.nan, highest)


def median_of(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Median over the last axis where ``where`` holds; NaN without any value. Sorting is faster than numpy.nanmedian."""
    ordered = np.sort(np.where(where, values, np.inf), axis=-1)
    count = where.sum(axis=-1, keepdims=True)
    below, above = (np.take_along_axis(ordered, np.maximum(k, 0), -1) for k in ((count - 1) // 2, count // 2))
    return np.where(count > 0, 0.5 * (below + above), np.nan)[..., 0]


def quantile_of(values: np.ndarray, at: float) -> np.ndarray:
    """Quantile over the first axis of what is not NaN; 0 without any value."""
    flat = values.reshape(len(values), prod(values.shape[1:]))
    some = np.isfinite(flat).any(axis=0)
    found = np.zeros(flat.shape[1])
    found[some] = np.nanquantile(flat[:, some], at, axis=0)
    return found.reshape(values.shape[1:])
