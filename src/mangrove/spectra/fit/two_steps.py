"""Stellar kinematics of a galaxy's bright baxels first, which then guide the fits of the others."""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

import numpy as np

from mangrove.codes import FitStatus
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import FitSettings, Guide

#: Of a dispersion below the line spread, the broadening of the templates is as good as any.
_TRUSTED = (FitStatus.OK, FitStatus.GAS_AT_BOUND, FitStatus.SIGMA_BELOW_LSF)


class Request(NamedTuple):
    """Baxels to fit, shape (n,), and the guide of each or None."""

    baxels: np.ndarray
    guides: list[Guide | None]


class GuidedFits(NamedTuple):
    """Results of all baxels; for each, the baxel whose stellar kinematics guided it, -1 for none."""

    results: list[FitResult]
    guided_by: np.ndarray


#: Requests, answered by results, that end in the fits of all baxels.
Fits = Generator[Request, list[FitResult], GuidedFits]


def guided(settings: FitSettings, snr, x, y) -> Fits:
    """The fits of a galaxy's baxels according to its settings, as requests to whatever fits them.

    Yields the baxels to fit and their guides, takes the results in the same order, and returns all of them. With
    ``stellar_kinematics`` other than 'free', baxels from ``bright_snr`` on are asked for first. Each of the others
    takes the stellar velocity and dispersion of the nearest of them ('fixed'), with errors that grow with its distance
    as :func:`gradients` tells, or stays within ``kinematics_range`` of both ('bounded'). A galaxy without a bright
    baxel that could be fitted is fitted freely.

    Parameters
    ----------
    snr, x, y : array_like, shape (n_baxel,)
        Signal to noise per pixel, and place in spaxels.
    """
    bright, every = np.asarray(snr) >= settings.bright_snr, np.arange(len(snr))
    free = np.full(every.size, -1)
    if settings.stellar_kinematics == "free" or bright.all() or not bright.any():
        return GuidedFits((yield _without_guides(every)), free)
    first, others = np.flatnonzero(bright), np.flatnonzero(~bright)
    known = dict(zip(first, (yield _without_guides(first)), strict=True))
    trusted = np.array([i for i in first if known[i].status in _TRUSTED], int)
    request, guided_by = _without_guides(others), free
    if trusted.size:
        x, y = np.asarray(x), np.asarray(y)
        guided_by = free.copy()
        guided_by[others] = nearest(trusted, others, x, y)
        request = Request(others, _guides(settings, known, trusted, others, guided_by, x, y))
    known |= dict(zip(others, (yield request), strict=True))
    return GuidedFits([known[i] for i in every], guided_by)


def fit_baxels(requests: Fits, fit: Callable[[Request], list[FitResult]]) -> GuidedFits:
    """The fits of one galaxy's baxels, made by a function."""
    request = next(requests)
    while True:
        try:
            request = requests.send(fit(request))
        except StopIteration as end:
            return end.value


def _without_guides(baxels) -> Request:
    return Request(baxels, [None] * len(baxels))


def _guides(settings, known, trusted, others, guided_by, x, y) -> list[Guide]:
    away = np.hypot(x - x[guided_by], y - y[guided_by])
    slopes = gradients([known[i] for i in trusted], x[trusted], y[trusted])
    half_width = settings.kinematics_range if settings.stellar_kinematics == "bounded" else 0.0
    return [guide_of(known[guided_by[i]], half_width, slopes * away[i]) for i in others]


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
