"""What the residuals of a fit say about its noise."""

import numpy as np

from mangrove.physics.constants import MAD_TO_SIGMA

#: Fewest runs of pixels that tell how much their sums scatter.
LEAST_RUNS = 8


def robust_rms(values) -> float:
    """Standard deviation about zero, from the median absolute value."""
    return MAD_TO_SIGMA * float(np.median(np.abs(values)))


def scatter_of_sums(residual, use, size: int) -> float:
    """Robust scatter of sums over so many neighbouring pixels, over that of independent residuals; at least 1.

    Residuals go together where templates do not match, or where the noise does, and then sums scatter by more than
    pixels tell.

    Parameters
    ----------
    residual : ndarray, shape (n_wave,)
        Over their standard deviation.
    use : ndarray of bool, shape (n_wave,)
        Good pixels without emission lines; only runs without a gap count, and fewer than eight tell nothing.
    size : int
        At least 1.
    """
    starts = np.arange(0, residual.size, size)
    whole = np.add.reduceat(use.astype(int), starts) == size
    if np.count_nonzero(whole) < LEAST_RUNS:
        return 1.0
    sums = np.add.reduceat(np.where(use, residual, 0.0), starts)[whole]
    return max(robust_rms(sums) / np.sqrt(size), 1.0)
