"""Residuals of strong night-sky lines."""

import numpy as np

#: Vacuum, observed frame, Angstrom ([OI] 5577, Na D, [OI] 6300 in air).
SKY_LINES = (5578.9, 5891.6, 5897.6, 6302.0)


def night_sky(wave, half_width: float) -> np.ndarray:
    """Whether each pixel, shape (n_wave,), lies within ``half_width`` of a sky line.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Observed, vacuum, Angstrom.
    half_width : float
        Angstrom.
    """
    return np.any(np.abs(np.asarray(wave)[:, None] - np.array(SKY_LINES)) < half_width, axis=1)
