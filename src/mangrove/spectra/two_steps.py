"""Stellar kinematics of a galaxy's bright baxels first, which then guide the fits of the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.spectra.composition import Spectrum
from mangrove.spectra.fit_galaxy import GalaxyFit, fit_all
from mangrove.spectra.fit_results import GAS_AT_BOUND, OK, FitResult
from mangrove.spectra.fit_settings import Guide


class GuidedFits(NamedTuple):
    """Results of all baxels; for each, the baxel whose stellar kinematics guided it, -1 for none."""

    results: list[FitResult]
    guided_by: np.ndarray


def fit_baxels(galaxy: GalaxyFit, spectra: Sequence[Spectrum], snr, x, y, n_process: int) -> GuidedFits:
    """Fit a galaxy's baxels as its settings ask.

    With ``stellar_kinematics`` other than 'free', baxels from ``bright_snr`` on are fitted first. Each of the others
    takes the stellar velocity and dispersion of the nearest of them ('fixed'), or stays within ``kinematics_range``
    of both ('bounded'). A galaxy without a bright baxel that could be fitted is fitted freely.

    Parameters
    ----------
    snr, x, y : array_like, shape (n_baxel,)
        Signal to noise per pixel, and place in spaxels.
    """
    how, free = galaxy.settings, np.full(len(spectra), -1)
    bright = np.asarray(snr) >= how.bright_snr
    if how.stellar_kinematics == "free" or bright.all() or not bright.any():
        return GuidedFits(fit_all(galaxy, spectra, n_process), free)
    first, others = np.flatnonzero(bright), np.flatnonzero(~bright)
    known = dict(zip(first, fit_all(galaxy, [spectra[i] for i in first], n_process), strict=True))
    trusted = np.array([i for i in first if known[i].status in (OK, GAS_AT_BOUND)], int)
    guided_by = free
    if trusted.size:
        guided_by[others] = nearest(trusted, others, np.asarray(x), np.asarray(y))
    half_width = how.kinematics_range if how.stellar_kinematics == "bounded" else 0.0
    guides = [guide_of(known[i], half_width) if i >= 0 else None for i in guided_by[others]]
    known |= zip(others, fit_all(galaxy, [spectra[i] for i in others], n_process, guides), strict=True)
    return GuidedFits([known[i] for i in range(len(spectra))], guided_by)


def nearest(candidates, baxels, x, y) -> np.ndarray:
    """The candidate nearest to each baxel, the first of equals."""
    distance = np.hypot(x[baxels, None] - x[candidates], y[baxels, None] - y[candidates])
    return candidates[np.argmin(distance, axis=1)]


def guide_of(fit: FitResult, half_width: float) -> Guide:
    """Stellar kinematics of a fit as guide of another; the error of the dispersion as broadening of the templates."""
    sigma_err = fit.sigma_star_err * fit.sigma_star / fit.sigma_star_fit
    return Guide(fit.v_star, fit.v_star_err, fit.sigma_star_fit, sigma_err, half_width)
