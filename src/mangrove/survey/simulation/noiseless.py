"""The spectra of the simulated survey without cubes as they were before noise: remade, as they are stored nowhere."""

import numpy as np

from mangrove.ssp.library import load_mastar
from mangrove.survey.simulation.baxels import simulate_baxels
from mangrove.survey.simulation.spectra_survey import design_various_galaxy


def noiseless_spectra(plateifu: str, seed: int, n: int) -> np.ndarray:
    """Expected fluxes of a galaxy's baxels, in the order of its artefact 'extract'.

    Observed frame, with Galactic extinction as in the extract: its flux is this with noise and faults.

    Parameters
    ----------
    plateifu : str
    seed : int
        That of the run.
    n : int
        Number of its baxels (survey.simulated_baxels); others would lie elsewhere.

    Returns
    -------
    ndarray of float32, shape (n, 4563)
        1e-17 erg/s/cm2/Angstrom/spaxel.
    """
    return simulate_baxels(design_various_galaxy(plateifu, seed), n, load_mastar()).noiseless
