"""Many spectra for timings: mixtures of the embedded stellar populations with noise, which need no simulator."""

from typing import NamedTuple

import h5py
import numpy as np
from support.checkout import ROOT

#: Band in which the mean flux is 1, rest frame, Angstrom.
NORM_BAND = (4050.0, 4150.0)
_REST_RANGE = (3650.0, 8950.0)
_SNR = 30.0


class Populations(NamedTuple):
    """Stellar populations: normalised flux, shape (n, n_wave), log age (yr) and metallicity (dex), shape (n,)."""

    flux: np.ndarray
    log_age: np.ndarray
    metallicity: np.ndarray


def wavelengths(n_wave: int) -> np.ndarray:
    """Rest wavelengths of the training spectra, Angstrom, vacuum."""
    return np.geomspace(*_REST_RANGE, n_wave)


def mixtures(n: int, n_wave: int, seed: int = 0) -> np.ndarray:
    """So many normalised spectra, shape (n, n_wave), float32: few populations each, S/N 30."""
    return known_mixtures(n, n_wave, seed)[0]


def known_mixtures(n: int, n_wave: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The same, and their light-weighted log age (yr) and metallicity, shape (n,)."""
    rng, library = np.random.default_rng(seed), populations(n_wave)
    weights = rng.exponential(size=(n, len(library.flux))) ** 4
    weights /= weights.sum(axis=1, keepdims=True)
    flux = (weights @ library.flux).astype(np.float32)
    truth = {"log_age_lw": weights @ library.log_age, "metallicity_lw": weights @ library.metallicity}
    return flux + flux * rng.standard_normal(flux.shape, dtype=np.float32) / np.float32(_SNR), truth


def populations(n_wave: int) -> Populations:
    """The embedded stellar populations at the wavelengths of the training spectra."""
    wave = wavelengths(n_wave)
    with h5py.File(ROOT / "resources" / "mastar_ssp.h5") as f:
        library = f["flux"][...].reshape(-1, len(f["wave"]))
        flux = np.array([np.interp(wave, f["wave"][...], one) for one in library])
        metallicity, log_age = np.meshgrid(f["metallicity"][...], 9 + np.log10(f["age"][...]), indexing="ij")
    band = (wave > NORM_BAND[0]) & (wave < NORM_BAND[1])
    return Populations(flux / flux[:, band].mean(axis=1, keepdims=True), log_age.ravel(), metallicity.ravel())
