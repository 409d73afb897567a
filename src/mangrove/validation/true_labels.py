"""True labels of the baxels of a simulated galaxy."""

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.physics.bpt import bpt_class, bpt_distance, bpt_ratios, d_bpt_class
from mangrove.spectra.labels.balmer_decrement import balmer_curve
from mangrove.spectra.labels.surface_densities import luminosity, spaxel_area, star_formation_rate
from mangrove.validation import baxel_truth as spaxels
from mangrove.validation.baxel_truth import baxel_truth, weighted_mean

#: Datasets of the artefact 'truth' that they need.
TRUTH_DATASETS = [*spaxels.TRUTH_DATASETS, "log_mass"]


def true_labels(extract: Artefact, truth: Artefact, z: float, pixel_scale: float) -> dict[str, np.ndarray]:
    """True labels of the baxels of a galaxy, shape (n_baxel,), for each of :data:`mangrove.data_model.LABEL`.

    Means over light for the stars, over Halpha for the dust of the gas; star formation, masses and the BPT diagram
    from sums over spaxels.

    Parameters
    ----------
    z : float
        Redshift, for luminosities and areas.
    pixel_scale : float
        Side of a spaxel, arcsec.
    """
    true = baxel_truth(extract, truth)
    inside = extract["bin_id"] >= 0
    bins, n = extract["bin_id"][inside], len(extract["snr"])
    names = [str(name) for name in truth["line"]]
    halpha, ebv = truth["line_flux"][names.index("Halpha_6565")][inside].astype(float), truth["ebv_gas"][inside]
    true["ebv_gas"] = weighted_mean(bins, n, halpha, ebv)
    before_dust = np.bincount(bins, np.nan_to_num(halpha * 10.0 ** (0.4 * balmer_curve()[0] * ebv)), minlength=n)
    mass = np.bincount(bins, 10.0 ** truth["log_mass"][inside].astype(float), minlength=n)
    log_area = np.log10(np.bincount(bins, minlength=n) * spaxel_area(z, pixel_scale))
    with np.errstate(divide="ignore"):
        log_sfr, log_mass = np.log10(star_formation_rate(luminosity(before_dust, z))), np.log10(mass)
    true["log_sfr_density"], true["log_mass_density"] = log_sfr - log_area, log_mass - log_area
    true["log_ssfr"] = log_sfr - log_mass
    ratios = bpt_ratios(true["line_flux"], np.full(true["line_flux"].shape, 1e-9), names, 0.0)
    return true | {"d_bpt": bpt_distance(*ratios), "bpt_class": bpt_class(*ratios), "d_bpt_class": d_bpt_class(*ratios)}
