"""How badly an autoencoder reconstructs line cubes: anomaly scores per galaxy and per line.

Plain functions of arrays, for any network or linear model. Cubes have shape (n, line, pixel, y, x); flux, errors and
reconstruction share one unit. The published score (Mantha et al. 2026, arXiv 2602.18426) ranks galaxies by their
brightness; the recommended one, ``relative``, compares each residual with the error that is expected of it:

    c = (flux - reconstruction) / sqrt(1 / ivar + error^2 level^2)

``error`` (line, pixel) is the network's typical error on normal galaxies in units of ``level``, which is the root mean
square flux of the galaxy and of the surroundings of the spaxel (:func:`flux_level`). Three measures of c ask what a
galaxy may have that others have not (:func:`measures`); each is compared with the same measure of normal galaxies, and
the score is that of the measure that stands out most, in standard deviations. It depends on neither the unit of flux
nor the brightness: twice the flux at twice the errors has the same score.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter

#: Names of the scores, the recommended one first.
SCORES = ("relative", "published", "flux_normalised", "noise_weighted")
#: What is measured of the residuals over their expected errors; see :func:`measures`.
MEASURES = ("whole", "place", "field")
#: Side, spaxels, of the square over which levels and residuals are smoothed: about the FWHM of MaNGA's point-spread function.
SMOOTHING = 3
#: Quantile above the median by which the spread of a measure is taken, and its place in a normal distribution, in standard
#: deviations: the upper side counts, and a few anomalies do not set it.
UPPER, UPPER_SIGMA = 0.9, 1.2816
#: Smallest spread of the logarithm of a measure, so that a handful of equal galaxies does not make all others anomalous.
SMALLEST_SPREAD = 0.05

_CHANNELS, _SPAXELS = (1, 2), (3, 4)
#: Measures below it count as this, as those of a reconstruction without any error.
_SMALLEST = 1e-12


class Reconstructed(NamedTuple):
    """Line cubes and their reconstructions, each of shape (n, line, pixel, y, x).

    Attributes
    ----------
    flux, ivar : ndarray
        0 where not valid.
    valid : ndarray of bool
    reconstruction : ndarray
        In the unit of flux.
    """

    flux: np.ndarray
    ivar: np.ndarray
    valid: np.ndarray
    reconstruction: np.ndarray


class Expected(NamedTuple):
    """What the residuals of normal galaxies are like.

    Attributes
    ----------
    error : ndarray, shape (line, pixel)
        The model's typical error over the flux level.
    typical, spread : ndarray, shape (1 + line, measure)
        Median and upper standard deviation of the logarithm of each measure, over all lines, then over each.
    """

    error: np.ndarray
    typical: np.ndarray
    spread: np.ndarray


class Scores(NamedTuple):
    """Scores of n cubes; NaN without data.

    Attributes
    ----------
    value : ndarray, shape (n, score)
        In the order of :data:`SCORES`.
    line_value : ndarray, shape (n, score, line)
        The same over each line.
    measure : ndarray, shape (n, measure)
        By how many standard deviations each measure exceeds that of a normal galaxy.
    spaxel : ndarray, shape (n, y, x)
        Root mean square of the residuals over their expected errors.
    """

    value: np.ndarray
    line_value: np.ndarray
    measure: np.ndarray
    spaxel: np.ndarray


def published(cubes: Reconstructed, axes: tuple[int, ...]) -> np.ndarray:
    """Mean absolute residual over valid values, in the unit of flux; ``axes`` are those that the mean is over."""
    return _mean(np.abs(cubes.flux - cubes.reconstruction), cubes.valid, axes)


def flux_normalised(cubes: Reconstructed, axes: tuple[int, ...]) -> np.ndarray:
    """Mean absolute residual over the mean absolute flux."""
    flux = _mean(np.abs(cubes.flux), cubes.valid, axes)
    return np.divide(published(cubes, axes), flux, out=np.full(flux.shape, np.nan), where=flux > 0)


def noise_weighted(cubes: Reconstructed, axes: tuple[int, ...]) -> np.ndarray:
    """Root of the mean square residual in units of the noise."""
    return np.sqrt(_mean((cubes.flux - cubes.reconstruction) ** 2 * cubes.ivar, cubes.valid, axes))


def scores(cubes: Reconstructed, expected: Expected) -> Scores:
    """All scores of line cubes, with what the recommended one rests on."""
    level = flux_level(cubes)
    ratio = residual_ratio(cubes, expected.error, level)
    above = (_log(measures(ratio, cubes.valid, level)) - expected.typical) / expected.spread
    relative = np.fmax.reduce(above, axis=2)
    value, line_value = [relative[:, 0]], [relative[:, 1:]]
    for score in (published, flux_normalised, noise_weighted):
        value.append(score(cubes, (*_CHANNELS, *_SPAXELS)))
        line_value.append(score(cubes, (2, *_SPAXELS)))
    spaxel = np.sqrt(_mean(ratio**2, cubes.valid, _CHANNELS))
    return Scores(np.stack(value, axis=1), np.stack(line_value, axis=1), above[:, 0], spaxel)


def calibrated(blocks: Callable[[], Iterable[Reconstructed]]) -> Expected:
    """What is expected of normal galaxies, by medians and quantiles over many, a few of which may be anomalous.

    Parameters
    ----------
    blocks : callable
        Gives the galaxies' cubes in blocks, at least one, each time that it is called; it is called twice.

    Returns
    -------
    Expected
        Where no galaxy has data: no error of the model, measures of 1.
    """
    error = typical_error(blocks())
    found = []
    for cubes in blocks():
        level = flux_level(cubes)
        found.append(_log(measures(residual_ratio(cubes, error, level), cubes.valid, level)))
    logarithm = np.concatenate(found)
    typical = _quantile(logarithm, 0.5)
    spread = (_quantile(logarithm, UPPER) - typical) / UPPER_SIGMA
    return Expected(error, typical, np.maximum(spread, SMALLEST_SPREAD))


def typical_error(blocks: Iterable[Reconstructed]) -> np.ndarray:
    """The model's typical error over the flux level, shape (line, pixel): the residuals beyond the noise.

    The median over galaxies of (sum of residual^2 - 1 / ivar) / (sum of level^2), sums over a galaxy's valid spaxels.
    """
    squares = []
    for cubes in blocks:
        excess = (cubes.flux - cubes.reconstruction) ** 2 - _variance(cubes)
        level = np.broadcast_to(flux_level(cubes)[:, None, None] ** 2, cubes.valid.shape)
        squares.append(_ratio(_sum(excess, cubes.valid, _SPAXELS), _sum(level, cubes.valid, _SPAXELS)))
    return np.sqrt(np.maximum(_quantile(np.concatenate(squares), 0.5), 0.0))


def flux_level(cubes: Reconstructed) -> np.ndarray:
    """Root mean square flux at each spaxel, shape (n, y, x), from its surroundings and the galaxy as a whole.

    The mean square over lines and pixels, smoothed, plus that over the whole cube; of the flux or of the reconstruction,
    whichever is smaller, so that neither a bright region that the reconstruction lacks nor one that it invents raises
    the error that is expected there.
    """
    squares = []
    for values in (cubes.flux, cubes.reconstruction):
        local = _smoothed(_sum(values**2, cubes.valid, _CHANNELS), cubes.valid.sum(axis=_CHANNELS))
        overall = _mean(values**2, cubes.valid, (*_CHANNELS, *_SPAXELS))
        squares.append(local + overall[:, None, None])
    return np.sqrt(np.minimum(*squares))


def residual_ratio(cubes: Reconstructed, error: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Residuals over their expected errors, shape of the cubes; 0 where there is no data."""
    network = error[None, :, :, None, None] * level[:, None, None]
    ratio = (cubes.flux - cubes.reconstruction) / np.sqrt(_variance(cubes) + network**2)
    return np.where(cubes.valid, ratio, 0.0)


def measures(ratio: np.ndarray, valid: np.ndarray, level: np.ndarray) -> np.ndarray:
    """What stands out in residuals over expected errors, shape (n, 1 + line, measure): over all lines, then over each.

    In the order of :data:`MEASURES`:

    - whole: mean square over the cube
    - place: largest mean square over lines and pixels in a square of :data:`SMOOTHING` spaxels, so that a small region is
      seen
    - field: in the half of the spaxels with the lowest level, the largest absolute median of a wavelength pixel over the
      median of those of all pixels of all lines, so that what is added to the whole field at one wavelength is seen

    NaN without data.
    """
    square, count = _by_line(ratio**2), _by_line(valid)
    whole = _ratio(square.sum(axis=(2, 3)), count.sum(axis=(2, 3)))
    place = _maximum(place_map(ratio, valid), (2, 3))
    return np.stack([whole, place, _field(ratio, valid, level)], axis=2)


def place_map(ratio: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean square in squares of :data:`SMOOTHING` spaxels, shape (n, 1 + line, y, x); NaN where a spaxel has no data."""
    return _smoothed(_by_line(ratio**2), _by_line(valid))


def field_offset(ratio: np.ndarray, valid: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Median over the fainter half of the spaxels of each wavelength pixel, shape (n, line, pixel); NaN without data."""
    seen = valid.any(axis=_CHANNELS)
    half = _median(level.reshape(len(level), -1), seen.reshape(len(level), -1))
    outer = valid & (level <= half[:, None, None])[:, None, None]
    flat = (*ratio.shape[:3], -1)
    return _median(ratio.reshape(flat), outer.reshape(flat))


def _by_line(values: np.ndarray) -> np.ndarray:
    """Sums over lines and pixels, then over the pixels of each line, shape (n, 1 + line, y, x)."""
    of_line = values.sum(axis=2, dtype=float)
    return np.concatenate([of_line.sum(axis=1, keepdims=True), of_line], axis=1)


def _field(ratio: np.ndarray, valid: np.ndarray, level: np.ndarray) -> np.ndarray:
    offset = np.abs(field_offset(ratio, valid, level))
    flat = offset.reshape(len(offset), -1)
    usual = _median(flat, np.isfinite(flat))[:, None]
    highest = _maximum(offset, (2,))
    return _ratio(np.concatenate([_maximum(highest, (1,))[:, None], highest], axis=1), usual)


def _log(measure: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(measure, _SMALLEST))


def _variance(cubes: Reconstructed) -> np.ndarray:
    return 1.0 / np.where(cubes.valid, cubes.ivar, 1.0)


def _sum(values: np.ndarray, where: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return values.sum(axis=axes, where=where, dtype=float)


def _mean(values: np.ndarray, where: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return _ratio(_sum(values, where, axes), where.sum(axis=axes))


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """NaN where the denominator is not positive."""
    over, under = np.broadcast_arrays(over, under)
    return np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)


def _smoothed(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Mean over squares of spaxels, shape (..., y, x), from sums and numbers of values; NaN where a spaxel has none."""
    size = (1,) * (total.ndim - 2) + (SMOOTHING, SMOOTHING)
    mean = [uniform_filter(values.astype(float), size, mode="constant") for values in (total, count)]
    return _ratio(mean[0], np.where(count > 0, mean[1], 0.0))


def _maximum(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Maximum of what is not NaN; NaN without any."""
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=axes, initial=-np.inf)
    return np.where(np.isinf(highest), np.nan, highest)


def _median(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Median over the last axis where ``where`` holds; NaN without any value. Sorting is faster than numpy.nanmedian."""
    ordered = np.sort(np.where(where, values, np.inf), axis=-1)
    count = where.sum(axis=-1, keepdims=True)
    below, above = (np.take_along_axis(ordered, np.maximum(k, 0), -1) for k in ((count - 1) // 2, count // 2))
    return np.where(count > 0, 0.5 * (below + above), np.nan)[..., 0]


def _quantile(values: np.ndarray, at: float) -> np.ndarray:
    """Quantile over the first axis of what is not NaN; 0 without any value."""
    found = np.zeros(values.shape[1:])
    some = np.isfinite(values).any(axis=0)
    found[some] = np.nanquantile(values[:, some], at, axis=0)
    return found
