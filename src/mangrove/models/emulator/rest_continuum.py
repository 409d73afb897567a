"""From observed spectra to the mean flux of their stellar continuum in rest-frame bins."""

import numpy as np

from mangrove.models.emulator.continuum_features import Bins, bin_matrix, without_lines
from mangrove.physics.lines import fit_lines, window_lines

#: Step of the rest-frame scale, Angstrom: finer than the lines, as the bins are wide.
_STEP = 1.0
#: Smallest part of a bin that good pixels must cover.
_MIN_GOOD = 0.5


def bin_continuum(wave: np.ndarray, flux: np.ndarray, good: np.ndarray, redshift: np.ndarray, bins: Bins) -> np.ndarray:
    """Mean flux of spectra, without their emission lines, in rest-frame bins.

    Emission lines (all of the line table) give way to straight lines; bad pixels to their neighbours.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Observed, vacuum, Angstrom, ascending.
    flux, good : ndarray, shape (n_spectrum, n_wave)
        Flux density per observed Angstrom; whether a pixel is data.
    redshift : ndarray, shape (n_spectrum,)
        Of the lines.
    bins : Bins

    Returns
    -------
    ndarray of float32, shape (n_spectrum, n_bin)
        In the unit of ``flux``; NaN in bins that good pixels do not cover by half.
    """
    rest = np.arange(bins.edges[0] - 0.5 * _STEP, bins.edges[-1] + _STEP, _STEP)
    matrix = bin_matrix(rest, bins)
    lines = np.union1d(fit_lines().wave, window_lines().wave)
    inside = lines[(lines > rest[0]) & (lines < rest[-1])]
    spectra = np.zeros((len(flux), rest.size), np.float32)
    known = np.zeros((len(flux), rest.size), np.float32)
    for i, z in enumerate(np.asarray(redshift, float)):
        if not (np.isfinite(z) and good[i].any()):
            continue
        observed = rest * (1 + z)
        spectra[i] = np.interp(observed, wave[good[i]], flux[i, good[i]])
        known[i] = np.interp(observed, wave, good[i].astype(float), left=0.0, right=0.0)
    means = np.asarray(without_lines(rest, spectra, inside)) @ matrix.T
    return np.where(known @ matrix.T >= _MIN_GOOD, means, np.nan).astype(np.float32)
