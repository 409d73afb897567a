"""Truth of the baxels of a simulated galaxy from that of its spaxels."""

import numpy as np

from mangrove.artefacts import Artefact

#: Datasets of the artefact 'extract' that a comparison with the truth needs.
EXTRACT_DATASETS = ["bin_id", "snr"]
#: Those of the artefact 'truth'.
TRUTH_DATASETS = [
    "v_star",
    "sigma_star",
    "v_gas",
    "sigma_gas",
    "line",
    "line_flux",
    "line_ew",
    "light_weight",
    "log_age_lw",
    "log_age_mw",
    "metallicity_lw",
    "metallicity_mw",
    "log_ml_r",
    "ebv_star",
    "ebv_gas",
]

_MEANS = ("log_age_lw", "log_age_mw", "metallicity_lw", "metallicity_mw", "log_ml_r", "ebv_star", "ebv_gas")


def baxel_truth(extract: Artefact, truth: Artefact) -> dict[str, np.ndarray]:
    """Truth of the baxels of a galaxy, averaged over their spaxels as the extraction averages spectra.

    Parameters
    ----------
    extract, truth : Artefact
        Of one galaxy.

    Returns
    -------
    dict of ndarray
        Shape (n_baxel,): v and sigma of stars (weighted by light) and gas (weighted by Halpha) in km/s, from the first
        and second moment of all kinematics in the bin; labels of the populations, means weighted by light. ``line_flux``,
        shape (n_baxel, n_line), 1e-17 erg/s/cm2/spaxel: the mean over spaxels, as a baxel's spectrum is a mean.
        ``line_ew``, Angstrom: that flux over the mean continuum; NaN where a spaxel has no line to tell it.
    """
    inside = extract["bin_id"] >= 0
    bins, n = extract["bin_id"][inside], len(extract["snr"])
    light = truth["light_weight"][inside].astype(float)
    flux = truth["line_flux"][:, inside].astype(float)
    halpha = flux[[str(name) for name in truth["line"]].index("Halpha_6565")]
    out = {}
    for what, weight in (("star", light), ("gas", halpha)):
        kinematics = truth[f"v_{what}"][inside].astype(float), truth[f"sigma_{what}"][inside].astype(float)
        out[f"v_{what}"], out[f"sigma_{what}"] = combined_moments(bins, n, weight, *kinematics)
    out |= {name: weighted_mean(bins, n, light, truth[name][inside]) for name in _MEANS}
    ew = truth["line_ew"][:, inside].astype(float)
    continuum = np.divide(flux, ew, out=np.full(flux.shape, np.nan), where=ew > 0)
    every = np.ones(bins.size)
    mean_flux, mean_continuum = (
        np.array([weighted_mean(bins, n, every, line) for line in lines]).T for lines in (flux, continuum)
    )
    return out | {"line_flux": mean_flux, "line_ew": mean_flux / mean_continuum}


def weighted_mean(bins, n: int, weight, values) -> np.ndarray:
    """Mean, shape (n,), of values over the members of each bin; NaN where the weights add up to nothing.

    Parameters
    ----------
    bins : ndarray of int, shape (n_member,)
    n : int
        Number of bins.
    weight, values : ndarray, shape (n_member,)
    """
    total = np.bincount(bins, weight, minlength=n)
    summed = np.bincount(bins, weight * values, minlength=n)
    return np.divide(summed, total, out=np.full(n, np.nan), where=total > 0)


def combined_moments(bins, n: int, weight, velocity, sigma) -> tuple[np.ndarray, np.ndarray]:
    """Velocity and dispersion, shape (n,), of the summed light of the members of each bin (parameters as above).

    The dispersion is the square root of the mean of sigma^2 + velocity^2 less the squared mean velocity.
    """
    mean = weighted_mean(bins, n, weight, velocity)
    # About the mean of the bin, so that no large numbers cancel.
    return mean, np.sqrt(weighted_mean(bins, n, weight, sigma**2 + (velocity - mean[bins]) ** 2))
