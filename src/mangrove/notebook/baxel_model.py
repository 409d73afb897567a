"""The stored fit of one baxel as spectra, without those of the galaxy's others."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.galaxy import GalaxyFit, shared_lsf, templates_at
from mangrove.spectra.fit.model import Model, model_spectrum
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.stored_model import stored_fit

#: Galaxies whose templates are kept at hand.
_KEPT = 8


def fitted_baxel(path: Path, extract: Artefact, fit: Artefact, baxel: int, transmission) -> tuple[GalaxyFit, Spectrum]:
    """Templates and spectrum of a baxel as its fit saw them, as :func:`mangrove.spectra.fit.stored_model.fitted_spectra`.

    Parameters
    ----------
    path : Path
        Of the artefact 'extract'.
    extract : Artefact
        wave whole; flux, ivar, mask and lsf of the baxel alone, shape (n_wave,).
    transmission : ndarray, shape (n_wave,)
        Of the Milky Way's dust.
    """
    about = fit.attrs
    settings = FitSettings.from_params(about)
    columns = (extract[name] for name in ("wave", "flux", "ivar", "mask", "lsf"))
    ready = prepare(*columns, about["z"], transmission, settings)
    return _shared(path, extract.content_hash, about["z"], about["templates"], settings), ready


def gas_components(fit: Artefact, baxel: int, galaxy: GalaxyFit, spectrum: Spectrum, model: Model) -> np.ndarray:
    """The gas of a baxel's model by its components, NaN for those that it does not have, shape (n_component, n_wave).

    Parameters
    ----------
    model : Model
        The whole, whose gas is the only component where there is one.
    """
    stored = stored_fit(fit, baxel)
    used = np.flatnonzero(np.isfinite(stored.component_v))
    found = np.full((stored.component_v.size, spectrum.wave.size), np.nan)
    if used.size == 1:
        found[used[0]] = model.gas
        return found
    for k in used:
        alone = np.where(np.arange(stored.component_v.size)[:, None] == k, stored.component_flux, 0.0)
        one = stored._replace(component_flux=alone)
        found[k] = model_spectrum(spectrum, galaxy.z, one, galaxy.stars, galaxy.lines).gas
    return found


@lru_cache(maxsize=_KEPT)
def galaxy_lsf(path: Path, content_hash: str) -> np.ndarray:
    """Line spread that the templates of a galaxy take, shape (n_wave,), kept for the galaxies that were read last.

    Parameters
    ----------
    path : Path
        Of the artefact 'extract'.
    content_hash : str
        Its content hash: that of a new one is read anew.
    """
    found = artefacts.read(path, "extract", ["wave", "lsf"])
    return shared_lsf(found["wave"], found["lsf"])


@lru_cache(maxsize=_KEPT)
def _shared(path: Path, content_hash: str, z: float, templates: str, settings: FitSettings) -> GalaxyFit:
    """What the fits of a galaxy share."""
    wave = artefacts.read(path, "extract", ["wave"])["wave"]
    stars = templates_at(wave, galaxy_lsf(path, content_hash), z, templates, settings)
    return GalaxyFit(z, stars, fit_lines(), settings)
