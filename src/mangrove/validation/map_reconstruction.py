"""What the map's network gives back of noisy spectra, against the spectra without noise, beside principal components."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import MappedBaxels
from mangrove.models.desom.model import MapModel
from mangrove.validation.map_baselines import Samples, components_of_reconstruction, reconstruction_errors
from mangrove.validation.map_limits import MeasureRow, measure_row
from mangrove.validation.map_spectra import SplitSpectra, decoded
from mangrove.validation.noiseless_rows import EXTRACT_DATASETS, noiseless_rows

#: Ranges of S/N per native pixel of the spectra that are judged: about 20 and 40.
SNR_RANGES = {"S/N 15-25": (15.0, 25.0), "S/N 33-48": (33.0, 48.0)}


class ReconstructionErrors(NamedTuple):
    """Mean square errors of test spectra over the bins that are data.

    Attributes
    ----------
    network, noisy : ndarray, shape (n,)
        Of the reconstruction, against the spectra without noise and against the noisy ones.
    noise : ndarray, shape (n,)
        Of the noisy spectra against those without noise.
    components : ndarray, shape (n, n_number)
        Of the projection on principal components, against the spectra without noise.
    numbers : list of int
        Of the components.
    """

    network: np.ndarray
    noisy: np.ndarray
    noise: np.ndarray
    components: np.ndarray
    numbers: list[int]


def reconstruction_rows(
    model: MapModel, mapped: MappedBaxels, spectra: Samples, extracts: Sequence, params: Mapping[str, Any]
) -> list[MeasureRow]:
    """Rows by range of S/N: errors of the network, of the best number of components and of as many as latents.

    Parameters
    ----------
    model : MapModel
    mapped : MappedBaxels
    spectra : Samples
        Of SplitSpectra.
    extracts : sequence of path-like
        Artefacts 'extract', named after their galaxies.
    params : mapping
        See :func:`mangrove.validation.noiseless_rows.noiseless_rows`; seed.
    """
    true = noiseless_spectra_of(spectra.test, mapped, extracts, params)
    errors = errors_of(model, spectra.train, spectra.test, true, params["seed"])
    n_latent = min(model.prototypes.shape[1], errors.numbers[-1])
    rows = []
    for name, (low, high) in SNR_RANGES.items():
        snr = mapped.snr[spectra.test.row]
        rows += _range_rows(name, errors, (snr >= low) & (snr < high), mapped.object[spectra.test.row], n_latent)
    return rows


def noiseless_spectra_of(
    spectra: SplitSpectra, mapped: MappedBaxels, extracts: Sequence, params: Mapping[str, Any]
) -> np.ndarray:
    """The spectra without noise, in the unit of the noisy ones, shape (n, n_wave), float32."""
    true = np.full(spectra.flux.shape, np.nan, np.float32)
    galaxy = mapped.plateifu[mapped.galaxy[spectra.row]]
    for path in extracts:
        rows = np.flatnonzero(galaxy == Path(path).stem)
        if rows.size:
            extract = artefacts.read(path, "extract", list(EXTRACT_DATASETS))
            baxel = mapped.baxel[spectra.row[rows]]
            true[rows] = noiseless_rows(extract, baxel, spectra.norm[rows], params["seed"], params)
    return true


def errors_of(
    model: MapModel, train: SplitSpectra, test: SplitSpectra, true: np.ndarray, seed: int
) -> ReconstructionErrors:
    """ReconstructionErrors of test spectra, whose truth is ``true``; the components are those of the training spectra."""
    components, numbers = components_of_reconstruction(train.flux, model.prototypes.shape[1], seed)
    made = decoded(model, test.flux)
    return ReconstructionErrors(
        network=_mean_square(made - true, test.mask),
        noisy=_mean_square(made - test.flux, test.mask),
        noise=_mean_square(test.flux - true, test.mask),
        components=reconstruction_errors(components, numbers, test.flux, true, test.mask),
        numbers=numbers,
    )


def _range_rows(
    name: str, errors: ReconstructionErrors, inside: np.ndarray, galaxy: np.ndarray, n_latent: int
) -> list[MeasureRow]:
    counts = int(inside.sum()), np.unique(galaxy[inside]).size
    if not counts[0]:
        return []
    network, noisy, noise = (float(one[inside].mean()) for one in (errors.network, errors.noisy, errors.noise))
    of_components = errors.components[inside].mean(axis=0)
    best = int(np.argmin(of_components))
    by_number = dict(zip(errors.numbers, of_components, strict=True))
    return [
        measure_row("mse of the reconstruction against the noiseless spectra", name, network, counts),
        measure_row(
            f"the same of the best number of components ({errors.numbers[best]})", name, of_components[best], counts
        ),
        measure_row(f"the same of as many components as latents ({n_latent})", name, by_number[n_latent], counts),
        measure_row(
            "reconstruction over best number of components", name, network / of_components[best], counts, at_most=1.0
        ),
        measure_row("mse of the noisy spectra: the noise", name, noise, counts),
        measure_row("mse of the reconstruction against the noisy spectra minus the noise", name, noisy - noise, counts),
    ]


def _mean_square(residual: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 0.0, residual**2).sum(axis=1) / np.maximum((~mask).sum(axis=1), 1)
