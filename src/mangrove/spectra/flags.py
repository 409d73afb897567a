"""A label: value, error and the reasons for which it may not be used."""

from enum import IntFlag
from typing import NamedTuple

import numpy as np


class LabelFlag(IntFlag):
    """Why a label is missing or not to be trusted; meanings stand in docs/labels.md.

    Bits up to :attr:`LabelFlag.NO_COVERAGE` come with a missing value (NaN); the others qualify a value.
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


class Label(NamedTuple):
    """A quantity of n spectra.

    Attributes
    ----------
    value, error : ndarray, shape (n,)
        NaN where there is none; the flag then says why.
    flag : ndarray of uint16, shape (n,)
        Bits of :class:`LabelFlag`.
    """

    value: np.ndarray
    error: np.ndarray
    flag: np.ndarray


def flag_where(condition, flag: LabelFlag) -> np.ndarray:
    """uint16, ``flag`` where the condition holds and 0 elsewhere."""
    return np.where(condition, np.uint16(flag), np.uint16(0)).astype(np.uint16)


def with_flag(label: Label, condition, flag: LabelFlag) -> Label:
    """The label with a bit added where a condition holds."""
    return label._replace(flag=label.flag | flag_where(condition, flag))


def is_clean(label: Label, tolerated: int = 0) -> np.ndarray:
    """True where the label has a value and no bits but the tolerated ones."""
    return np.isfinite(label.value) & ((label.flag & ~np.uint16(tolerated)) == 0)
