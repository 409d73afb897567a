"""Spatial binning of spaxels to a target signal to noise, with the noise covariance of neighbouring spaxels."""

import logging
import warnings

import numpy as np
from scipy.spatial import KDTree

logger = logging.getLogger(__name__)

#: Law et al. (2016), AJ 152, 83, equation 5: noise over its quadrature sum is 1 + 1.62 log10(n), 4.2 above 100 spaxels.
MANGA_SLOPE = 1.62
MANGA_LIMIT = 4.2
_LIMIT_N = 100.0
_RAISE_TOLERANCE = 0.02
_RAISE_TRIES = 8
#: Part of the target below which a bin is joined with a neighbour: PowerBin's own for the capacity, its square.
_LEAST_SNR = 0.8**0.5


def covariance_factor(n, covariance: str | float = "manga"):
    """Noise of a bin of n spaxels over the quadrature sum of their noises.

    Parameters
    ----------
    n : array_like
        Number of spaxels; 0 gives 1.
    covariance : 'manga', 'none' or float
        'manga': 1 + 1.62 log10(n) for n <= 100, 4.2 above (Law et al. 2016); 'none': 1; a number: the factor at
        100 spaxels and more, growing with log10(n) up to there.
    """
    n = np.maximum(np.asarray(n, float), 1.0)
    if covariance == "none":
        return np.ones_like(n)
    slope, limit = (MANGA_SLOPE, MANGA_LIMIT) if covariance == "manga" else ((covariance - 1.0) / 2.0, covariance)
    return np.where(n > _LIMIT_N, limit, 1.0 + slope * np.log10(n))


def bin_snr(signal, noise, covariance: str | float) -> float:
    """Signal to noise of the spaxels taken together, covariance included."""
    return float(np.sum(signal) / (covariance_factor(np.size(signal), covariance) * np.sqrt(np.sum(np.square(noise)))))


def bin_spaxels(x, y, signal, noise, target_snr: float, covariance: str | float, engine: str) -> np.ndarray:
    """Assign spaxels to bins.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Columns and rows of the spaxels.
    signal, noise : ndarray, shape (n,)
        Signal and its standard deviation per spaxel, noise positive.
    target_snr : float
        Wanted signal to noise of a bin, covariance included.
    covariance : 'manga', 'none' or float
        See :func:`covariance_factor`.
    engine : 'powerbin' or 'vorbin'
        Cappellari (2025) with the covariance inside, bins that fall short joined with neighbours; or Cappellari &
        Copin (2003), accretion on quadrature noise
        with the target raised until the bins meet it with covariance.

    Returns
    -------
    ndarray of int, shape (n,)
        Bin of each spaxel, from 0, in the order of first appearance. No spaxel gives an empty array; a galaxy
        below the target as a whole gives one bin; spaxels all above it are bins of their own.
    """
    x, y, signal, noise = (np.asarray(a, float) for a in (x, y, signal, noise))
    if signal.size == 0:
        return np.zeros(0, int)
    if np.all(signal >= target_snr * noise):
        return np.arange(signal.size)
    if bin_snr(signal, noise, covariance) <= target_snr:
        return np.zeros(signal.size, int)
    run = _powerbin if engine == "powerbin" else _vorbin
    return _in_order(run(np.column_stack([x, y]), signal, noise, target_snr, covariance))


def _powerbin(xy, signal, noise, target_snr, covariance) -> np.ndarray:
    from powerbin import PowerBin

    variance = noise**2
    factor = covariance_factor(np.arange(signal.size + 1), covariance)

    def capacity(index) -> float:
        return float(signal[index].sum() ** 2 / (factor[len(index)] ** 2 * variance[index].sum()))

    options = {"target_capacity": target_snr**2, "pixelsize": 1.0, "verbose": 0}
    try:
        with np.errstate(invalid="ignore"):
            bins = PowerBin(xy, capacity, **options).bin_num
    except ValueError as error:
        # Its regularisation can empty a bin, whose centre is then not finite; the accreted bins are good.
        logger.warning("PowerBin's regularisation failed (%s); keeping the accreted bins", error)
        bins = PowerBin(xy, capacity, regul=False, **options).bin_num
    return _joined(bins, xy, signal, noise, target_snr, covariance)


def _joined(bins, xy, signal, noise, target_snr, covariance) -> np.ndarray:
    """Join bins that fall short of the target with neighbours, the worst first, until none is left that this helps.

    PowerBin shares the spaxels of bins that it could not complete among their complete neighbours. Where noise is
    correlated, a faint spaxel more lowers the signal to noise of a bin: those neighbours end far below the target,
    while together they would reach it.
    """
    bins, least = bins.copy(), _LEAST_SNR * target_snr
    pairs = KDTree(xy).query_pairs(1.01, output_type="ndarray")
    alone: set[int] = set()
    while True:
        sums = np.array([np.bincount(bins, weight) for weight in (signal, noise**2, np.ones(signal.size))])
        snr = np.where(sums[2] > 0, _snr_of(*sums, covariance), np.inf)
        short = [b for b in np.flatnonzero(snr < least) if b not in alone]
        if not short:
            return bins
        worst = min(short, key=lambda b: snr[b])
        ends = bins[pairs]
        near = np.setdiff1d(ends[np.any(ends == worst, axis=1)], [worst])
        together = _snr_of(*(sums[:, near] + sums[:, [worst]]), covariance)
        helps = (together > snr[worst]) & ((together >= least) | (together > snr[near]))
        if not helps.any():
            alone.add(worst)
            continue
        near, together = near[helps], together[helps]
        # Neighbours that fall short themselves first; of these, the one that brings it nearest to the target.
        order = np.lexsort((np.abs(np.log(together / target_snr)), snr[near] >= least))
        bins[bins == worst] = near[order[0]]
        alone.clear()


def _snr_of(signal, variance, n, covariance):
    """Signal to noise of bins from their sums; not finite for an empty one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return signal / (covariance_factor(n, covariance) * np.sqrt(variance))


def _vorbin(xy, signal, noise, target_snr, covariance) -> np.ndarray:
    target, best = target_snr, (np.inf, np.zeros(signal.size, int))
    ceiling = 0.98 * bin_snr(signal, noise, "none")
    for _ in range(_RAISE_TRIES):
        bins = _accrete(xy, signal, noise, min(target, ceiling))
        reached = _median_snr(bins, signal, noise, covariance)
        best = min(best, (abs(reached / target_snr - 1.0), bins), key=lambda pair: pair[0])
        if best[0] < _RAISE_TOLERANCE or target >= ceiling:
            break
        target *= target_snr / reached
    return best[1]


def _accrete(xy, signal, noise, target: float) -> np.ndarray:
    if np.all(signal >= target * noise):
        return np.arange(signal.size)
    with warnings.catch_warnings():
        # VorBin announces its successor, PowerBin, at import and at every call; here it is the user's choice.
        warnings.filterwarnings("ignore", "(?s).*VorBin is deprecated", UserWarning)
        from vorbin.voronoi_2d_binning import voronoi_2d_binning

        try:
            return voronoi_2d_binning(*xy.T, signal, noise, target, pixelsize=1.0, plot=False, quiet=True)[0]
        except IndexError:
            # It found no good bin, among which to share out the others: the galaxy is one bin.
            return np.zeros(signal.size, int)


def _median_snr(bins, signal, noise, covariance) -> float:
    """Median signal to noise, with covariance, of the bins of several spaxels (of all if there is none)."""
    n = np.bincount(bins)
    total = np.bincount(bins, signal) / (covariance_factor(n, covariance) * np.sqrt(np.bincount(bins, noise**2)))
    return float(np.median(total[n > 1] if np.any(n > 1) else total))


def _in_order(bins: np.ndarray) -> np.ndarray:
    _, first, inverse = np.unique(bins, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
