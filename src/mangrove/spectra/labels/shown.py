"""The values of labels that the published limits let through."""

from collections.abc import Mapping

import numpy as np

from mangrove.codes import LabelFlag

#: Flags that the published maps leave out (a reduced chi2 of 2 and above, lines that are too faint), and star formation
#: where other sources light the gas.
LEFT_OUT = LabelFlag.POOR_FIT | LabelFlag.LOW_SNR | LabelFlag.NOT_STAR_FORMING


def is_shown(rows: Mapping, name: str) -> np.ndarray:
    """True where a label of the table 'labels' has a value within the published limits, shape (n_baxel,).

    Reduced chi2 below 2; the dust of the gas, star formation and its specific rate where Halpha/Hbeta, the BPT distance
    where its four lines have S/N above 2; star formation where the BPT class is star-forming or none.
    """
    return np.isfinite(rows[name]) & ((rows[f"{name}_flag"] & np.uint32(LEFT_OUT)) == 0)


def shown_values(rows: Mapping, name: str) -> np.ndarray:
    """Values of a label, NaN outside the published limits, shape (n_baxel,)."""
    return np.where(is_shown(rows, name), rows[name], np.nan)
