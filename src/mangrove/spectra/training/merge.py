"""The training spectra of a survey: cuts of all baxels, and the kept ones written row by row."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.spectra.observed import corrected
from mangrove.spectra.training import rest_frame
from mangrove.survey.split import hash_fraction, split_of


class Candidates(NamedTuple):
    """All baxels before the percentile cuts, one row each.

    Attributes
    ----------
    galaxy, baxel : ndarray of int, shape (n,)
        Index of the galaxy, and of the baxel in it.
    cut : ndarray of int, shape (n,)
        Codes of TRAINING_CUT.
    low, high : ndarray, shape (n,)
        Extremes of the normalised spectrum away from lines.
    """

    galaxy: np.ndarray
    baxel: np.ndarray
    cut: np.ndarray
    low: np.ndarray
    high: np.ndarray


def candidates(paths: Sequence, params: Mapping, grid: np.ndarray) -> Candidates:
    """Cuts and extremes of the baxels of all galaxies.

    Parameters
    ----------
    paths : sequence of path
        Artefacts 'extract'.
    params : mapping
        Those of the rule training_spectra.
    grid : ndarray, shape (n_wave,)
        Rest wavelength, vacuum, Angstrom.
    """
    nothing = np.empty(0)
    parts = [Candidates(nothing.astype(int), nothing.astype(int), nothing.astype(int), nothing, nothing)]
    for g, path in enumerate(paths):
        spectra, _ = _load(path, params)
        low, high = rest_frame.extremes(grid, spectra)
        n = low.size
        parts.append(Candidates(np.full(n, g), np.arange(n), spectra.cut, low, high))
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def rows_in_hashed_order(found: Candidates, cut: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Row of each candidate in the training set, -1 where it is cut; the order is that of a hash of name and baxel."""
    kept = np.flatnonzero(cut == rest_frame.KEPT)
    keys = [hash_fraction(f"{names[found.galaxy[i]]}:{found.baxel[i]}") for i in kept]
    row = np.full(cut.size, -1)
    row[kept[np.argsort(keys)]] = np.arange(kept.size)
    return row


def fill(out: h5py.File, paths: Sequence, params: Mapping, grid: np.ndarray, galaxy: np.ndarray, row: np.ndarray):
    """Write the kept spectra into an open artefact, a galaxy at a time, each to its row.

    Parameters
    ----------
    galaxy, row : ndarray of int, shape (n_candidate,)
        See :class:`Candidates` and :func:`rows_in_hashed_order`.
    """
    for g, path in enumerate(paths):
        rows = row[galaxy == g]
        kept = rows >= 0
        if not kept.any():
            continue
        spectra, extract = _load(path, params)
        mangaid, fractions = extract.attrs["mangaid"], (params["validation_fraction"], params["test_fraction"])
        split = split_of(mangaid, params["seed"], *fractions)
        for baxel in np.flatnonzero(kept):
            i = rows[baxel]
            out["flux"][i], out["mask"][i] = spectra.flux[baxel], spectra.mask[baxel]
            out["norm"][i], out["snr"][i] = spectra.norm[baxel], extract["snr"][baxel]
            out["galaxy"][i], out["baxel"][i], out["split"][i] = g, baxel, split


def _load(path, params) -> tuple[rest_frame.RestSpectra, artefacts.Artefact]:
    """Rest-frame spectra of a galaxy, and the artefact that they come from."""
    extract = artefacts.read(path, "extract", ["wave", "flux", "ivar", "mask", "snr"])
    ebv = extract.attrs["ebv_galactic"] * params["ebv_scale"] if params["galactic_extinction"] else 0.0
    wave, *spectra = (extract[name] for name in ("wave", "flux", "ivar", "mask"))
    flux, _, good = corrected(wave, *spectra, galactic_transmission(wave, ebv), params["sky_half_width"])
    return rest_frame.rest_spectra(wave, flux, good, extract["snr"], extract.attrs["z"], params), extract
