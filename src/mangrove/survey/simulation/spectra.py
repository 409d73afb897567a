"""Single spectra with known populations, dust and kinematics: what the labels are proven on."""

from typing import NamedTuple

import numpy as np

from mangrove.ssp.library import SspLibrary
from mangrove.survey.simulation.instrument import WAVE, lsf_sigma, noise_sigma
from mangrove.survey.simulation.stars import calzetti, populations, stellar_spectra
from mangrove.survey.simulation.truth import stellar_labels

#: Observed range of the signal to noise, Angstrom.
SNR_RANGE = (5600.0, 6750.0)
#: Mean ages (log10 age/yr) of the parts of an early and of a late galaxy, their scatter, and their light.
_EARLY = ((9.97, 0.07, 0.6), (9.6, 0.1, 0.4))
_LATE = ((9.9, 0.1, 0.3), (9.6, 0.15, 0.25), (9.1, 0.15, 0.25), (7.8, 0.4, 0.2))


class MockSpectra(NamedTuple):
    """Spectra of n spaxels as MaNGA sees them.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Observed, vacuum, Angstrom.
    flux, error : ndarray, shape (n, n_wave)
        1e-17 erg/s/cm2/Angstrom/spaxel; noise included.
    lsf : ndarray, shape (n_wave,)
        Line spread, Gaussian sigma, Angstrom.
    truth : dict of ndarray, shape (n,)
        Labels by the names of the artefact 'truth', and v_star, sigma_star (km/s), ebv_star (mag).
    """

    wave: np.ndarray
    flux: np.ndarray
    error: np.ndarray
    lsf: np.ndarray
    truth: dict[str, np.ndarray]


def mock_spectra(
    library: SspLibrary, n: int, snr, redshift: float, seed: int, max_ebv: float = 1.2, curve=calzetti
) -> MockSpectra:
    """Draw spectra: mixtures of populations between the points of the grid behind dust, with MaNGA's noise.

    Half are of early type (two old populations), half of late type (four, one of them young).

    Parameters
    ----------
    library : SspLibrary
        On log-linear wavelengths with MaNGA's step.
    snr : float or ndarray, shape (n,)
        Median signal to noise per pixel over :data:`SNR_RANGE`.
    curve : callable
        A(lambda)/E(B-V) of the dust, of wavelengths in Angstrom.
    """
    rng = np.random.default_rng(seed)
    light, log_age, metallicity = _draw_populations(rng, n)
    truth = {
        "ebv_star": rng.uniform(0.0, max_ebv, n),
        "v_star": rng.normal(0.0, 100.0, n),
        "sigma_star": rng.uniform(70.0, 220.0, n),
    }
    templates = populations(library, redshift)
    kinematics = truth["v_star"], truth["sigma_star"]
    stars = stellar_spectra(
        templates, light, log_age, metallicity, truth["ebv_star"], *kinematics, np.ones(n), redshift, curve
    )
    truth |= stellar_labels(stars, log_age, metallicity, redshift)
    window = (SNR_RANGE[0] < WAVE) & (SNR_RANGE[1] > WAVE)
    flux = stars.flux / np.median(stars.flux[:, window], axis=1, keepdims=True)
    error = noise_sigma(flux)
    error *= (1.0 / (np.median(error[:, window], axis=1) * np.asarray(snr)))[:, None]
    return MockSpectra(WAVE, flux + error * rng.standard_normal(flux.shape), error, lsf_sigma(), truth)


def _draw_populations(rng, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light before dust, log10(age/yr) and [M/H], shape (n, 4) each."""
    light, log_age, metallicity = np.zeros((n, 4)), np.full((n, 4), 9.5), np.zeros((n, 4))
    for i in range(n):
        parts = _EARLY if i % 2 else _LATE
        mean = rng.uniform(-0.1, 0.2) if i % 2 else rng.uniform(-0.5, 0.1)
        for k, (age, scatter, share) in enumerate(parts):
            light[i, k] = share * rng.uniform(0.5, 1.5)
            log_age[i, k] = age + scatter * rng.uniform(-1.0, 1.0)
            metallicity[i, k] = mean + rng.normal(0.0, 0.05)
    return light, log_age, metallicity
