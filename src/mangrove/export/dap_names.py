"""Names and bits of MaNGA's data analysis pipeline (DAP; Westfall et al. 2019, AJ 158, 231): channels of lines, masks."""

import math
from enum import IntFlag

import numpy as np

from mangrove.data_model import SPAXEL_STATUS
from mangrove.spectra.labels.label import LabelFlag

#: Name of the DAP's mask bits, card MASKNAME.
MASKNAME = "MANGA_DAPPIXMASK"
#: The Balmer lines as the DAP abbreviates them; other ions have our names.
_BALMER = {
    "Halpha": "Ha",
    "Hbeta": "Hb",
    "Hgamma": "Hgam",
    "Hdelta": "Hdel",
    "Hepsilon": "Heps",
    "Hzeta": "Hzet",
    "Htheta": "Hthe",
}


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


#: What a spaxel in no baxel is to the DAP, by the name of its status.
_OUTSIDE = {
    "outside_field": DapPixel.NOCOV,
    "foreground_star": DapPixel.FORESTAR,
    "masked": DapPixel.LOWCOV,
    "below_min_snr": DapPixel.NOVALUE,
}
#: What flags mean to the DAP where the value is not to be used; all others make it UNRELIABLE.
_UNUSABLE = {
    LabelFlag.NO_FIT: DapPixel.FITFAILED,
    LabelFlag.NO_WEIGHTS | LabelFlag.LINE_MISSING: DapPixel.NOVALUE,
    LabelFlag.ZERO_CONTINUUM: DapPixel.MATHERROR,
    LabelFlag.AT_BOUND: DapPixel.NEARBOUND,
}


def channel_name(line: str, wave: float) -> str:
    """The DAP's name of a line: Halpha-6565 is Ha-6564, after the whole Angstrom below its vacuum wavelength."""
    ion = line.rpartition("-")[0]
    return f"{_BALMER.get(ion, ion)}-{math.floor(wave)}"


def baxel_mask(flag, value) -> np.ndarray:
    """DAP bits of values, int32.

    Parameters
    ----------
    flag : ndarray of int, shape (...)
        Bits of :class:`mangrove.spectra.labels.label.LabelFlag`.
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
    for code, name in SPAXEL_STATUS.items():
        if name in _OUTSIDE:
            mask[np.equal(spaxel_status, code)] = _OUTSIDE[name] | DapPixel.DONOTUSE
    return mask
