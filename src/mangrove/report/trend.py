"""The trend of scattered points: robust local regression."""

import numpy as np

#: Fewest points that have a trend.
LEAST_POINTS = 6
#: Part of the points that a place sees, and the fewest: with less the trend follows the noise.
_SPAN, _FEWEST = 0.6, 15
_N_PLACE = 80
_N_ROBUST = 3
#: Median absolute residuals beyond which a point does not count.
_CUT = 6.0


def local_regression(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Trend of y along x from the first point to the last: LOWESS (Cleveland 1979, J. Am. Stat. Assoc. 74, 829).

    A straight line at each place, fitted to the nearest 60 % of the points (at least 15) with weights that fall with the distance
    (tricube) and with the residual (bisquare, three times): smooth, and outliers do not bend it.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Finite, n of at least :data:`LEAST_POINTS`.

    Returns
    -------
    x, y : ndarray, shape (80,)
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    robust = np.ones(x.size)
    for _ in range(_N_ROBUST):
        residual = np.abs(y - _lines(x, x, y, robust))
        scale = _CUT * np.median(residual)
        if not scale > 0:
            break
        robust = np.clip(1.0 - (residual / scale) ** 2, 0.0, None) ** 2
    place = np.linspace(x.min(), x.max(), _N_PLACE)
    return place, _lines(place, x, y, robust)


def _lines(place, x, y, robust) -> np.ndarray:
    """Values at places, shape (m,), of weighted straight lines through the points near each."""
    n_near = min(x.size, max(_FEWEST, round(_SPAN * x.size)))
    distance = np.abs(place[:, None] - x)
    width = np.partition(distance, n_near - 1, axis=1)[:, n_near - 1 : n_near]
    # Wider than the farthest one, which would not count, and never zero.
    width = 1.001 * width + 1e-9 * (np.ptp(x) or 1.0)
    near = np.clip(1.0 - (distance / width) ** 3, 0.0, None) ** 3
    weight = near * (robust + 1e-9)
    weight /= weight.sum(axis=1, keepdims=True)
    middle_x, middle_y = weight @ x, weight @ y
    offset = x - middle_x[:, None]
    variance = (weight * offset**2).sum(axis=1)
    covariance = (weight * offset * y).sum(axis=1)
    # Where all points lie at one x there is no slope.
    flat = variance <= 1e-12 * np.ptp(x) ** 2
    slope = np.divide(covariance, variance, out=np.zeros_like(variance), where=~flat)
    return middle_y + slope * (place - middle_x)
