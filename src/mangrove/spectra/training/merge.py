"""The training spectra of a survey: every galaxy is resampled once, and rows are known when all are.

The last cuts need the extremes of all spectra, and rows follow from all cuts. So spectra wait on disk, in the order of the
hash that decides their rows, and go to the artefact block by block.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.codes import TrainingCut
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.spectra.observed import corrected
from mangrove.spectra.training import rest_frame
from mangrove.spectra.training.sorted_spectra import SortedSpectra
from mangrove.survey.split import hash_fraction, split_of


class Candidates(NamedTuple):
    """All baxels before the percentile cuts, one row each.

    Attributes
    ----------
    galaxy, baxel : ndarray of int, shape (n,)
        Index of the galaxy, and of the baxel in it.
    key : ndarray, shape (n,)
        Hash of the galaxy's name and the baxel, 0-1: the order of the training set.
    cut : ndarray of int, shape (n,)
        Codes of :class:`mangrove.codes.TrainingCut`.
    low, high : ndarray, shape (n,)
        Extremes of the normalised spectrum (:func:`mangrove.spectra.training.rest_frame.extremes`).
    norm, snr, radius_re : ndarray, shape (n,)
        Mean flux in the normalisation band, and signal to noise, of the spectrum; radius in effective radii.
    split : ndarray of int, shape (n,)
        Codes of :class:`mangrove.codes.Split`.
    """

    galaxy: np.ndarray
    baxel: np.ndarray
    key: np.ndarray
    cut: np.ndarray
    low: np.ndarray
    high: np.ndarray
    norm: np.ndarray
    snr: np.ndarray
    radius_re: np.ndarray
    split: np.ndarray


def candidates(paths: Sequence, params: Mapping, grid: np.ndarray, spectra: SortedSpectra) -> Candidates:
    """Baxels of all galaxies; the spectra of those that can be normalised are added to ``spectra``.

    Parameters
    ----------
    paths : sequence of path
        Artefacts 'extract'.
    params : mapping
        Those of the rule training_spectra.
    grid : ndarray, shape (n_wave,)
        Rest wavelength, vacuum, Angstrom.
    spectra : SortedSpectra
        By index of the candidate.
    """
    nothing = np.empty(0, int)
    parts, start = [Candidates(*(nothing for _ in Candidates._fields))], 0
    for g, path in enumerate(paths):
        rest, found = _galaxy(path, g, params, grid)
        normalised = np.flatnonzero(found.norm > 0)
        spectra.add(found.key[normalised], start + normalised, rest.flux[normalised], rest.mask[normalised])
        parts.append(found)
        start += found.cut.size
    return Candidates(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def rows_in_hashed_order(found: Candidates, cut: np.ndarray) -> np.ndarray:
    """Row of each candidate among the training spectra, shape (n,); -1 where it cannot be normalised.

    Those that pass the cuts come first, then the others, both by rising key.

    Parameters
    ----------
    cut : ndarray of int, shape (n,)
        Codes of :class:`mangrove.codes.TrainingCut`.
    """
    placed = np.flatnonzero(found.norm > 0)
    row = np.full(cut.size, -1)
    row[placed[np.lexsort((found.key[placed], cut[placed] != TrainingCut.KEPT))]] = np.arange(placed.size)
    return row


def mean_lsf(paths: Sequence, found: Candidates, cut: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Mean line spread of the spectra that pass the cuts.

    Parameters
    ----------
    paths : sequence of path
        Artefacts 'extract'.
    cut : ndarray of int, shape (n_candidate,)
    grid : ndarray, shape (n_wave,)
        Rest wavelength, vacuum, Angstrom.

    Returns
    -------
    ndarray, shape (n_wave,)
        Gaussian sigma, Angstrom, rest frame, the widening by the bins of the grid included; NaN where no spectrum has
        a line spread.
    """
    total, count = np.zeros(grid.size), np.zeros(grid.size, int)
    kept = np.flatnonzero(cut == TrainingCut.KEPT)
    # Candidates lie galaxy by galaxy: a search for those of each would take as long as all have together.
    for members in np.split(kept, np.flatnonzero(np.diff(found.galaxy[kept])) + 1) if kept.size else []:
        extract = artefacts.read(paths[found.galaxy[members[0]]], "extract", ["wave", "lsf"])
        for sigma in extract["lsf"][found.baxel[members]]:
            spread = rest_frame.rest_lsf(extract["wave"], sigma, extract.attrs["z"], grid)
            known = np.isfinite(spread)
            total[known] += spread[known]
            count += known
    return np.divide(total, count, out=np.full(grid.size, np.nan), where=count > 0)


def fill(out: h5py.File, found: Candidates, cut: np.ndarray, row: np.ndarray, spectra: SortedSpectra) -> None:
    """Write the cuts of all candidates, the spectra, and what is known of each, into an open artefact.

    Parameters
    ----------
    cut : ndarray of int, shape (n_candidate,)
        Codes of :class:`mangrove.codes.TrainingCut`.
    row : ndarray of int, shape (n_candidate,)
        See :func:`rows_in_hashed_order`.
    """
    if cut.size:
        out["candidate_galaxy"][...], out["candidate_baxel"][...] = found.galaxy, found.baxel
        out["candidate_cut"][...] = cut
    placed = np.flatnonzero(row >= 0)
    if not placed.size:
        return
    for rows, flux, mask in spectra.blocks(row):
        out["flux"][rows], out["mask"][rows] = flux, mask
    placed = placed[np.argsort(row[placed])]
    for name in ("norm", "snr", "galaxy", "baxel", "radius_re", "split"):
        out[name][...] = getattr(found, name)[placed]
    out["cut"][...] = cut[placed]


def _galaxy(path, galaxy: int, params: Mapping, grid) -> tuple[rest_frame.RestSpectra, Candidates]:
    """Rest-frame spectra of a galaxy's baxels, and the candidates that they are."""
    extract = artefacts.read(path, "extract", ["wave", "flux", "ivar", "mask", "snr", "radius_re"])
    about, snr = extract.attrs, extract["snr"]
    ebv = about["ebv_galactic"] * params["ebv_scale"] if params["galactic_extinction"] else 0.0
    wave, *spectra = (extract[name] for name in ("wave", "flux", "ivar", "mask"))
    flux, _, good = corrected(wave, *spectra, galactic_transmission(wave, ebv), params["sky_half_width"])
    rest = rest_frame.rest_spectra(wave, flux, good, snr, about["z"], params)
    low, high = rest_frame.extremes(grid, rest)
    split = split_of(about["mangaid"], params["seed"], params["validation_fraction"], params["test_fraction"])
    return rest, Candidates(
        galaxy=np.full(snr.size, galaxy),
        baxel=np.arange(snr.size),
        key=np.array([hash_fraction(f"{about['plateifu']}:{i}") for i in range(snr.size)]),
        cut=rest.cut,
        low=low,
        high=high,
        norm=rest.norm,
        snr=snr,
        radius_re=extract["radius_re"],
        split=np.full(snr.size, split),
    )
