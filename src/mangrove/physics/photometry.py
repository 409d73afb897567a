"""The SDSS r band: mean fluxes of spectra, and solar luminosities (AB)."""

from functools import cache

import numpy as np
from astropy.table import Table

from mangrove.physics.constants import PARSEC_CM
from mangrove.physics.wavelengths import C_KMS
from mangrove.resources import resource

#: Absolute AB magnitude of the Sun in SDSS r (Willmer 2018, ApJS 236, 47).
SUN_R = 4.65
#: erg/s (IAU 2015 resolution B3).
SOLAR_LUMINOSITY = 3.828e33
#: Part of the band that a spectrum must cover for a flux in it.
MIN_R_COVERAGE = 0.9

_AB_ZERO = 48.6


def r_response(wave) -> np.ndarray:
    """Response of SDSS r per photon (Doi et al. 2010), the shape of ``wave`` (vacuum, Angstrom)."""
    return np.interp(np.asarray(wave, float), *r_curve(), left=0.0, right=0.0)


@cache
def r_pivot() -> float:
    """Pivot wavelength of SDSS r, vacuum, Angstrom."""
    wave, response = r_curve()
    return float(np.sqrt(np.trapezoid(response * wave, wave) / np.trapezoid(response / wave, wave)))


def r_weights(wave) -> tuple[np.ndarray, float]:
    """Weights that turn a spectrum into its mean flux density in r, and how much of the band they cover.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Vacuum, Angstrom, increasing; the rest frame for rest-frame luminosities.

    Returns
    -------
    weight : ndarray, shape (n_wave,)
        Photon weights; sum to 1 (all 0 without coverage). ``weight @ flux`` is the mean flux density, and
        ``sqrt(weight**2 @ error**2)`` its error.
    coverage : float
        Part of the band's photon response within the wavelengths, 0-1.
    """
    wave = np.asarray(wave, float)
    weight = r_response(wave) * wave * np.gradient(wave)
    total = weight.sum()
    curve_wave, response = r_curve()
    coverage = total / np.trapezoid(response * curve_wave, curve_wave)
    return (weight / total if total > 0 else weight), float(min(coverage, 1.0))


def r_band_flux(wave, flux, error, good, model) -> tuple[float, float]:
    """Mean flux density of a spectrum in r and its error; NaN where it covers less than 90 % of the band.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Rest frame, vacuum, Angstrom.
    flux, error, model : ndarray, shape (n_wave,)
        Stellar continuum (emission lines subtracted), its error, and its model, which stands in for pixels that are not good.
    good : ndarray of bool, shape (n_wave,)
    """
    weight, coverage = r_weights(wave)
    if coverage < MIN_R_COVERAGE:
        return np.nan, np.nan
    return float(weight @ np.where(good, flux, model)), float(np.sqrt(np.sum((weight * error)[good] ** 2)))


def solar_r_luminosity(luminosity_density):
    """Luminosity in r, solar units, of a mean rest-frame luminosity density.

    Parameters
    ----------
    luminosity_density : array_like
        Photon-weighted mean in r, erg/s/Angstrom.
    """
    flux_at_10pc = np.asarray(luminosity_density) / (4.0 * np.pi * (10.0 * PARSEC_CM) ** 2)
    f_nu = flux_at_10pc * r_pivot() ** 2 / (C_KMS * 1e13)
    return f_nu * 10.0 ** (0.4 * (SUN_R + _AB_ZERO))


@cache
def r_curve() -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (vacuum, Angstrom) and response of SDSS r per photon, as tabulated."""
    table = Table.read(resource("sdss_r.ecsv"), format="ascii.ecsv")
    return np.asarray(table["wave"], float), np.asarray(table["response"], float)
