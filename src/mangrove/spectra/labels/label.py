"""A label: value, error and the reasons for which it may not be used."""

from enum import IntFlag
from typing import NamedTuple

import numpy as np


class LabelFlag(IntFlag):
    """Why a label is missing or should not be trusted; docs/labels.md has the meanings.

    Bits up to :attr:`LabelFlag.NO_COVERAGE` and UPPER_LIMIT come with a missing value (NaN); the others qualify a
        value. 4096 is left out: in the exported maps it marks spaxels in no baxel.
    """

    NO_FIT = 1
    NO_WEIGHTS = 2
    NO_MASSES = 4
    LINE_MISSING = 8
    LINE_NEGATIVE = 16
    ZERO_CONTINUUM = 32
    NO_COVERAGE = 64
    LOW_SNR = 128
    POOR_FIT = 256
    NEGATIVE_DECREMENT = 512
    BELOW_LINE_SPREAD = 1024
    AT_BOUND = 2048
    NOT_STAR_FORMING = 8192
    UPPER_LIMIT = 16384
    NOT_ONE_GAUSSIAN = 32768
    DOUBLET_RATIO_REJECTED = 65536


#: Largest error, dex or mag, of a label that is measured: a factor of four.
MAX_ERROR = 0.6
#: Largest error, km/s, of a velocity or a dispersion that is measured.
MAX_MOTION_ERROR = 100.0


class Label(NamedTuple):
    """A quantity of n spectra.

    Attributes
    ----------
    value, error : ndarray, shape (n,)
        NaN where there is none; the flag then says why.
    flag : ndarray of uint32, shape (n,)
        Bits of :class:`LabelFlag`.
    """

    value: np.ndarray
    error: np.ndarray
    flag: np.ndarray


def flag_where(condition, flag: LabelFlag) -> np.ndarray:
    """uint32, ``flag`` where the condition holds and 0 elsewhere."""
    return np.where(condition, np.uint32(flag), np.uint32(0)).astype(np.uint32)


def with_flag(label: Label, condition, flag: LabelFlag) -> Label:
    """The label with a bit added where a condition holds."""
    return label._replace(flag=label.flag | flag_where(condition, flag))


def is_clean(label: Label, tolerated: int = 0) -> np.ndarray:
    """True where the label has a value and no bits but the tolerated ones."""
    return np.isfinite(label.value) & ((label.flag & ~np.uint32(tolerated)) == 0)


def undetermined(value, error, largest: float) -> np.ndarray:
    """True where there is a value whose error is unknown (NaN, 0) or above the largest that means a measurement."""
    error = np.asarray(error)
    return np.isfinite(value) & ~((error > 0) & (error <= largest))
