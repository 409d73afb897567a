"""What the fits of a galaxy's baxels share: templates at its line spread, spectra ready to fit, columns of results."""

import hashlib
from typing import NamedTuple

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.physics.cosmology import universe_age
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.lines import LineList, fit_lines
from mangrove.spectra.fit.component_names import COMPONENTS
from mangrove.spectra.fit.preparation import fill_lsf, prepare
from mangrove.spectra.fit.results import FitResult, no_fit
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.templates import StellarTemplates, match_lsf
from mangrove.ssp.loading import load_library, younger_than


class GalaxyFit(NamedTuple):
    """What the fits of a galaxy share."""

    z: float
    stars: StellarTemplates
    lines: LineList
    settings: FitSettings


def prepare_galaxy(
    extract: Artefact, z: float, ebv: float, templates: str, settings: FitSettings, seed: int = 0
) -> tuple[GalaxyFit, list[Spectrum]]:
    """Templates with the galaxy's LSF (line spread function), and the spectra of its baxels ready to fit.

    Parameters
    ----------
    extract : Artefact
        Of kind 'extract'.
    z : float
        Catalogue redshift.
    ebv : float
        Galactic E(B-V) to remove, mag.
    templates : str
        Library (:func:`mangrove.ssp.loading.load_library`).
    seed : int
        Of the draws; with the galaxy's name it makes each baxel's own.
    """
    wave = extract["wave"]
    transmission = galactic_transmission(wave, ebv)
    spectra = [
        prepare(wave, *columns, z, transmission, settings, draw_seed(seed, extract.attrs["plateifu"], i))
        for i, columns in enumerate(zip(*(extract[n] for n in ("flux", "ivar", "mask", "lsf")), strict=True))
    ]
    stars = templates_at(wave, shared_lsf(wave, extract["lsf"]), z, templates, settings)
    return GalaxyFit(z, stars, fit_lines(), settings), spectra


def shared_lsf(wave, lsf) -> np.ndarray:
    """The LSF (line spread function) that a galaxy's templates take, shape (n_wave,): the median of its baxels; 0 if none is known.

    It differs by a per cent between the baxels of a galaxy; the correction of each dispersion takes its own.

    Parameters
    ----------
    lsf : ndarray, shape (n_baxel, n_wave)
    """
    known = [fill_lsf(wave, row) for row in lsf if np.any(row > 0)]
    return np.median(known, axis=0) if known else np.zeros_like(wave)


def templates_at(wave, lsf, z: float, templates: str, settings: FitSettings) -> StellarTemplates:
    """The templates of a library on the pixels and with the LSF of data at redshift z.

    Parameters
    ----------
    wave, lsf : ndarray, shape (n_wave,)
        Observed wavelength, and the LSF there (Gaussian sigma), Angstrom.
    templates : str
        Library (:func:`mangrove.ssp.loading.load_library`).
    """
    library = load_library(templates)
    if settings.age_limit:
        library = younger_than(library, universe_age(z))
    step = float(np.log(wave[-1] / wave[0]) / (wave.size - 1))
    return match_lsf(library, step, wave / (1.0 + z), lsf / (1.0 + z), settings.rest_range, settings.reach)


def draw_seed(seed: int, name: str, baxel: int) -> int:
    """Seed of a baxel's draws: it depends on nothing but the run's seed, the galaxy's name and the baxel."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name} {baxel}".encode()).digest()[:8], "big")


def as_columns(results: list[FitResult], galaxy: GalaxyFit, snr) -> dict[str, np.ndarray]:
    """The datasets of the artefact 'fit'."""
    none = no_fit(0, 0, galaxy.stars, galaxy.lines, galaxy.settings)
    columns = {}
    for name in FitResult._fields:
        empty = np.zeros((0, *np.shape(getattr(none, name))))
        columns[name] = np.array([getattr(r, name) for r in results]) if results else empty
    columns |= {"line": np.array(galaxy.lines.name), "line_wave": galaxy.lines.wave, "snr": snr}
    columns["component"] = np.array(COMPONENTS[: galaxy.settings.n_component])
    return columns | {"template_age": galaxy.stars.age, "template_metallicity": galaxy.stars.metallicity}
