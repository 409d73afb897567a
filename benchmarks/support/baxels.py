"""Simulated and real baxels ready to fit, galaxy by galaxy: what the engines of the fit are timed and compared on."""

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.physics.cosmology import universe_age
from mangrove.spectra.fit.galaxy import GalaxyFit, as_columns, prepare_galaxy
from mangrove.spectra.fit.results import FitResult
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.labels.galaxy_labels import baxel_labels, bpt_classes
from mangrove.spectra.labels.populations import TemplateTable, template_table
from mangrove.ssp.library import load_mastar
from mangrove.ssp.loading import load_library, younger_than
from mangrove.survey.readers.reading import read_cube
from mangrove.survey.simulation.baxel_files import extract_of
from mangrove.survey.simulation.baxels import simulate_baxels
from mangrove.survey.simulation.galaxies import SimulatedGalaxy, random_generator
from mangrove.survey.simulation.instrument import WAVE, noise_sigma
from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus
from mangrove.survey.simulation.truth import CONTINUUM_RANGE
from mangrove.survey.target import MISSING, Target

DATA = Path(os.environ.get("REAL_DATA", "../shared/data"))
#: Template libraries by the names of tables; E-MILES lies with the real data.
LIBRARIES = {"MaStar": "mastar", "E-MILES": str(DATA / "templates" / "emiles_kroupa_basti.h5")}
SETTINGS = FitSettings()
#: Of simulated baxels.
SNR = (5.0, 60.0)
_SEED, _VERSION, _PIXEL_SCALE = 1, "v3_1_1", 0.5


class ReadyBaxels(NamedTuple):
    """Baxels of one galaxy with what their fits and labels need.

    Attributes
    ----------
    galaxy : GalaxyFit
    spectra : list of Spectrum
    snr : ndarray, shape (n_baxel,)
        Per pixel.
    table : TemplateTable
    """

    galaxy: GalaxyFit
    spectra: list[Spectrum]
    snr: np.ndarray
    table: TemplateTable


def simulated_extracts(n_galaxy: int, n_baxel: int, snr_range: tuple[float, float] = SNR) -> list[Artefact]:
    """Artefacts 'extract' of so many baxels of each of so many galaxies.

    Galaxies, faults and masks are those of the survey of spectra (:mod:`mangrove.survey.simulation.spectra_survey`); the
    signal to noise is drawn evenly in its logarithm.
    """
    return [_extract(name, n_baxel, snr_range) for name in spectra_plateifus(n_galaxy)]


def simulated_baxels(
    n_galaxy: int, n_baxel: int, templates: str = "mastar", settings: FitSettings = SETTINGS
) -> list[ReadyBaxels]:
    """The same, ready to fit with a library."""
    return [
        ready(extract, extract.attrs["z"], extract.attrs["ebv_galactic"], templates, settings)
        for extract in simulated_extracts(n_galaxy, n_baxel)
    ]


def real_baxels(templates: str = "mastar", settings: FitSettings = SETTINGS, data: Path = DATA) -> list[ReadyBaxels]:
    """The real MaNGA spectra that have data, as galaxies of one baxel."""
    path, found = data / "manga" / "MaNGA_test_spectra.fits.gz", []
    for i, z in enumerate(fits.getdata(path, "Z").astype(float)):
        cube = read_cube(path, i)
        if not cube.good.any():
            continue
        flux, ivar, mask = cube.flux[:, 0, 0], cube.ivar[:, 0, 0], ~cube.good[:, 0, 0]
        snr = np.median(flux[~mask] * np.sqrt(ivar[~mask]), keepdims=True)
        data = {"wave": cube.wave, "flux": [flux], "ivar": [ivar], "mask": [mask], "lsf": [cube.lsf], "snr": snr}
        extract = Artefact("extract", data, {"plateifu": f"spectrum-{i}"}, "")
        found.append(ready(extract, z, 0.0, templates, settings))
    return found


def ready(extract: Artefact, z: float, ebv: float, templates: str, settings: FitSettings) -> ReadyBaxels:
    """The baxels of an artefact 'extract', ready to fit with a library."""
    galaxy, spectra = prepare_galaxy(extract, z, ebv, templates, settings)
    library = load_library(templates)
    if settings.age_limit:
        library = younger_than(library, universe_age(z))
    table = template_table(library, galaxy.stars.age, galaxy.stars.metallicity)
    return ReadyBaxels(galaxy, spectra, extract["snr"], table)


def labelled(baxels: ReadyBaxels, results: Sequence[FitResult]) -> dict:
    """All labels of baxels from their fits."""
    columns = as_columns(list(results), baxels.galaxy, np.zeros(len(results)))
    labels = baxel_labels(columns, baxels.table, baxels.galaxy.z, _PIXEL_SCALE)
    return labels | {"bpt_class": bpt_classes(columns, labels["d_bpt"])}


def write_extracts(folder: Path, extracts: Sequence[Artefact]) -> list[Path]:
    """Write artefacts 'extract' to a folder, named after their galaxies."""
    paths = [folder / f"{extract.attrs['plateifu']}.h5" for extract in extracts]
    for path, extract in zip(paths, extracts, strict=True):
        artefacts.write(path, "extract", extract.data, artefacts.Provenance(), extract.attrs)
    return paths


def target_of(galaxy: SimulatedGalaxy) -> Target:
    """A simulated galaxy as a sample sheet has it, its shape unknown."""
    known = {"z": galaxy.redshift, "ebv": galaxy.ebv_galactic, "r_e": MISSING, "pa": MISSING, "ba": MISSING}
    return Target(**{f.name: known.get(f.name, getattr(galaxy, f.name, None)) for f in fields(Target)})


def _extract(name: str, n_baxel: int, snr_range: tuple[float, float]) -> Artefact:
    galaxy = design_various_galaxy(name, _SEED)
    baxels = simulate_baxels(galaxy, n_baxel, load_mastar())
    rng = random_generator(_SEED, name, "engines")
    snr = np.exp(rng.uniform(*np.log(snr_range), n_baxel))
    sigma = noise_sigma(baxels.noiseless)
    window = (CONTINUUM_RANGE[0] <= WAVE) & (CONTINUUM_RANGE[1] >= WAVE)
    noise = baxels.signal / snr
    sigma *= (noise / np.median(sigma[:, window], axis=1))[:, None]
    flux = baxels.noiseless + sigma * rng.standard_normal(sigma.shape)
    baxels = baxels._replace(flux=flux, ivar=np.where(baxels.mask, 0.0, sigma**-2.0), noise=noise)
    return Artefact("extract", *extract_of(baxels, target_of(galaxy), _VERSION), "")
