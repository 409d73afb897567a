"""A finished fit read back: what its model spectra need."""

from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.spectra.fit.galaxy import GalaxyFit, prepare_galaxy
from mangrove.spectra.fit.model import Model, model_spectrum
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum


class StoredFit(NamedTuple):
    """Parameters of one baxel that :func:`mangrove.spectra.fit.model.model_spectrum` needs.

    Attributes
    ----------
    v_star, sigma_star_fit : float
        km/s.
    weights : ndarray, shape (n_template,)
    ebv_star, ebv_polynomial : float
        Mag.
    polynomial : ndarray, shape (n_coefficient,)
    component_v, component_sigma : ndarray, shape (n_component,)
        km/s.
    component_flux : ndarray, shape (n_component, n_line)
        1e-17 erg/s/cm2/spaxel.
    """

    v_star: float
    sigma_star_fit: float
    weights: np.ndarray
    ebv_star: float
    ebv_polynomial: float
    polynomial: np.ndarray
    component_v: np.ndarray
    component_sigma: np.ndarray
    component_flux: np.ndarray


def stored_fit(fit: Artefact, i: int) -> StoredFit:
    """The fit of baxel ``i`` from the artefact 'fit'."""
    return StoredFit(**{name: fit[name][i] for name in StoredFit._fields})


def fitted_spectra(extract: Artefact, fit: Artefact) -> tuple[GalaxyFit, list[Spectrum]]:
    """Templates and spectra as the fit saw them (see :func:`mangrove.spectra.fit.galaxy.prepare_galaxy`).

    Parameters
    ----------
    extract, fit : Artefact
        Of one galaxy; ``extract`` with wave, flux, ivar, mask and lsf.
    """
    about = fit.attrs
    ebv = about["ebv_galactic"] * about["ebv_scale"]
    return prepare_galaxy(extract, about["z"], ebv, about["templates"], FitSettings.from_params(about))


def stored_model(fit: Artefact, i: int, galaxy: GalaxyFit, spectrum: Spectrum) -> Model | None:
    """Stars and gas, shape (n_wave,) each, of baxel ``i`` on the wavelengths of its spectrum; None if it has no fit."""
    stored = stored_fit(fit, i)
    if not np.isfinite(stored.v_star):
        return None
    return model_spectrum(spectrum, galaxy.z, stored, galaxy.stars, galaxy.lines)
