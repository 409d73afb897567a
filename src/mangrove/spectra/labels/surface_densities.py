"""Star formation and stellar mass from what a fit measures; H0 = 70, Omega_m = 0.3, Kroupa IMF.

Fluxes are per spaxel in 1e-17 erg/s/cm2 (per Angstrom for flux densities), as in the artefact 'fit'. Surface densities
are per area on the sky at the galaxy's distance: no correction for inclination.
"""

import numpy as np

from mangrove.codes import LabelFlag
from mangrove.physics.constants import FLUX_UNIT, LN10
from mangrove.physics.cosmology import kpc_per_arcsec, luminosity_distance
from mangrove.physics.dust import calzetti
from mangrove.physics.photometry import r_pivot, solar_r_luminosity
from mangrove.spectra.labels.balmer_decrement import corrected_halpha
from mangrove.spectra.labels.label import Label, flag_where, with_flag

#: log10 of L(Halpha) in erg/s that one solar mass a year makes (Kennicutt & Evans 2012, ARA&A 50, 531, table 1).
LOG_HALPHA_PER_SFR = 41.27
#: S/N of Halpha above which it is detected, as published; below, star formation has an upper limit.
MIN_HALPHA_SNR = 2.0


def spaxel_area(z: float, pixel_scale: float) -> float:
    """Area of a spaxel, kpc2; ``pixel_scale`` in arcsec."""
    return (pixel_scale * kpc_per_arcsec(z)) ** 2


def luminosity(flux, z: float):
    """Luminosity, erg/s, of a line's flux in 1e-17 erg/s/cm2."""
    return 4.0 * np.pi * luminosity_distance(z) ** 2 * np.asarray(flux) * FLUX_UNIT


def star_formation_rate(halpha_luminosity):
    """Solar masses a year: log SFR = log L(Halpha) - 41.27, Kroupa IMF (Kennicutt & Evans 2012); erg/s, no dust."""
    return np.asarray(halpha_luminosity) / 10.0**LOG_HALPHA_PER_SFR


def sfr_surface_density(halpha, halpha_err, hbeta, hbeta_err, z: float, pixel_scale: float) -> Label:
    """log10 of the surface density of star formation, M_sun/yr/kpc2, from Halpha corrected by the Balmer decrement.

    Parameters
    ----------
    halpha, halpha_err, hbeta, hbeta_err : array_like, shape (n,)
        1e-17 erg/s/cm2/spaxel; NaN where not measured.
    z : float
    pixel_scale : float
        Side of a spaxel, arcsec.

    Returns
    -------
    Label
        Error in dex, from both lines. Missing with LINE_MISSING, LINE_NEGATIVE, or UPPER_LIMIT (and LOW_SNR) where
        Halpha is not above 2 sigma: see :func:`sfr_upper_limit`. LOW_SNR where the dust is undetermined
        (:func:`mangrove.spectra.labels.balmer_decrement.gas_ebv`); NEGATIVE_DECREMENT where no dust was assumed.
    """
    flux = corrected_halpha(halpha, halpha_err, hbeta, hbeta_err)
    undetected = _undetected(halpha, halpha_err)
    value, error = (
        np.where(undetected, np.nan, part) for part in (flux.value + _log_sfr(1.0, z, pixel_scale), flux.error)
    )
    return with_flag(Label(value, error, flux.flag), undetected, LabelFlag.UPPER_LIMIT | LabelFlag.LOW_SNR)


def sfr_upper_limit(halpha, halpha_err, z: float, pixel_scale: float) -> np.ndarray:
    """log10 of the largest star formation that a Halpha not above 2 sigma allows, M_sun/yr/kpc2, shape (n,).

    That of a flux of max(F, 0) plus 2 sigma, before any correction for dust, which such spectra do not tell. NaN where
    Halpha is detected or not measured. Parameters as in :func:`sfr_surface_density`.
    """
    halpha, halpha_err = np.asarray(halpha, float), np.asarray(halpha_err, float)
    largest = np.maximum(halpha, 0.0) + MIN_HALPHA_SNR * halpha_err
    return _log_sfr(np.where(_undetected(halpha, halpha_err), largest, np.nan), z, pixel_scale)


def _undetected(halpha, halpha_err) -> np.ndarray:
    """True where Halpha is measured and not above its limit."""
    halpha = np.asarray(halpha, float)
    return np.isfinite(halpha) & ~(halpha > MIN_HALPHA_SNR * np.asarray(halpha_err, float))


def _log_sfr(halpha, z: float, pixel_scale: float):
    """log10 of the surface density of star formation that a flux of Halpha without dust stands for."""
    return np.log10(star_formation_rate(luminosity(halpha, z)) / spaxel_area(z, pixel_scale))


def r_luminosity(r_flux, z: float):
    """Rest-frame r luminosity, solar units, of an observed mean flux density over r in the rest frame.

    Parameters
    ----------
    r_flux : array_like
        :func:`mangrove.physics.photometry.r_band_flux`, 1e-17 erg/s/cm2/Angstrom.
    """
    # An observed Angstrom is 1 + z times a rest Angstrom: the density per rest Angstrom is larger by that.
    return solar_r_luminosity(luminosity(r_flux, z) * (1.0 + z))


def r_attenuation(ebv):
    """Dust in r in dex of flux: 0.4 k E(B-V), Calzetti et al. (2000) at the band's pivot; a negative E(B-V) is 0."""
    return 0.4 * calzetti(r_pivot()) * np.maximum(ebv, 0.0)


def mass_surface_density(log_ml: Label, r_flux, r_flux_err, z: float, pixel_scale: float) -> Label:
    """log10 of the surface density of stellar mass (stars and remnants), M_sun/kpc2.

    Parameters
    ----------
    log_ml : Label
        Of the light as observed: log10 M/L_r before dust plus :func:`r_attenuation`. Its error is best that of the
        sum over draws, since M/L and dust are not independent.
    r_flux, r_flux_err : array_like, shape (n,)
        As in :func:`r_luminosity`, per spaxel; NaN where the band is not covered.
    z : float
    pixel_scale : float
        Side of a spaxel, arcsec.

    Returns
    -------
    Label
        Error in dex. Missing with the flags of ``log_ml``, NO_COVERAGE or ZERO_CONTINUUM.
    """
    r_flux, r_flux_err = np.asarray(r_flux, float), np.asarray(r_flux_err, float)
    positive = np.where(r_flux > 0, r_flux, np.nan)
    value = log_ml.value + np.log10(r_luminosity(positive, z) / spaxel_area(z, pixel_scale))
    error = np.hypot(log_ml.error, r_flux_err / positive / LN10)
    flag = log_ml.flag | flag_where(np.isnan(r_flux), LabelFlag.NO_COVERAGE)
    return Label(value, error, flag | flag_where(r_flux <= 0, LabelFlag.ZERO_CONTINUUM))


def specific_sfr(sfr: Label, mass: Label) -> Label:
    """log10 of the star formation rate per stellar mass, 1/yr, from both surface densities; flags of both."""
    return Label(sfr.value - mass.value, np.hypot(sfr.error, mass.error), sfr.flag | mass.flag)
