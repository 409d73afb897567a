"""The distance from star formation in the BPT diagram, as a label with its error."""

import numpy as np

from mangrove.codes import LabelFlag
from mangrove.physics.bpt import MIN_LINE_SNR, bpt_distance, bpt_lines, bpt_ratios, curve_normal
from mangrove.physics.constants import LN10
from mangrove.spectra.labels.label import Label, flag_where


def d_bpt(flux, error, line) -> Label:
    """Distance from the curve of Kauffmann et al. (2003) with its error, dex.

    Perpendicular to the curve the distance changes with each ratio as the unit normal does, so
    error^2 = n_x^2 error(log [NII]/Halpha)^2 + n_y^2 error(log [OIII]/Hbeta)^2; the lines are taken as independent.

    Parameters
    ----------
    flux, error, line
        As in :func:`mangrove.physics.bpt.bpt_ratios`.

    Returns
    -------
    Label
        Missing with LINE_MISSING or LINE_NEGATIVE; LOW_SNR where one of the four lines is not above 2 sigma.
    """
    x, y = bpt_ratios(flux, error, line, 0.0)
    flux, error = bpt_lines(flux, error, line)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = error / np.abs(flux) / LN10
    error_x, error_y = np.hypot(relative[:, 0], relative[:, 1]), np.hypot(relative[:, 2], relative[:, 3])
    normal_x, normal_y = curve_normal(x, y)
    missing = ~np.all(np.isfinite(flux), axis=1)
    flag = flag_where(missing, LabelFlag.LINE_MISSING)
    flag |= flag_where(~missing & np.any(flux <= 0, axis=1), LabelFlag.LINE_NEGATIVE)
    # Written so that an unknown error (NaN) is no detection.
    flag |= flag_where(~missing & ~np.all(flux > MIN_LINE_SNR * error, axis=1), LabelFlag.LOW_SNR)
    return Label(bpt_distance(x, y), np.hypot(normal_x * error_x, normal_y * error_y), flag)
