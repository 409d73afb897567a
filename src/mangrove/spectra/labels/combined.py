"""Labels that are made of several others or of several lines, as functions of these alone: for derivatives."""

from collections.abc import Mapping

import numpy as np

from mangrove.physics.bpt import BPT_LINES
from mangrove.spectra.labels.balmer_decrement import gas_ebv
from mangrove.spectra.labels.d_bpt import d_bpt
from mangrove.spectra.labels.label import Label
from mangrove.spectra.labels.surface_densities import (
    mass_surface_density,
    r_attenuation,
    sfr_surface_density,
    specific_sfr,
)

#: What they are made of: lines, M/L and dust of the stars, and the flux density in r.
PARTS = (*BPT_LINES, "log_ml_r", "ebv_star", "r_flux")
#: Of differences; relative to the size of a flux.
_STEP = 1e-5


def combined_values(parts: Mapping[str, np.ndarray], z: float, pixel_scale: float) -> dict[str, np.ndarray]:
    """Labels by the definitions of docs/labels.md, whatever the errors of their parts.

    Parameters
    ----------
    parts : mapping of str to ndarray, shape (n,)
        By the names of :data:`PARTS`, in the units of the artefact 'fit'; NaN where there is none.
    z, pixel_scale : float
        As in :func:`mangrove.spectra.labels.galaxy_labels.baxel_labels`.

    Returns
    -------
    dict of ndarray, shape (n,)
        ``ebv_gas``, ``log_sfr_density``, ``log_mass_density``, ``log_ssfr``, ``d_bpt``; NaN where there is none.
    """
    lines = np.column_stack([parts[name] for name in BPT_LINES])
    exactly = np.zeros(len(lines))
    balmer = parts["Halpha_6565"], exactly, parts["Hbeta_4863"], exactly
    observed = Label(parts["log_ml_r"] + r_attenuation(parts["ebv_star"]), exactly, np.zeros(len(lines), np.uint32))
    sfr = sfr_surface_density(*balmer, z, pixel_scale)
    mass = mass_surface_density(observed, parts["r_flux"], exactly, z, pixel_scale)
    labels = {
        "ebv_gas": gas_ebv(*balmer),
        "log_sfr_density": sfr,
        "log_mass_density": mass,
        "log_ssfr": specific_sfr(sfr, mass),
        "d_bpt": d_bpt(lines, np.zeros_like(lines), BPT_LINES),
    }
    return {name: label.value for name, label in labels.items()}


def combined_slopes(parts: Mapping[str, float], z: float, pixel_scale: float) -> dict[str, dict[str, float]]:
    """Derivatives of the labels of one spectrum by their parts, those that are not zero; none of a label without value.

    Parameters
    ----------
    parts : mapping of str to float
        As in :func:`combined_values`, of one spectrum.
    """
    at = np.array([parts[name] for name in PARTS])
    is_logarithm = np.isin(PARTS, ("log_ml_r", "ebv_star"))
    # A part that is missing or zero leaves the labels without it as they are.
    step = _STEP * np.where(is_logarithm | ~np.isfinite(at) | (at == 0.0), 1.0, at)
    around = at + np.concatenate([np.diag(step), -np.diag(step)])
    values = combined_values(dict(zip(PARTS, around.T, strict=True)), z, pixel_scale)
    slopes = {name: np.subtract(*np.split(value, 2)) / (2.0 * step) for name, value in values.items()}
    return {
        name: {part: float(slope) for part, slope in zip(PARTS, of_parts, strict=True) if slope}
        for name, of_parts in slopes.items()
        if np.all(np.isfinite(of_parts))
    }
