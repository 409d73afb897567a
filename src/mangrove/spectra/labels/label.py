"""A label: value, error and the reasons for which it may not be used."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import LabelFlag

#: Largest error, dex or mag, of a label that is measured: a factor of four.
MAX_ERROR = 0.6
#: Largest error, km/s, of a velocity or a dispersion that is measured.
MAX_KINEMATICS_ERROR = 100.0


class Label(NamedTuple):
    """A quantity of n spectra.

    Attributes
    ----------
    value, error : ndarray, shape (n,)
        NaN where there is none; the flag then says why.
    flag : ndarray of uint32, shape (n,)
        Bits of :class:`mangrove.codes.LabelFlag`.
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
