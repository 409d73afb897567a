"""Names and bits of MaNGA's data analysis pipeline (DAP; Westfall et al. 2019, AJ 158, 231): channels of lines, masks."""

from enum import IntFlag

import numpy as np

from mangrove.codes import LabelFlag, SpaxelStatus
from mangrove.physics.lines import fit_lines

#: Name of the DAP's mask bits, card MASKNAME.
MASKNAME = "MANGA_DAPPIXMASK"


class DapPixel(IntFlag):
    """Bits of MANGA_DAPPIXMASK that the maps use."""

    NOCOV = 1 << 0
    LOWCOV = 1 << 1
    FORESTAR = 1 << 3
    NOVALUE = 1 << 4
    UNRELIABLE = 1 << 5
    MATHERROR = 1 << 6
    FITFAILED = 1 << 7
    NEARBOUND = 1 << 8
    MULTICOMP = 1 << 10
    DONOTUSE = 1 << 30


#: What a spaxel in no baxel is to the DAP, by its status.
_OUTSIDE = {
    SpaxelStatus.OUTSIDE_FIELD: DapPixel.NOCOV,
    SpaxelStatus.FOREGROUND_STAR: DapPixel.FORESTAR,
    SpaxelStatus.MASKED: DapPixel.LOWCOV,
    SpaxelStatus.BELOW_MIN_SNR: DapPixel.NOVALUE,
}
#: What flags mean to the DAP where the value is not to be used; all others make it UNRELIABLE.
_UNUSABLE = {
    LabelFlag.NO_FIT: DapPixel.FITFAILED,
    LabelFlag.NO_WEIGHTS | LabelFlag.LINE_MISSING: DapPixel.NOVALUE,
    LabelFlag.ZERO_CONTINUUM: DapPixel.MATHERROR,
    LabelFlag.AT_BOUND: DapPixel.NEARBOUND,
}


def channel_name(line: str) -> str:
    """The DAP's name of a fitted line: Halpha_6565 is Ha-6564, after the whole Angstrom below its vacuum wavelength."""
    return fit_lines().dap_name[fit_lines().index(line)]


def baxel_mask(flag, value) -> np.ndarray:
    """DAP bits of values, int32.

    Parameters
    ----------
    flag : ndarray of int, shape (...)
        Bits of :class:`mangrove.codes.LabelFlag`.
    value : ndarray, shape (...)
        Not to be used where it is not finite.
    """
    flag = np.asarray(flag, np.uint32)
    mask = np.where(np.isfinite(value), 0, DapPixel.NOVALUE | DapPixel.DONOTUSE).astype(np.int32)
    for bits, meaning in _UNUSABLE.items():
        mask |= np.where(flag & np.uint32(bits), meaning | DapPixel.DONOTUSE, 0).astype(np.int32)
    known = np.bitwise_or.reduce([np.uint32(bits) for bits in _UNUSABLE])
    mask |= np.where(flag & ~known, DapPixel.UNRELIABLE, 0).astype(np.int32)
    return mask | np.where(flag & np.uint32(LabelFlag.NOT_ONE_GAUSSIAN), DapPixel.MULTICOMP, 0).astype(np.int32)


def outside_mask(spaxel_status) -> np.ndarray:
    """DAP bits of spaxels outside all baxels, int32, shape (ny, nx); 0 for those in one."""
    mask = np.zeros(np.shape(spaxel_status), np.int32)
    for status, bits in _OUTSIDE.items():
        mask[np.equal(spaxel_status, status)] = bits | DapPixel.DONOTUSE
    return mask
