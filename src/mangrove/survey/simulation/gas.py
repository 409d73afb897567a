"""Emission lines of the simulated gas: ratios by ionisation, dust, profiles."""

import astropy.units as u
import numpy as np
from dust_extinction.parameter_averages import CCM89
from scipy.special import ndtr

from mangrove.physics.lines import fit_lines
from mangrove.physics.wavelengths import C_KMS, log_edges
from mangrove.survey.simulation.instrument import LOG_STEP, WAVE, lsf_sigma, lsf_sigma_before_pixels

#: E(B-V) of the stars over that of the gas (Calzetti et al. 2000).
STARS_OVER_GAS = 0.44
# Case B, 10^4 K, 100 cm^-3, over Hbeta (Osterbrock & Ferland 2006); Hzeta carries some HeI 3889.
_BALMER = {"Halpha_6565": 2.86, "Hbeta_4863": 1.0, "Hgamma_4342": 0.469,
           "Hdelta_4103": 0.259, "Hepsilon_3971": 0.159, "Hzeta_3890": 0.19, "Heta_3836": 0.0731,
           "Htheta_3799": 0.0530}  # fmt: skip
# log10 of [NII]/Ha, [OIII]/Hb, [SII]/Ha, [OI]/Ha, [OII]/Hb, [NeIII]/[OIII], HeII/Hb of the other ionisations,
# in the midst of the Seyfert and LINER branches of Kewley et al. (2006).
_RATIOS = {
    "seyfert": (0.0, 0.95, -0.30, -0.90, 0.45, -0.95, -0.75),
    "liner": (0.08, 0.38, -0.02, -0.68, 0.65, -1.00, -1.50),
}
_SII_6718_OVER_6733 = 1.3
_OII_3730_OVER_3727 = 1.35
_HALF_WINDOW = 28


def star_forming_ratios(oxygen):
    """The same seven log ratios, shape (7, ...), of HII regions at 12 + log(O/H).

    [NII]/Ha by Pettini & Pagel (2004), capped where it saturates; [OIII]/Hb on the star-forming sequence of
    Kewley et al. (2013).
    """
    oxygen = np.asarray(oxygen, float)
    nii = np.minimum((oxygen - 8.90) / 0.57, -0.42)
    oiii = 0.61 / (nii + 0.08) + 1.10
    metal_poor = np.clip((8.4 - oxygen) / 0.6, 0, 1)
    return np.array([
        nii,
        oiii,
        -0.45 - 0.55 * metal_poor,
        -1.45 - 0.25 * metal_poor,
        0.40 - 0.25 * metal_poor,
        np.full_like(oxygen, -1.05),
        -2.40 + 0.4 * metal_poor,
    ])  # fmt: skip


def line_fluxes(halpha: dict[str, np.ndarray], oxygen: np.ndarray, ebv_gas: np.ndarray) -> np.ndarray:
    """Fluxes of all fitted lines after the galaxy's own dust.

    Parameters
    ----------
    halpha : dict of ndarray, shape (...)
        Halpha before dust by ionisation: star_forming, seyfert, liner.
    oxygen : ndarray, shape (...)
        12 + log(O/H).
    ebv_gas : ndarray, shape (...)
        E(B-V) of the gas, Cardelli et al. (1989), R_V = 3.1.

    Returns
    -------
    ndarray, shape (n_line, ...)
        In the unit of ``halpha``, in the order of :func:`mangrove.physics.lines.fit_lines`. Ratios that the line
        table fixes hold after dust.
    """
    lines = fit_lines()
    flux = np.zeros((len(lines.name), *oxygen.shape))
    for kind, strength in halpha.items():
        ratios = star_forming_ratios(oxygen) if kind == "star_forming" else _RATIOS[kind]
        for name, value in _intrinsic_lines(strength, 10.0 ** np.asarray(ratios), oxygen).items():
            flux[lines.index(name)] += value
    extinction = CCM89(Rv=3.1)(lines.wave * u.AA) * 3.1
    flux *= 10.0 ** (-0.4 * extinction.reshape(-1, *[1] * oxygen.ndim) * ebv_gas)
    for i in np.flatnonzero(lines.partner != np.arange(len(lines.name))):
        flux[i] = flux[lines.partner[i]] * lines.ratio[i]
    return flux


def _intrinsic_lines(halpha, ratios, oxygen) -> dict[str, np.ndarray]:
    """Flux by line name before dust; lines fixed by a partner are left to the caller."""
    nii, oiii, sii, oi, oii, neiii, heii = ratios
    hbeta = halpha / _BALMER["Halpha_6565"]
    lines = {name: hbeta * ratio for name, ratio in _BALMER.items()}
    part = _SII_6718_OVER_6733 / (1 + _SII_6718_OVER_6733), _OII_3730_OVER_3727 / (1 + _OII_3730_OVER_3727)
    return lines | {
        "NII_6585": halpha * nii,
        "OIII_5008": hbeta * oiii,
        "OIII_4364": hbeta * oiii * np.where(oxygen < 8.0, 0.016, 0.004),
        "SII_6718": halpha * sii * part[0],
        "SII_6733": halpha * sii * (1 - part[0]),
        "OI_6302": halpha * oi,
        "OII_3730": hbeta * oii * part[1],
        "OII_3727": hbeta * oii * (1 - part[1]),
        "NeIII_3870": hbeta * oiii * neiii,
        "HeI_5877": 0.12 * hbeta,
        "HeII_4687": hbeta * heii,
    }


def add_lines(spectra, flux, velocity, sigma, lsf_factor, redshift: float) -> None:
    """Add Gaussian lines, integrated over pixels, to spectra in place.

    Parameters
    ----------
    spectra : ndarray, shape (n, 4563)
    flux : ndarray, shape (n_line, n)
        Integrated over observed wavelength.
    velocity, sigma, lsf_factor : ndarray, shape (n,)
        km/s, km/s, and the factor on the line spread.
    redshift : float
        Redshift of velocity 0.
    """
    log_edge = np.log(log_edges(WAVE)[0])
    window = np.arange(-_HALF_WINDOW, _HALF_WINDOW + 2)
    rows = np.arange(len(velocity))[:, None]
    for rest, line in zip(fit_lines().wave, flux, strict=True):
        centre = np.log(rest * (1 + redshift)) + velocity / C_KMS
        observed = np.exp(centre)
        post = lsf_factor * lsf_sigma(observed)
        width = np.hypot(sigma / C_KMS, lsf_sigma_before_pixels(post, observed) / observed)
        first = np.floor((centre - log_edge) / LOG_STEP).astype(int)
        index = first[:, None] + window
        # Edges beyond the grid are needed for lines near its ends; their pixels are dropped.
        position = log_edge + index * LOG_STEP
        inside = np.diff(ndtr((position - centre[:, None]) / width[:, None]), axis=1)
        pixel, keep = index[:, :-1], (index[:, :-1] >= 0) & (index[:, :-1] < WAVE.size)
        density = line[:, None] * inside / np.diff(np.exp(position), axis=1)
        spectra[np.broadcast_to(rows, pixel.shape)[keep], pixel[keep]] += density[keep]
