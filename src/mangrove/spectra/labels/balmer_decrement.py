"""Dust from what a fit measures: the Balmer decrement of the gas."""

import numpy as np

from mangrove.codes import LabelFlag
from mangrove.physics.constants import LN10
from mangrove.physics.dust import cardelli
from mangrove.physics.lines import fit_lines
from mangrove.spectra.labels.label import Label, flag_where

#: Halpha/Hbeta of case B at 10,000 K and 100 cm-3 (Osterbrock & Ferland 2006).
INTRINSIC_DECREMENT = 2.86

#: Error of log10 of the decrement when one of the lines has a signal to noise of 2.
_FAINT = 0.5 / LN10


def balmer_curve() -> tuple[float, float]:
    """A/E(B-V) of Cardelli et al. at Halpha and at Hbeta."""
    lines = fit_lines()
    halpha, hbeta = cardelli(lines.wave[[lines.index("Halpha_6565"), lines.index("Hbeta_4863")]])
    return float(halpha), float(hbeta)


def gas_ebv(halpha, halpha_err, hbeta, hbeta_err) -> Label:
    """E(B-V) of the gas from the Balmer decrement, mag.

    E(B-V) = 2.5 / (k(Hbeta) - k(Halpha)) log10(Halpha / Hbeta / 2.86). A ratio below 2.86 gives a negative value,
    which is kept, with the flag NEGATIVE_DECREMENT: clipped values would bias means and cannot be compared with
    their errors. Corrections for dust take such a value as 0 (:func:`corrected_halpha`).

    Parameters
    ----------
    halpha, halpha_err, hbeta, hbeta_err : array_like, shape (n,)
        Observed fluxes and errors in one unit; NaN where a line is not measured.

    Returns
    -------
    Label
        Missing with LINE_MISSING or LINE_NEGATIVE; LOW_SNR where both lines were looked for and their ratio has no
        signal to noise above 2 (each line then has one above 2): the dust is undetermined.
    """
    log_ratio, log_err, flag = _log_ratio(halpha, halpha_err, hbeta, hbeta_err)
    # An error that is not known is no small error: a comparison with NaN is False.
    faint = ((flag & LabelFlag.LINE_MISSING) == 0) & ~(log_err < _FAINT)
    k_halpha, k_hbeta = balmer_curve()
    scale = 2.5 / (k_hbeta - k_halpha)
    value = scale * (log_ratio - np.log10(INTRINSIC_DECREMENT))
    flag |= flag_where(value < 0, LabelFlag.NEGATIVE_DECREMENT)
    return Label(value, scale * log_err, flag | flag_where(faint, LabelFlag.LOW_SNR))


def corrected_halpha(halpha, halpha_err, hbeta, hbeta_err) -> Label:
    """log10 of the Halpha flux before dust, in the log of the unit of the input.

    The correction is 0.4 k(Halpha) max(E(B-V), 0). The error is that of the uncorrected-for-sign formula,
    (1 + g) log Halpha - g log Hbeta with g = k(Halpha) / (k(Hbeta) - k(Halpha)), whose terms are independent: also
    where the decrement is negative, since that it is exactly zero is not known.

    Parameters, flags
        As in :func:`gas_ebv`: without the dust there is no flux before dust. With a good Halpha and a ratio at its
        limit the error is 0.51 dex.
    """
    ebv = gas_ebv(halpha, halpha_err, hbeta, hbeta_err)
    halpha, halpha_err, hbeta, hbeta_err = (np.asarray(a, float) for a in (halpha, halpha_err, hbeta, hbeta_err))
    k_halpha, k_hbeta = balmer_curve()
    gain = k_halpha / (k_hbeta - k_halpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log10(halpha) + 0.4 * k_halpha * np.maximum(ebv.value, 0.0)
        error = np.hypot((1.0 + gain) * halpha_err / halpha, gain * hbeta_err / hbeta) / LN10
    missing = ~np.isfinite(ebv.value)
    value, error = (np.where(missing, np.nan, part) for part in (value, error))
    return Label(value, error, ebv.flag)


def _log_ratio(top, top_err, bottom, bottom_err):
    """log10 of a ratio of two lines, its error, and flags where it does not exist."""
    top, top_err, bottom, bottom_err = (np.asarray(a, float) for a in (top, top_err, bottom, bottom_err))
    missing = ~(np.isfinite(top) & np.isfinite(bottom))
    negative = ~missing & ((top <= 0) | (bottom <= 0))
    known = ~(missing | negative)
    top, bottom = (np.where(known, a, np.nan) for a in (top, bottom))
    flag = flag_where(missing, LabelFlag.LINE_MISSING) | flag_where(negative, LabelFlag.LINE_NEGATIVE)
    return np.log10(top / bottom), np.hypot(top_err / top, bottom_err / bottom) / LN10, flag
