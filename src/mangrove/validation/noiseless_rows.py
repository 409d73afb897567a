"""Rows of the training spectra as they would be without noise, where the simulated survey has no cubes."""

from collections.abc import Mapping

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.spectra.training.rest_frame import rest_spectra
from mangrove.survey.simulation.noiseless import noiseless_spectra

#: Datasets of the artefact 'extract' that they need.
EXTRACT_DATASETS = ("wave", "snr")


def noiseless_rows(extract: Artefact, baxel, norm, seed: int, params: Mapping) -> np.ndarray:
    """Noise-free counterparts of a galaxy's rows of the training spectra, in their unit.

    The rows' norm, measured with noise, divides these too, so that the difference is noise alone. Bins that a row
    interpolates over bad pixels (its mask) are known here.

    Parameters
    ----------
    extract : Artefact
        Of the galaxy, with :data:`EXTRACT_DATASETS`; made by the rule ``simulate_spectra``.
    baxel : ndarray of int, shape (n,)
        The rows' baxels.
    norm : ndarray, shape (n,)
        The rows' norm.
    seed : int
        Of the run.
    params : mapping
        Those of the rule training_spectra: rest_range, n_wave, norm_band, min_good_fraction, min_snr, ebv_scale,
        galactic_extinction.

    Returns
    -------
    ndarray of float32, shape (n, n_wave)
    """
    about, wave = extract.attrs, extract["wave"]
    ebv = about["ebv_galactic"] * params["ebv_scale"] if params["galactic_extinction"] else 0.0
    noiseless = noiseless_spectra(about["plateifu"], seed, len(extract["snr"]))[baxel]
    corrected = noiseless.astype(float) / galactic_transmission(wave, ebv)
    rest = rest_spectra(wave, corrected, np.ones(corrected.shape, bool), extract["snr"][baxel], about["z"], params)
    return rest.flux * (rest.norm / np.asarray(norm)).astype(np.float32)[:, None]
