"""Spectra of a run beside their nodes and latents, as many as memory allows."""

from typing import NamedTuple

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import MappedBaxels, rows_of
from mangrove.codes import Split
from mangrove.models.desom.model import MapModel

#: Spectra of each split that are taken, at most: their rows are in hashed order, so the first are a random part. With
#: their masks and a copy they take 1 GB.
MOST = {Split.TRAIN: 20_000, Split.VALIDATION: 5_000, Split.TEST: 10_000}
#: Rows that are read, and spectra that are encoded, at a time.
_READ, _ENCODE = 1024, 128


class SplitSpectra(NamedTuple):
    """Spectra of a split.

    Attributes
    ----------
    flux : ndarray of float32, shape (n, n_wave)
        Normalised; masked bins interpolated.
    mask : ndarray of bool, shape (n, n_wave)
        Where it is interpolated.
    norm : ndarray, shape (n,)
        What it was divided by, 1e-17 erg/s/cm2/Angstrom/spaxel.
    row : ndarray of int, shape (n,)
        Their rows in :class:`mangrove.analysis.mapped_baxels.MappedBaxels`.
    """

    flux: np.ndarray
    mask: np.ndarray
    norm: np.ndarray
    row: np.ndarray


def read_spectra(training_path, mapped: MappedBaxels, split: Split) -> SplitSpectra:
    """The first spectra of a split that have a node, :data:`MOST` at most.

    Parameters
    ----------
    training_path : path-like
        The artefact 'training_spectra'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    of_split = mapped.of_split(split)
    about = {name: getattr(mapped, name)[of_split] for name in ("galaxy", "baxel")} | {"plateifu": mapped.plateifu}
    with artefacts.opened(training_path, "training_spectra") as f:
        place = rows_of(artefacts.read_text(f["plateifu"]), f["galaxy"][...], f["baxel"][...], about)
        wanted = np.flatnonzero(place >= 0)[: MOST[split]]
        flux, mask = (_read(f[name], wanted, dtype) for name, dtype in (("flux", np.float32), ("mask", bool)))
        return SplitSpectra(flux, mask, f["norm"][...][wanted], of_split[place[wanted]])


def latents(model: MapModel, flux: np.ndarray) -> np.ndarray:
    """Latents of spectra, shape (n, n_latent), in the space whose Euclidean distance the map uses."""
    return _by_block(lambda x: model.som_space(model.encode(x)), flux, model.prototypes.shape[1])


def decoded(model: MapModel, flux: np.ndarray) -> np.ndarray:
    """What the network gives back of spectra, shape (n, n_wave)."""
    return _by_block(lambda x: model.decode(model.encode(x)), flux, flux.shape[1])


def _by_block(function, flux: np.ndarray, size: int) -> np.ndarray:
    """A function of spectra, shape (n, size); every block has one shape, for which the network is compiled once."""
    parts = [np.empty((0, size), np.float32)]
    for start in range(0, len(flux), _ENCODE):
        block = flux[start : start + _ENCODE]
        full = np.concatenate([block, np.repeat(block[-1:], _ENCODE - len(block), axis=0)])
        parts.append(function(full)[: len(block)])
    return np.concatenate(parts)


def _read(dataset: h5py.Dataset, rows: np.ndarray, dtype) -> np.ndarray:
    """Some rows, ascending, of a dataset that is read in one go, block by block."""
    out = np.empty((rows.size, *dataset.shape[1:]), dtype)
    for first in range(0, int(rows[-1]) + 1 if rows.size else 0, _READ):
        inside = slice(*np.searchsorted(rows, [first, first + _READ]))
        if inside.stop > inside.start:
            out[inside] = dataset[first : first + _READ][rows[inside] - first]
    return out
