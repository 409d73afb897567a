"""Simulated and real baxels ready to fit, galaxy by galaxy: what the engines of the fit are compared on."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.artefacts import Artefact
from mangrove.physics.cosmology import universe_age
from mangrove.spectra.fit.galaxy import GalaxyFit, prepare_galaxy
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.labels.populations import TemplateTable, template_table
from mangrove.ssp.library import load_mastar
from mangrove.ssp.loading import load_library, younger_than
from mangrove.survey.readers.reading import read_cube
from mangrove.survey.simulation.baxels import simulate_baxels
from mangrove.survey.simulation.galaxies import random_generator
from mangrove.survey.simulation.instrument import WAVE, noise_sigma
from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus

DATA = Path(os.environ.get("REAL_DATA", "../shared/data"))
#: Template libraries by the names of tables; E-MILES lies with the real data.
LIBRARIES = {"MaStar": "mastar", "E-MILES": str(DATA / "templates" / "emiles_kroupa_basti.h5")}
SETTINGS = FitSettings()


class ReadyBaxels(NamedTuple):
    """Baxels of one galaxy with what their fits and labels need.

    Attributes
    ----------
    name : str
    galaxy : GalaxyFit
    spectra : list of Spectrum
    snr : ndarray, shape (n_baxel,)
        Per pixel.
    table : TemplateTable
    """

    name: str
    galaxy: GalaxyFit
    spectra: list[Spectrum]
    snr: np.ndarray
    table: TemplateTable


def simulated_baxels(
    n_galaxy: int,
    n_baxel: int,
    snr_range: tuple[float, float],
    templates: str = "mastar",
    settings: FitSettings = SETTINGS,
    seed: int = 1,
) -> list[ReadyBaxels]:
    """So many baxels of each of so many galaxies, their signal to noise drawn evenly in its logarithm.

    Galaxies, faults and masks are those of the survey of spectra (:mod:`mangrove.survey.simulation.spectra_survey`).
    """
    return [_of_galaxy(name, n_baxel, snr_range, templates, settings, seed) for name in spectra_plateifus(n_galaxy)]


def real_baxels(templates: str = "mastar", settings: FitSettings = SETTINGS) -> list[ReadyBaxels]:
    """The real MaNGA spectra that have data, as galaxies of one baxel."""
    path, found = DATA / "manga" / "MaNGA_test_spectra.fits.gz", []
    for i, z in enumerate(fits.getdata(path, "Z").astype(float)):
        cube = read_cube(path, i)
        if not cube.good.any():
            continue
        flux, ivar, mask = cube.flux[:, 0, 0], cube.ivar[:, 0, 0], ~cube.good[:, 0, 0]
        snr = np.median(flux[~mask] * np.sqrt(ivar[~mask]))
        data = {
            "wave": cube.wave,
            "flux": [flux],
            "ivar": [ivar],
            "mask": [mask],
            "lsf": [cube.lsf],
            "snr": np.array([snr]),
        }
        extract = Artefact("extract", data, {"plateifu": f"spectrum-{i}"}, "")
        found.append(ready(f"spectrum-{i}", extract, z, 0.0, templates, settings))
    return found


def ready(name: str, extract: Artefact, z: float, ebv: float, templates: str, settings: FitSettings) -> ReadyBaxels:
    """The baxels of an artefact 'extract', ready to fit with a library."""
    galaxy, spectra = prepare_galaxy(extract, z, ebv, templates, settings)
    library = load_library(templates)
    if settings.age_limit:
        library = younger_than(library, universe_age(z))
    table = template_table(library, galaxy.stars.age, galaxy.stars.metallicity)
    return ReadyBaxels(name, galaxy, spectra, extract["snr"], table)


def _of_galaxy(name: str, n_baxel: int, snr_range, templates: str, settings: FitSettings, seed: int) -> ReadyBaxels:
    simulated = design_various_galaxy(name, seed)
    baxels = simulate_baxels(simulated, n_baxel, load_mastar())
    rng = random_generator(seed, name, "engines")
    snr = np.exp(rng.uniform(*np.log(snr_range), n_baxel))
    window = (WAVE > 5600.0) & (WAVE < 6750.0)
    sigma = noise_sigma(baxels.noiseless)
    ratio = np.median(baxels.noiseless[:, window], axis=1) / np.median(sigma[:, window], axis=1)
    sigma = sigma * (ratio / snr)[:, None]
    flux = baxels.noiseless + sigma * rng.standard_normal(sigma.shape)
    data = {"wave": WAVE, "flux": flux, "ivar": sigma**-2.0, "mask": baxels.mask, "lsf": baxels.lsf, "snr": snr}
    extract = Artefact("extract", data, {"plateifu": name}, "")
    return ready(name, extract, simulated.redshift, simulated.ebv_galactic, templates, settings)
