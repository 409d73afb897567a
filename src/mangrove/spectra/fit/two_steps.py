"""Stellar kinematics of a galaxy's bright baxels first, which then guide the fits of the others."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove.codes import FitStatus
from mangrove.spectra.fit.galaxy_fit import GalaxyFit, fit_all
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import Guide
from mangrove.spectra.fit.spectrum import Spectrum

#: Of a dispersion below the line spread, the broadening of the templates is as good as any.
_TRUSTED = (FitStatus.OK, FitStatus.GAS_AT_BOUND, FitStatus.SIGMA_BELOW_LSF)


class GuidedFits(NamedTuple):
    """Results of all baxels; for each, the baxel whose stellar kinematics guided it, -1 for none."""

    results: list[FitResult]
    guided_by: np.ndarray


def fit_baxels(galaxy: GalaxyFit, spectra: Sequence[Spectrum], snr, x, y, n_process: int) -> GuidedFits:
    """Fit a galaxy's baxels according to its settings.

    With ``stellar_kinematics`` other than 'free', baxels from ``bright_snr`` on are fitted first. Each of the others
    takes the stellar velocity and dispersion of the nearest of them ('fixed'), with errors that grow with its distance
    as :func:`gradients` tells, or stays within ``kinematics_range`` of both ('bounded'). A galaxy without a bright
    baxel that could be fitted is fitted freely.

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
    known = _fitted(galaxy, spectra, first, n_process)
    trusted = np.array([i for i in first if known[i].status in _TRUSTED], int)
    if not trusted.size:
        return GuidedFits(_in_order(known | _fitted(galaxy, spectra, others, n_process)), free)
    x, y = np.asarray(x), np.asarray(y)
    guided_by = free.copy()
    guided_by[others] = nearest(trusted, others, x, y)
    away = np.hypot(x - x[guided_by], y - y[guided_by])
    slopes = gradients([known[i] for i in trusted], x[trusted], y[trusted])
    half_width = how.kinematics_range if how.stellar_kinematics == "bounded" else 0.0
    guides = [guide_of(known[guided_by[i]], half_width, slopes * away[i]) for i in others]
    known |= _fitted(galaxy, spectra, others, n_process, guides)
    return GuidedFits(_in_order(known), guided_by)


def _fitted(galaxy, spectra, which, n_process: int, guides=None) -> dict[int, FitResult]:
    """Results of some of the baxels by index."""
    return dict(zip(which, fit_all(galaxy, [spectra[i] for i in which], n_process, guides), strict=True))


def _in_order(known: dict[int, FitResult]) -> list[FitResult]:
    return [known[i] for i in range(len(known))]


def nearest(candidates, baxels, x, y) -> np.ndarray:
    """The candidate nearest to each baxel, the first of equals."""
    distance = np.hypot(x[baxels, None] - x[candidates], y[baxels, None] - y[candidates])
    return candidates[np.argmin(distance, axis=1)]


def gradients(fits: Sequence[FitResult], x, y) -> np.ndarray:
    """Gradients of velocity and dispersion on the sky in excess of their errors, km/s per spaxel, shape (2,).

    The root mean square between nearest neighbours: rotation, mostly.

    Parameters
    ----------
    fits : sequence of FitResult
        Of bright baxels; with fewer than two it cannot be measured, and is 0.
    x, y : ndarray, shape (n,)
        Their places, spaxels.
    """
    if len(fits) < 2:
        return np.zeros(2)
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(distance, np.inf)
    neighbour = np.argmin(distance, axis=1)
    rows = np.array([_kinematics(fit) for fit in fits])
    values, errors = rows[:, ::2], rows[:, 1::2]
    excess = (values - values[neighbour]) ** 2 - errors**2 - errors[neighbour] ** 2
    return np.sqrt(np.maximum(excess.sum(axis=0), 0.0) / np.sum(distance.min(axis=1) ** 2))


def guide_of(fit: FitResult, half_width: float, change: np.ndarray) -> Guide:
    """Stellar kinematics of a fit as guide of another, where they may have changed by so much, km/s, shape (2,)."""
    v, v_err, sigma, sigma_err = _kinematics(fit)
    return Guide(v, np.hypot(v_err, change[0]), sigma, np.hypot(sigma_err, change[1]), half_width)


def _kinematics(fit: FitResult) -> tuple[float, float, float, float]:
    """Velocity and broadening of the templates with their errors, km/s."""
    return fit.v_star, fit.v_star_err, fit.sigma_star_fit, fit.sigma_star_err * fit.sigma_star / fit.sigma_star_fit
