"""How badly an autoencoder reconstructs line cubes: anomaly scores per galaxy and per line.

Plain functions of arrays, for any network or linear model. Cubes have shape (n, line, pixel, y, x); flux, errors and
reconstruction share one unit. The published score (Mantha et al. 2026, arXiv 2602.18426) ranks galaxies by their
brightness; the recommended one, ``relative``, compares each residual with the error that is expected of it:

    c = (flux - reconstruction) / sqrt(1 / ivar + error^2 level^2)

``error`` (line, pixel) is the network's typical error on normal galaxies in units of ``level``, which is the root mean
square flux of the line in the surroundings of the spaxel and in the galaxy (:func:`flux_level`). Two measures of c ask
what a galaxy may have that others have not (:func:`measures`); each is compared with the same measure of normal galaxies
in which the noise counts for as much, and the score is that of the measure that stands out more, in standard deviations.
It depends on neither the unit of flux nor the brightness: twice the flux at twice the errors has the same score.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mangrove.analysis.valid_values import maximum_of, mean_of, median_of, quantile_of, ratio_of, smoothed, sum_of

#: Names of the scores, the recommended one first.
SCORES = ("relative", "published", "flux_normalised", "noise_weighted")
#: What is measured of the residuals over their expected errors; see :func:`measures`.
MEASURES = ("place", "field")
#: Side, spaxels, of the square over which levels and residuals are smoothed: about the FWHM of MaNGA's point-spread function.
SMOOTHING = 3
#: Quantile above the median by which the spread of a measure is taken, and its place in a normal distribution, in standard
#: deviations: the upper side counts, and a few anomalies do not set it.
UPPER, UPPER_SIGMA = 0.9, 1.2816
#: Part of a line's mean square over the galaxy in the level of each of its spaxels, over that of the surroundings.
GALAXY_PART = 3.0
#: Part of the spaxels, the faintest, in which the measure 'field' looks.
OUTSKIRTS = 0.25
#: Galaxies by which measures are known at one share of the network's error, and most such shares.
PER_KNOT, MOST_KNOTS = 20, 5
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


class ExpectedErrors(NamedTuple):
    """What the residuals of normal galaxies are like.

    Attributes
    ----------
    error : ndarray, shape (line, pixel)
        The model's typical error over the flux level.
    share : ndarray, shape (knot, 1 + line)
        Shares of the model's error in the expected variance, over all lines, then over each, at which the measures are
        known; between them they are interpolated.
    typical, spread : ndarray, shape (knot, 1 + line, measure)
        Median and upper standard deviation of the logarithm of each measure there.
    """

    error: np.ndarray
    share: np.ndarray
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
    return mean_of(np.abs(cubes.flux - cubes.reconstruction), cubes.valid, axes)


def flux_normalised(cubes: Reconstructed, axes: tuple[int, ...]) -> np.ndarray:
    """Mean absolute residual over the mean absolute flux."""
    flux = mean_of(np.abs(cubes.flux), cubes.valid, axes)
    return np.divide(published(cubes, axes), flux, out=np.full(flux.shape, np.nan), where=flux > 0)


def noise_weighted(cubes: Reconstructed, axes: tuple[int, ...]) -> np.ndarray:
    """Root of the mean square residual in units of the noise."""
    return np.sqrt(mean_of((cubes.flux - cubes.reconstruction) ** 2 * cubes.ivar, cubes.valid, axes))


def scores(cubes: Reconstructed, expected: ExpectedErrors) -> Scores:
    """All scores of line cubes, with what the recommended one rests on."""
    level = flux_level(cubes)
    ratio = residual_ratio(cubes, expected.error, level)
    above = _above(_log(measures(ratio, cubes.valid, level)), _share(cubes, expected.error, level), expected)
    relative = np.fmax.reduce(above, axis=2)
    value, line_value = [relative[:, 0]], [relative[:, 1:]]
    for score in (published, flux_normalised, noise_weighted):
        value.append(score(cubes, (*_CHANNELS, *_SPAXELS)))
        line_value.append(score(cubes, (2, *_SPAXELS)))
    spaxel = np.sqrt(mean_of(ratio**2, cubes.valid, _CHANNELS))
    return Scores(np.stack(value, axis=1), np.stack(line_value, axis=1), above[:, 0], spaxel)


def calibrated(blocks: Callable[[], Iterable[Reconstructed]]) -> ExpectedErrors:
    """What is expected of normal galaxies, by medians and quantiles over many, a few of which may be anomalous.

    Parameters
    ----------
    blocks : callable
        Gives the galaxies' cubes in blocks, at least one, each time that it is called; it is called twice.

    Returns
    -------
    ExpectedErrors
        Where no galaxy has data, at a line or at all: no error of the model, measures of 1.
    """
    error = typical_error(blocks())
    found, share = [], []
    for cubes in blocks():
        level = flux_level(cubes)
        found.append(_log(measures(residual_ratio(cubes, error, level), cubes.valid, level)))
        share.append(_share(cubes, error, level))
    knots = [
        _knots(*column) for column in zip(np.concatenate(share).T, np.concatenate(found).swapaxes(0, 1), strict=True)
    ]
    return ExpectedErrors(error, *(_side_by_side(part) for part in zip(*knots, strict=True)))


def typical_error(blocks: Iterable[Reconstructed]) -> np.ndarray:
    """The model's typical error over the flux level, shape (line, pixel): the residuals beyond the noise.

    The median over galaxies of (sum of residual^2 - 1 / ivar) / (sum of level^2), sums over a galaxy's valid spaxels.
    """
    squares = []
    for cubes in blocks:
        excess = (cubes.flux - cubes.reconstruction) ** 2 - _variance(cubes)
        level = np.broadcast_to(flux_level(cubes)[:, :, None] ** 2, cubes.valid.shape)
        squares.append(ratio_of(sum_of(excess, cubes.valid, _SPAXELS), sum_of(level, cubes.valid, _SPAXELS)))
    return np.sqrt(np.maximum(quantile_of(np.concatenate(squares), 0.5), 0.0))


def flux_level(cubes: Reconstructed) -> np.ndarray:
    """Root mean square flux of each line at each spaxel, shape (n, line, y, x); NaN without data.

    The mean square over pixels, smoothed over spaxels, plus :data:`GALAXY_PART` times that over the galaxy; of the flux or
    of the reconstruction, whichever is smaller, so that neither a bright region that the reconstruction lacks nor one
    that it invents raises the error that is expected there.
    """
    count, squares = cubes.valid.sum(axis=2), []
    for values in (cubes.flux, cubes.reconstruction):
        total = sum_of(values**2, cubes.valid, (2,))
        galaxy = ratio_of(total.sum(axis=(2, 3)), count.sum(axis=(2, 3)))
        squares.append(smoothed(total, count, SMOOTHING) + GALAXY_PART * galaxy[..., None, None])
    return np.sqrt(np.minimum(*squares))


def residual_ratio(cubes: Reconstructed, error: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Residuals over their expected errors, shape of the cubes; 0 where there is no data."""
    expected = np.sqrt(_variance(cubes) + _network_variance(error, level))
    return np.where(cubes.valid, (cubes.flux - cubes.reconstruction) / expected, 0.0)


def measures(ratio: np.ndarray, valid: np.ndarray, level: np.ndarray) -> np.ndarray:
    """What stands out in residuals over expected errors, shape (n, 1 + line, measure): over all lines, then over each.

    In the order of :data:`MEASURES`:

    - place: largest mean square over lines and pixels in a square of :data:`SMOOTHING` spaxels, so that a small region is
      seen
    - field: square of the largest absolute :func:`field_offset` of a wavelength pixel over the median of those of all
      pixels of all lines, so that what is added to the whole field at one wavelength is seen: it is large, and it is
      larger than at other wavelengths

    NaN without data.
    """
    place = maximum_of(place_map(ratio, valid), (2, 3))
    offset = np.abs(field_offset(ratio, valid, level))
    of_line = maximum_of(offset, (2,))
    highest = np.concatenate([maximum_of(of_line, (1,))[:, None], of_line], axis=1)
    return np.stack([place, ratio_of(highest**2, _usual(offset)[:, None])], axis=2)


def place_map(ratio: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean square in squares of :data:`SMOOTHING` spaxels, shape (n, 1 + line, y, x); NaN where a spaxel has no data."""
    return smoothed(_by_line(ratio**2), _by_line(valid), SMOOTHING)


def field_offset(ratio: np.ndarray, valid: np.ndarray, level: np.ndarray) -> np.ndarray:
    """How far each wavelength pixel is off in the faintest spaxels, shape (n, line, pixel); NaN without data.

    The median over the faintest :data:`OUTSKIRTS` of the spaxels, less that of all wavelength pixels: a continuum that the
    reconstruction misses is in all of them.
    """
    outer = valid & faintest(level, OUTSKIRTS)[:, None, None]
    flat = (*ratio.shape[:3], -1)
    offset = median_of(ratio.reshape(flat), outer.reshape(flat))
    return offset - _usual(offset)[:, None, None]


def faintest(level: np.ndarray, part: float) -> np.ndarray:
    """The part of the spaxels with the lowest level, by all lines, bool of shape (n, y, x)."""
    square = sum_of(level**2, np.isfinite(level), (1,))
    seen = np.isfinite(level).any(axis=1)
    ordered = np.sort(np.where(seen, square, np.inf).reshape(len(square), -1), axis=1)
    last = np.maximum(np.ceil(part * seen.sum(axis=(1, 2))).astype(int) - 1, 0)
    return seen & (square <= np.take_along_axis(ordered, last[:, None], axis=1)[..., None])


def _by_line(values: np.ndarray) -> np.ndarray:
    """Sums over lines and pixels, then over the pixels of each line, shape (n, 1 + line, y, x)."""
    of_line = values.sum(axis=2, dtype=float)
    return np.concatenate([of_line.sum(axis=1, keepdims=True), of_line], axis=1)


def _usual(offset: np.ndarray) -> np.ndarray:
    """Median over all wavelength pixels, shape (n,)."""
    of_all = offset.reshape(len(offset), -1)
    return median_of(of_all, np.isfinite(of_all))


def _above(logarithm: np.ndarray, share: np.ndarray, expected: ExpectedErrors) -> np.ndarray:
    """Measures in standard deviations above those of normal galaxies, shape (n, 1 + line, measure)."""
    above = np.empty(logarithm.shape)
    for column, measure in np.ndindex(logarithm.shape[1:]):
        at = share[:, column], expected.share[:, column]
        typical, spread = (np.interp(*at, known[:, column, measure]) for known in (expected.typical, expected.spread))
        above[:, column, measure] = (logarithm[:, column, measure] - typical) / spread
    return above


def _knots(share: np.ndarray, logarithm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is typical of galaxies with a share of the model's error of shape (n,): of equally many at each knot.

    ``logarithm``, of the measures, has shape (n, measure). Gives shares, medians, and upper standard deviations.
    """
    order = np.argsort(share)[: np.isfinite(share).sum()]
    n_knot = int(np.clip(order.size // PER_KNOT, 1, MOST_KNOTS))
    parts = np.array_split(order, n_knot)
    typical = np.stack([quantile_of(logarithm[part], 0.5) for part in parts])
    upper = np.stack([quantile_of(logarithm[part], UPPER) for part in parts])
    middle = np.array([quantile_of(share[part], 0.5) for part in parts])
    return middle, typical, np.maximum((upper - typical) / UPPER_SIGMA, SMALLEST_SPREAD)


def _side_by_side(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays over knots as columns of one; a line of fewer galaxies has fewer knots, of which the last is repeated."""
    n_knot = max(map(len, columns))
    return np.stack([column[np.minimum(np.arange(n_knot), len(column) - 1)] for column in columns], axis=1)


def _share(cubes: Reconstructed, error: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Share of the model's error in the expected variance, shape (n, 1 + line); NaN without data."""
    network = _network_variance(error, level)
    part = network / (network + _variance(cubes))
    return np.concatenate(
        [mean_of(part, cubes.valid, (*_CHANNELS, *_SPAXELS))[:, None], mean_of(part, cubes.valid, (2, *_SPAXELS))],
        axis=1,
    )


def _network_variance(error: np.ndarray, level: np.ndarray) -> np.ndarray:
    return (error[None, :, :, None, None] * level[:, :, None]) ** 2


def _log(measure: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(measure, _SMALLEST))


def _variance(cubes: Reconstructed) -> np.ndarray:
    return 1.0 / np.where(cubes.valid, cubes.ivar, 1.0)
