"""Line cubes of plain round galaxies and reconstructions that miss some per cent of each channel's flux."""

import numpy as np

from mangrove.analysis.anomaly_scores import Reconstructed

LINE, PIXEL, SIDE = 3, 4, 12
#: Standard deviation of the noise of a galaxy of unit brightness, and error of its reconstruction.
NOISE, MISSED = 0.02, 0.05


def disc(x=0.0, y=0.0, scale=2.5):
    """An exponential disc around the middle, offset by (x, y) spaxels, shape (side, side)."""
    row, column = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.exp(-np.hypot(row - y, column - x) / scale)


def reconstructed(n=60, seed=1, extra=None, line=LINE) -> Reconstructed:
    """Cubes of n galaxies over two decades of brightness.

    ``extra``, of the shape of the cubes or broadcast to it, is light that the reconstruction lacks, for a galaxy of unit
    brightness.
    """
    rng = np.random.default_rng(seed)
    shape = (n, line, PIXEL, SIDE, SIDE)
    brightness = 10 ** rng.uniform(-1, 1, (n, 1, 1, 1, 1))
    image = rng.uniform(0.5, 2.0, (n, line, PIXEL, 1, 1)) * disc()
    light = image * (1 + MISSED * rng.standard_normal((n, line, PIXEL, 1, 1)))
    light = light + NOISE * rng.standard_normal(shape) + (0.0 if extra is None else extra)
    row, column = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    valid = np.broadcast_to(np.hypot(row, column) < SIDE / 2, shape)
    flux, ivar = np.where(valid, brightness * light, 0.0), np.where(valid, (brightness * NOISE) ** -2.0, 0.0)
    return Reconstructed(*(np.float32(cube) for cube in (flux, ivar)), valid, np.float32(brightness * image))
