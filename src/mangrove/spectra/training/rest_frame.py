"""Training spectra: rest frame, common bins, normalised, with the cuts of Teimoorinia et al. (2022)."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import TrainingCut
from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import C_KMS, log_edges, log_grid, mean_smoothing, overlap_matrix

#: Largest part of a rebinned bin that may come from bad pixels.
_BAD_FRACTION = 0.5
#: Half width around known emission lines where a high pixel is a line and not a fault, km/s over c.
_LINE_HALF_WIDTH = 1000.0 / C_KMS


class RestSpectra(NamedTuple):
    """Rest-frame spectra of one galaxy.

    Attributes
    ----------
    flux : ndarray of float32, shape (n_baxel, n_wave)
        Over its mean in the normalisation band; masked bins interpolated.
    mask : ndarray of bool, shape (n_baxel, n_wave)
        Where flux is interpolated.
    norm : ndarray, shape (n_baxel,)
        Mean flux in the band, the unit of the input.
    cut : ndarray of int, shape (n_baxel,)
        TrainingCut.KEPT or the first cut of the galaxy's own (not of the sample's percentiles) that removes the baxel.
    """

    flux: np.ndarray
    mask: np.ndarray
    norm: np.ndarray
    cut: np.ndarray


def rest_spectra(wave, flux, good, snr, z: float, settings: dict) -> RestSpectra:
    """De-redshift, rebin flux-conserving, normalise.

    Parameters
    ----------
    wave : ndarray, shape (n_in,)
        Observed, vacuum, Angstrom, log-linear.
    flux, good : ndarray, shape (n_baxel, n_in)
        As :func:`mangrove.spectra.observed.corrected` gives them.
    snr : ndarray, shape (n_baxel,)
    z : float
    settings : dict
        rest_range, n_wave, norm_band, min_good_fraction, min_snr.
    """
    grid = log_grid(*settings["rest_range"], settings["n_wave"])
    matrix = overlap_matrix(log_edges(wave) / (1.0 + z), log_edges(grid))
    covered = (matrix @ good.T.astype(float)).T
    # Bad pixels give no flux; what is left is the mean over the good part of the bin.
    total = (matrix @ np.where(good, flux, 0.0).T).T
    bad = covered < 1.0 - _BAD_FRACTION
    out = np.divide(total, covered, out=np.zeros_like(total), where=~bad)
    norm = band_mean(grid, out, bad, settings["norm_band"])
    cut = np.full(len(out), TrainingCut.KEPT, np.int8)
    cut[~(norm > 0)] = TrainingCut.NO_NORMALISATION
    cut[np.asarray(snr) < settings["min_snr"]] = TrainingCut.LOW_SNR
    cut[(~bad).mean(axis=1) < settings["min_good_fraction"]] = TrainingCut.TOO_FEW_GOOD_PIXELS
    out = out / np.where(norm > 0, norm, 1.0)[:, None]
    return RestSpectra(interpolate_masked(out, bad).astype(np.float32), bad, norm, cut)


def rest_lsf(wave, sigma, z: float, grid) -> np.ndarray:
    """Line spread of a spectrum of :func:`rest_spectra`.

    Parameters
    ----------
    wave, sigma : ndarray, shape (n_in,)
        Observed, vacuum, Angstrom, log-linear; line spread there, Gaussian sigma, Angstrom, 0 or NaN where unknown.
    z : float
    grid : ndarray, shape (n_wave,)
        Rest wavelength, Angstrom.

    Returns
    -------
    ndarray, shape (n_wave,)
        Gaussian sigma, Angstrom, rest frame, the widening by the bins included; interpolated where unknown, NaN beyond
        the wavelengths where it is known.
    """
    known = sigma > 0
    if not known.any():
        return np.full(np.shape(grid), np.nan)
    spread = np.interp(grid, wave[known] / (1.0 + z), sigma[known] / (1.0 + z), left=np.nan, right=np.nan)
    return np.hypot(spread, mean_smoothing(log_edges(wave) / (1.0 + z), log_edges(grid), grid))


def band_mean(grid, flux, bad, band) -> np.ndarray:
    """Mean flux, shape (n_baxel,), of the good bins in a band; NaN without any."""
    inside = (grid >= band[0]) & (grid <= band[1])
    good = ~bad[:, inside]
    count = good.sum(axis=1)
    return np.divide(
        np.where(good, flux[:, inside], 0.0).sum(axis=1), count, out=np.full(len(flux), np.nan), where=count > 0
    )


def interpolate_masked(flux, bad) -> np.ndarray:
    """Flux, shape (n_baxel, n_wave), with bad bins interpolated linearly, constant at the ends; 0 if all are bad."""
    out, index = np.array(flux, float), np.arange(flux.shape[1])
    for row, hole in zip(out, bad, strict=True):
        if hole.all():
            row[:] = 0.0
        elif hole.any():
            row[hole] = np.interp(index[hole], index[~hole], row[~hole])
    return out


def extremes(grid, spectra: RestSpectra) -> tuple[np.ndarray, np.ndarray]:
    """Minimum and maximum of each spectrum, shape (n_baxel,): over good bins; the maximum away from emission lines.

    High pixels on known emission lines are expected, so these do not count in the maximum.
    """
    away = np.all(np.abs(np.log(grid[:, None] / fit_lines().wave)) > _LINE_HALF_WIDTH, axis=1)
    low = np.where(spectra.mask, np.inf, spectra.flux).min(axis=1, initial=np.inf)
    high = np.where(spectra.mask | ~away, -np.inf, spectra.flux).max(axis=1, initial=-np.inf)
    return low, high


def percentile_cuts(low, high, cut, percentile: float) -> np.ndarray:
    """Cuts, shape (n_baxel,), with the lowest minima and highest maxima of the kept ones removed.

    Parameters
    ----------
    low, high : ndarray, shape (n_baxel,)
        Of all baxels of the sample (see :func:`extremes`).
    cut : ndarray, shape (n_baxel,)
        Cuts so far; the percentiles are those of the baxels still kept.
    percentile : float
        Removed at either end, per cent; strictly beyond it, so that 0 removes nothing.
    """
    out, kept = np.array(cut), np.asarray(cut) == TrainingCut.KEPT
    if not kept.any():
        return out
    out[kept & (high > np.percentile(high[kept], 100.0 - percentile))] = TrainingCut.HIGHEST_MAXIMUM
    out[kept & (low < np.percentile(low[kept], percentile))] = TrainingCut.LOWEST_MINIMUM
    return out
