"""The truth of a simulated galaxy, spaxel by spaxel."""

import numpy as np
from astropy.cosmology import FlatLambdaCDM

from mangrove.physics.lines import EW_HALF_WIDTH, fit_lines
from mangrove.physics.wavelengths import C_KMS
from mangrove.survey.simulation.instrument import WAVE
from mangrove.survey.simulation.stars import StellarSpectra, r_band

#: Observed range of the continuum level, Angstrom.
CONTINUUM_RANGE = (5600.0, 6750.0)
#: Smallest EW(Halpha), Angstrom, that is given a BPT class.
MIN_EW_HALPHA = 0.5

_M_SUN_R = 4.65
_COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
_AB_ZERO = 3.631e-20  # erg/s/cm2/Hz
_CURVE_NII = np.concatenate([np.linspace(-4.0, -1.0, 600)[:-1], np.linspace(-1.0, 0.0, 1500)])


def kauffmann_distance(log_nii_ha, log_oiii_hb):
    """Perpendicular distance (dex) from the curve of Kauffmann et al. (2003); negative if star-forming."""
    x, y = np.broadcast_arrays(np.asarray(log_nii_ha, float), np.asarray(log_oiii_hb, float))
    curve = 0.61 / (_CURVE_NII - 0.05) + 1.3
    distance = np.sqrt(((x[..., None] - _CURVE_NII) ** 2 + (y[..., None] - curve) ** 2).min(-1))
    below = (x < 0.05) & (y < 0.61 / (np.minimum(x, 0.0499) - 0.05) + 1.3)
    return np.where(below, -distance, distance)


def d_bpt_class(line_flux, ew_halpha):
    """0 no lines, 1 star-forming, 2 composite, 3 AGN; int8, the shape of ``ew_halpha``.

    Parameters
    ----------
    line_flux : ndarray, shape (n_line, ...)
    ew_halpha : ndarray, shape (...)
        Angstrom.
    """
    nii, halpha, oiii, hbeta = (
        np.maximum(line_flux[fit_lines().index(n)], 1e-30)
        for n in ("NII_6585", "Halpha_6565", "OIII_5008", "Hbeta_4863")
    )
    log_nii = np.log10(nii / halpha)
    distance = kauffmann_distance(log_nii, np.log10(oiii / hbeta))
    kind = np.where(distance < 0, 1, np.where((distance < 0.3) & (log_nii < 0.05), 2, 3))
    return np.where(ew_halpha >= MIN_EW_HALPHA, kind, 0).astype(np.int8)


def line_continua(flux, velocity, redshift: float):
    """Mean flux of the stars within :data:`mangrove.physics.lines.EW_HALF_WIDTH` of each line, shape (n_line, n)."""
    centre = np.log(fit_lines().wave * (1 + redshift))
    half = EW_HALF_WIDTH / C_KMS
    cumulative = np.concatenate([np.zeros((len(flux), 1)), np.cumsum(flux, axis=1, dtype=float)], axis=1)
    edges = np.log(WAVE)
    result = np.empty((centre.size, len(flux)))
    for i, line in enumerate(centre):
        middle = line + velocity / C_KMS
        low, high = np.searchsorted(edges, middle - half), np.searchsorted(edges, middle + half)
        rows = np.arange(len(flux))
        result[i] = (cumulative[rows, high] - cumulative[rows, low]) / (high - low)
    return result


def stellar_labels(stars: StellarSpectra, log_age, metallicity, redshift: float) -> dict[str, np.ndarray]:
    """Labels of the populations, each of shape (n,).

    Means by light take each population's flux over 5000-6000 Angstrom; means by mass its mass at formation.
    The mass-to-light ratio and the mass count stars and remnants and are those of the light before dust.

    Parameters
    ----------
    stars : StellarSpectra
        Flux in 1e-17 erg/s/cm2/Angstrom/spaxel, observed.
    log_age, metallicity : ndarray, shape (n, n_population)
    redshift : float
    """
    luminosity = _r_luminosity(stars.r_flux, redshift)
    mass = luminosity * stars.ml_r
    formed = mass / stars.mass_fraction
    return {
        "log_age_lw": _mean(log_age, stars.light),
        "log_age_mw": _mean(log_age, formed),
        "metallicity_lw": _mean(metallicity, stars.light),
        "metallicity_mw": _mean(metallicity, formed),
        "log_ml_r": np.log10(mass.sum(1) / luminosity.sum(1)),
        "log_mass": np.log10(mass.sum(1)),
        "light_weight": stars.light.sum(1),
    }


def continuum_level(flux):
    """Mean flux over :data:`CONTINUUM_RANGE`, shape (n,), of spectra of shape (n, 4563)."""
    low, high = CONTINUUM_RANGE
    inside = (low < WAVE) & (high > WAVE)
    return flux[:, inside].mean(1)


def band_response_pivot() -> float:
    """Pivot wavelength of the r band used for masses, Angstrom."""
    wave = np.arange(5300.0, 7100.0)
    response = r_band(wave)
    return float(np.sqrt((response * wave).sum() / (response / wave).sum()))


def _r_luminosity(flux, redshift: float):
    """Rest-frame r luminosity, L_sun,r, of an observed flux density (1e-17 erg/s/cm2/Angstrom)."""
    distance_pc = _COSMOLOGY.luminosity_distance(redshift).to_value("pc")
    # Per rest Angstrom at 10 pc; then per Hz at the pivot.
    at_10pc = flux * 1e-17 * (1 + redshift) * (distance_pc / 10.0) ** 2
    magnitude_flux = at_10pc * band_response_pivot() ** 2 / (C_KMS * 1e13) / _AB_ZERO
    return magnitude_flux * 10.0 ** (0.4 * _M_SUN_R)


def _mean(values, weight):
    return (values * weight).sum(1) / weight.sum(1)
