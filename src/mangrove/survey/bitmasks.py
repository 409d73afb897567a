"""The bits of MaNGA's masks (Law et al. 2016; sdssMaskbits)."""

from enum import IntFlag

import numpy as np


class DrpPixel(IntFlag):
    """Bits of ``MANGA_DRP3PIXMASK``."""

    NOCOV = 1 << 0
    LOWCOV = 1 << 1
    DEADFIBER = 1 << 2
    FORESTAR = 1 << 3
    DONOTUSE = 1 << 10


#: Only these remove data; LOWCOV and others inform.
FATAL = DrpPixel.NOCOV | DrpPixel.DEADFIBER | DrpPixel.FORESTAR | DrpPixel.DONOTUSE


class DrpQuality(IntFlag):
    """Bits of ``MANGA_DRP3QUAL``."""

    CRITICAL = 1 << 30


def has(mask: np.ndarray, bits: IntFlag) -> np.ndarray:
    """Boolean array: any of ``bits`` is set in ``mask``."""
    return (mask & int(bits)) != 0
