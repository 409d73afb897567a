"""What the maps are trained on: the spectra of a run that passed the cuts, and the fingerprints of its galaxies."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.codes import Split, TrainingCut
from mangrove.errors import TrainingError
from mangrove.models.training.memory import fits
from mangrove.models.training.rows import DeviceRows, Rows, StreamedRows

#: Training rows that stand for all: for the scale of the input and the first prototypes.
_N_SAMPLE = 8192
#: Spectra read at a time.
_BLOCK = 4096
_NAMED = 20


class TrainingSet(NamedTuple):
    """Rows to train a map on.

    A batch has the arrays ``flux`` and ``mask`` (other than 0 where the flux is not data), shape (batch, ...), and those
    of the training ``snr``, shape (batch,), as well.

    Attributes
    ----------
    rows, validation : Rows
    flux : ndarray of float32, shape (n, ...)
        A random sample of the training rows.
    masked : ndarray of bool, shape (n, ...)
        Where it is not data.
    snr : ndarray of float32, shape (n_train,)
    names : callable
        What people call the rows, given as they stand in their source.
    wave : ndarray of float64 or None
        Rest wavelengths of spectra, Angstrom, vacuum.
    node_limit : ndarray of float32 or None
        Of fingerprints, see :class:`mangrove.models.desom.model.MapModel`.
    """

    rows: Rows
    validation: Rows
    flux: np.ndarray
    masked: np.ndarray
    snr: np.ndarray
    names: Callable[[np.ndarray], Sequence[str]]
    wave: np.ndarray | None = None
    node_limit: np.ndarray | None = None

    @classmethod
    def of_arrays(
        cls,
        flux: np.ndarray,
        split: np.ndarray,
        names: Sequence[str],
        *,
        mask: np.ndarray | None = None,
        snr: np.ndarray | None = None,
        wave: np.ndarray | None = None,
        node_limit: np.ndarray | None = None,
    ) -> "TrainingSet":
        """Of arrays in memory; ``split`` as :class:`mangrove.codes.Split`, all with one row per name.

        Raises
        ------
        TrainingError
            If a flux to be trained on or a validation one is not finite.
        """
        flux, names = np.asarray(flux, np.float32), np.asarray(names)
        mask = np.zeros(flux.shape, np.int8) if mask is None else mask
        snr = np.ones(len(flux), np.float32) if snr is None else snr
        train, held_out = (np.flatnonzero(split == code) for code in (Split.TRAIN, Split.VALIDATION))
        for rows in (train, held_out):
            _demand_finite(flux[rows], names[rows])
        return cls(
            DeviceRows({"flux": flux[train], "mask": mask[train], "snr": snr[train]}, train),
            DeviceRows({"flux": flux[held_out], "mask": mask[held_out]}, held_out),
            flux[train[:_N_SAMPLE]],
            mask[train[:_N_SAMPLE]] != 0,
            snr[train],
            lambda rows: names[rows].tolist(),
            wave,
            node_limit,
        )

    @classmethod
    def of_spectra(cls, path) -> "TrainingSet":
        """Of the artefact 'training_spectra', those that passed the cuts; on the device where they fit, else streamed.

        Raises
        ------
        ArtefactError
            If it is missing, damaged or of another kind.
        TrainingError
            If a spectrum is not finite.
        """
        with artefacts.opened(path, "training_spectra") as f:
            kept = int(np.count_nonzero(f["cut"][...] == TrainingCut.KEPT))
            split, snr, wave = f["split"][:kept], f["snr"][:kept], f["wave"][...]
            names = baxel_names(artefacts.read_text(f["plateifu"]), f["galaxy"][:kept], f["baxel"][:kept])
            if fits(kept * len(wave) * (4 + 1)):
                return cls.of_arrays(f["flux"][:kept], split, names, mask=f["mask"][:kept], snr=snr, wave=wave)
            train, held_out = (np.flatnonzero(split == code) for code in (Split.TRAIN, Split.VALIDATION))
            for start in range(0, kept, _BLOCK):
                _demand_finite(f["flux"][start : min(start + _BLOCK, kept)], names[start:])
            # Rows lie in hashed order: the first are a random sample.
            sample = train[:_N_SAMPLE]
            flux, mask = (_rows(f[name], sample) for name in ("flux", "mask"))
        stored = {name: name for name in ("flux", "mask", "snr")}
        return cls(
            StreamedRows(path, stored, train),
            StreamedRows(path, {name: name for name in ("flux", "mask")}, held_out),
            flux,
            mask != 0,
            snr[train],
            lambda rows: names[rows].tolist(),
            wave,
        )

    @classmethod
    def of_fingerprints(cls, path) -> "TrainingSet":
        """Of the artefact 'fingerprints': the normalised ones, but for those that are zero on every node.

        Raises
        ------
        ArtefactError
            If it is missing, damaged or of another kind.
        TrainingError
            If a fingerprint is not finite.
        """
        with artefacts.opened(path, "fingerprints") as f:
            shape = tuple(int(f.attrs[name]) for name in ("rows", "columns"))
            normalised = f["normalised"][...]
            some = normalised.any(axis=1)
            names, limit = artefacts.read_text(f["plateifu"])[some], f["node_limit"][...]
            flux, split = normalised[some], f["split"][...][some]
        return cls.of_arrays(flux.reshape(len(flux), *shape), split, names, node_limit=limit)


def baxel_names(plateifu: np.ndarray, galaxy: np.ndarray, baxel: np.ndarray) -> np.ndarray:
    """Names of baxels such as ``8485-1901:12``, from the galaxies' and, of each baxel, the indices of both."""
    return np.array([f"{plateifu[g]}:{b}" for g, b in zip(galaxy, baxel, strict=True)], dtype="U32")


def _rows(dataset: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    return dataset[: rows[-1] + 1 if rows.size else 0][rows]


def _demand_finite(flux: np.ndarray, names: np.ndarray) -> None:
    # A sum is finite where all values are, and needs no array of its own.
    bad = np.flatnonzero(~np.isfinite(flux.sum(axis=tuple(range(1, flux.ndim)), dtype=float)))
    if bad.size:
        shown = ", ".join(names[bad[:_NAMED]]) + (", ..." if bad.size > _NAMED else "")
        raise TrainingError(
            f"{bad.size} of the spectra or fingerprints hold NaN or inf: {shown}. Make the artefact again, or leave these "
            "galaxies out of the sample sheet."
        )
