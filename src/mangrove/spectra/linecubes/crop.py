"""A square of spaxels around the centre of a galaxy."""

import numpy as np


def crop(values: np.ndarray, x: float, y: float, size: int, fill: float = 0) -> np.ndarray:
    """A square of ``size`` spaxels around column x and row y; ``fill`` outside the field.

    Parameters
    ----------
    values : ndarray, shape (..., ny, nx)

    Returns
    -------
    ndarray, shape (..., size, size)
        The spaxel nearest to (x, y) has index ``size // 2`` on both axes.
    """
    out = np.full((*values.shape[:-2], size, size), fill, values.dtype)
    left, bottom = int(np.rint(x)) - size // 2, int(np.rint(y)) - size // 2
    ny, nx = values.shape[-2:]
    x0, x1 = max(left, 0), min(left + size, nx)
    y0, y1 = max(bottom, 0), min(bottom + size, ny)
    if x0 < x1 and y0 < y1:
        out[..., y0 - bottom : y1 - bottom, x0 - left : x1 - left] = values[..., y0:y1, x0:x1]
    return out
