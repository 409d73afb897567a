"""How labels appear in figures: their names, units and colours, and the limits of their scales."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mangrove.codes import BptClass
from mangrove.report.colours import BLUE, ORANGE
from mangrove.report.limits import robust_limits
from mangrove.spectra.fit.bounds import GAS_DETECTED
from mangrove.spectra.labels.shown import shown_values

#: Told apart by readers with any colour vision, and in grey.
BPT_COLOURS = {
    BptClass.STAR_FORMING: BLUE,
    BptClass.COMPOSITE: ORANGE,
    BptClass.SEYFERT: "#882255",
    BptClass.LINER: "#117733",
}
#: The classes for readers.
BPT_NAMES = {
    BptClass.NONE: "no class",
    BptClass.STAR_FORMING: "star-forming",
    BptClass.COMPOSITE: "composite",
    BptClass.SEYFERT: "Seyfert",
    BptClass.LINER: "LINER",
}
#: Values with errors larger than so many median errors do not set limits.
MAX_ERROR_RATIO = 4.0
#: Smallest range of limits, dex or mag: less is noise.
MIN_RANGE = 0.05
#: Smallest half width of the colours of d_BPT, dex.
_MIN_HALF_BPT = 0.2


class Style(NamedTuple):
    """Title of a map, label of an axis or a colour bar with its unit, colours."""

    title: str
    axis: str
    cmap: str


STYLE = {
    "log_age_lw": Style("light-weighted age", "log age [yr]", "viridis"),
    "metallicity_lw": Style("light-weighted metallicity", "[M/H] (dex)", "cividis"),
    "log_ml_r": Style("mass-to-light ratio in r", r"log $M/L_r$ [M$_\odot$/L$_\odot$]", "viridis"),
    "log_mass_density": Style("stellar mass surface density", r"log $\Sigma_*$ [M$_\odot$ kpc$^{-2}$]", "magma"),
    "ebv_star": Style("reddening of the stars", "E(B$-$V) (mag)", "inferno"),
    "ebv_gas": Style("reddening of the gas", "E(B$-$V) (mag)", "inferno"),
    "log_sfr_density": Style(
        "SFR surface density", r"log $\Sigma_\mathrm{SFR}$ [M$_\odot$ yr$^{-1}$ kpc$^{-2}$]", "magma"
    ),
    "log_ssfr": Style("specific star formation rate", r"log sSFR [yr$^{-1}$]", "viridis"),
    "d_bpt": Style("distance in the BPT diagram", r"$d_\mathrm{BPT}$ from Kauffmann (dex)", "RdBu_r"),
    "log_age_mw": Style("mass-weighted age", "log age [yr]", "viridis"),
    "metallicity_mw": Style("mass-weighted metallicity", "[M/H] (dex)", "cividis"),
}


def has_gas(rows: Mapping) -> np.ndarray:
    """True where a line has S/N above :data:`mangrove.spectra.fit.bounds.GAS_DETECTED`, so that the kinematics of the gas mean anything, shape (n_baxel,)."""
    return np.any(rows["line_flux"] > GAS_DETECTED * rows["line_flux_err"], axis=1)


def shown_limits(rows: Mapping, name: str) -> tuple[float, float]:
    """Limits that hold nearly all shown values of a label, those with huge errors apart; at least :data:`MIN_RANGE` apart."""
    values, error = shown_values(rows, name), rows[f"{name}_err"]
    known = error[np.isfinite(values) & np.isfinite(error)]
    if known.size:
        values = np.where(error <= MAX_ERROR_RATIO * np.median(known), values, np.nan)
    low, high = robust_limits(values)
    return low, max(high, low + MIN_RANGE)


def bpt_limits(values) -> tuple[float, float]:
    """Limits of d_BPT at equal distance from the curve, so that its two sides have two colours."""
    _, half = robust_limits(np.abs(values))
    return -max(half, _MIN_HALF_BPT), max(half, _MIN_HALF_BPT)


def radii(columns: Mapping) -> tuple[np.ndarray, str]:
    """Radii of the baxels, shape (n_baxel,), and the name of their axis: in R_e where it is known, else in arcsec.

    Parameters
    ----------
    columns : mapping of str to ndarray
        radius, radius_re.
    """
    if np.isfinite(columns["radius_re"]).any():
        return columns["radius_re"], r"radius ($R_\mathrm{e}$)"
    return columns["radius"], "radius (arcsec)"
