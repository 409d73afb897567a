"""Many spectra for timings: mixtures of the embedded stellar populations with noise, which need no simulator."""

import h5py
import numpy as np
from support.checkout import ROOT

_REST_RANGE, _NORM_BAND = (3650.0, 8950.0), (4050.0, 4150.0)
_SNR = 30.0


def wavelengths(n_wave: int) -> np.ndarray:
    """Rest wavelengths of the training spectra, Angstrom, vacuum."""
    return np.geomspace(*_REST_RANGE, n_wave)


def mixtures(n: int, n_wave: int, seed: int = 0) -> np.ndarray:
    """So many normalised spectra, shape (n, n_wave), float32: few populations each, S/N 30."""
    return known_mixtures(n, n_wave, seed)[0]


def known_mixtures(n: int, n_wave: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The same, and their light-weighted log age (yr) and metallicity, shape (n,)."""
    wave, rng = wavelengths(n_wave), np.random.default_rng(seed)
    with h5py.File(ROOT / "resources" / "mastar_ssp.h5") as f:
        library = f["flux"][...].reshape(-1, len(f["wave"]))
        populations = np.array([np.interp(wave, f["wave"][...], one) for one in library])
        metallicity, log_age = np.meshgrid(f["metallicity"][...], 9 + np.log10(f["age"][...]), indexing="ij")
    band = (wave > _NORM_BAND[0]) & (wave < _NORM_BAND[1])
    populations /= populations[:, band].mean(axis=1, keepdims=True)
    weights = rng.exponential(size=(n, len(populations))) ** 4
    weights /= weights.sum(axis=1, keepdims=True)
    flux = (weights @ populations).astype(np.float32)
    truth = {"log_age_lw": weights @ log_age.ravel(), "metallicity_lw": weights @ metallicity.ravel()}
    return flux + flux * rng.standard_normal(flux.shape, dtype=np.float32) / np.float32(_SNR), truth
