"""Training spectra of the simulated survey whose noiseless spectra and labels are known, in memory and by many processes."""

import multiprocessing
from typing import NamedTuple

import numpy as np
from support.baxels import target_of

from mangrove.artefacts import Artefact
from mangrove.codes import Split, TrainingCut
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.wavelengths import log_grid
from mangrove.spectra.observed import corrected
from mangrove.spectra.training.rest_frame import rest_spectra
from mangrove.ssp.library import load_mastar
from mangrove.survey.simulation.baxel_files import extract_of, truth_of
from mangrove.survey.simulation.baxels import simulate_baxels
from mangrove.survey.simulation.spectra_survey import design_various_galaxy, spectra_plateifus
from mangrove.survey.split import split_of
from mangrove.validation.true_labels import true_labels

#: Labels that are compared, by their names in tables.
LABELS = ("log_age_lw", "log_ml_r", "log_ssfr", "ebv_star", "metallicity_lw")
#: As the rule training_spectra has them by default.
SETTINGS = {
    "rest_range": (3650.0, 8950.0),
    "n_wave": 4544,
    "norm_band": (4050.0, 4150.0),
    "min_good_fraction": 0.8583,
    "min_snr": 10.0,
}
_SEED, _VERSION, _PARTS, _PIXEL_SCALE = 1, "v3_1_1", (0.1, 0.2), 0.5


class KnownSpectra(NamedTuple):
    """Rest-frame spectra that passed the cuts.

    Attributes
    ----------
    flux : ndarray of float32, shape (n, n_wave)
        Normalised.
    mask : ndarray of int8, shape (n, n_wave)
        1 where it is interpolated.
    true : ndarray of float32, shape (n, n_wave)
        Without noise, in the same unit; NaN but for test spectra.
    snr, split : ndarray, shape (n,)
        Per pixel; codes of :class:`mangrove.codes.Split`.
    labels : ndarray, shape (n, n_label)
        True :data:`LABELS`, NaN where there is none.
    """

    flux: np.ndarray
    mask: np.ndarray
    true: np.ndarray
    snr: np.ndarray
    split: np.ndarray
    labels: np.ndarray

    @property
    def wave(self) -> np.ndarray:
        """Rest wavelengths, Angstrom, vacuum."""
        return log_grid(*SETTINGS["rest_range"], SETTINGS["n_wave"])

    def of_split(self, split: Split) -> "KnownSpectra":
        """Those of a split."""
        return KnownSpectra(*(values[self.split == split] for values in self))


def known_spectra(n_galaxy: int, n_baxel: int, n_process: int) -> KnownSpectra:
    """So many spectra of each of so many galaxies, in random order."""
    tasks = [(name, n_baxel) for name in spectra_plateifus(n_galaxy)]
    with multiprocessing.get_context("spawn").Pool(n_process) as pool:
        columns = zip(*pool.imap_unordered(_of_galaxy, tasks, chunksize=8), strict=True)
        parts = [np.concatenate(column) for column in columns]
    order = np.random.default_rng(_SEED).permutation(len(parts[0]))
    return KnownSpectra(*(part[order] for part in parts))


def _of_galaxy(task: tuple[str, int]) -> KnownSpectra:
    name, n_baxel = task
    galaxy = design_various_galaxy(name, _SEED)
    baxels = simulate_baxels(galaxy, n_baxel, load_mastar())
    extract = Artefact("extract", *extract_of(baxels, target_of(galaxy), _VERSION), "")
    truth = Artefact("truth", truth_of(baxels), {}, "")
    true = true_labels(extract, truth, galaxy.redshift, _PIXEL_SCALE)
    wave, snr = extract["wave"], extract["snr"]
    transmission = galactic_transmission(wave, galaxy.ebv_galactic)
    flux, _, good = corrected(wave, extract["flux"], extract["ivar"], extract["mask"], transmission)
    noisy = rest_spectra(wave, flux, good, snr, galaxy.redshift, SETTINGS)
    noiseless = baxels.noiseless.astype(float) / transmission
    clean = rest_spectra(wave, noiseless, np.ones(flux.shape, bool), snr, galaxy.redshift, SETTINGS)
    split, kept = split_of(galaxy.mangaid, _SEED, *_PARTS), noisy.cut == TrainingCut.KEPT
    scaled = clean.flux * (clean.norm / np.where(kept, noisy.norm, 1.0)).astype(np.float32)[:, None]
    labels = np.column_stack([np.asarray(true[label], float) for label in LABELS])
    return KnownSpectra(
        noisy.flux[kept],
        noisy.mask[kept].astype(np.int8),
        (scaled if split == Split.TEST else np.full(scaled.shape, np.nan, np.float32))[kept],
        snr[kept].astype(np.float32),
        np.full(int(kept.sum()), split),
        np.where(np.isfinite(labels), labels, np.nan)[kept],
    )
