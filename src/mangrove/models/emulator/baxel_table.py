"""The table that the emulator learns from, made of a run's own baxels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.codes import FitStatus, LineStatus
from mangrove.errors import ModelError
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.emission_lines import LINES, PARTS
from mangrove.models.emulator.line_table import LineTable
from mangrove.models.emulator.rest_continuum import bin_continuum
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.physics.wavelengths import velocity_to_redshift
from mangrove.spectra.observed import corrected
from mangrove.survey.split import split_of

_LABELS = (
    "plateifu",
    "mangaid",
    "z",
    "galaxy",
    "baxel",
    "status",
    "v_gas",
    "line",
    "line_status",
    "line_ew",
    "line_ew_err",
)
#: Fits that give no EW worth the name.
_BAD_FITS = (FitStatus.NOT_CONVERGED, FitStatus.NO_STELLAR_CONTINUUM, FitStatus.VELOCITY_AT_BOUND)


class BaxelTable(NamedTuple):
    """A table of baxels, their place in the run and the split of their galaxy.

    Attributes
    ----------
    table : LineTable
        Without luminosity: that of a part of a galaxy means nothing.
    plateifu : ndarray of str, shape (n,)
    baxel : ndarray of int, shape (n,)
    split : ndarray of int8, shape (n,)
    """

    table: LineTable
    plateifu: np.ndarray
    baxel: np.ndarray
    split: np.ndarray


class ContinuumBinning(NamedTuple):
    """How the flux of baxels becomes bins: bins wanted, factor on Galactic E(B-V), mask on sky lines (Angstrom)."""

    bins: Bins
    ebv_scale: float
    sky_half_width: float


def baxel_table(
    extracts: Sequence, labels_path, how: ContinuumBinning, seed: int, validation_fraction: float, test_fraction: float
) -> BaxelTable:
    """The baxels of all galaxies of a run.

    Parameters
    ----------
    extracts : sequence of path
        Artefacts 'extract' in the order of the sample sheet.
    labels_path : path
        The artefact 'labels' of the same galaxies.
    how : ContinuumBinning
    seed : int
    validation_fraction, test_fraction : float
        Of the galaxies, by MANGAID.

    Raises
    ------
    ModelError
        If fewer than two bins lie within the data of all galaxies.
    """
    labels = artefacts.read(labels_path, "labels", list(_LABELS))
    ew, error = line_widths(labels.data)
    bins = common_bins(extracts, how.bins)
    flux = np.full((len(ew), bins.n_bin), np.nan, np.float32)
    for i, path in enumerate(extracts):
        rows = np.flatnonzero(labels["galaxy"] == i)
        if rows.size:
            flux[rows] = _bins_of(path, labels["v_gas"][rows], bins, how)
    with np.errstate(divide="ignore"):
        ivar = (1 / error**2).astype(np.float32)
    of = labels["galaxy"]
    splits = [split_of(str(name), seed, validation_fraction, test_fraction) for name in labels["mangaid"]]
    table = LineTable(bins, LINES, labels["mangaid"][of], flux, None, ew, ivar)
    return BaxelTable(table, labels["plateifu"][of], labels["baxel"], np.array(splits, np.int8)[of])


def common_bins(extracts: Sequence, wanted: Bins) -> Bins:
    """Those of the bins wanted that the data of every galaxy with baxels cover; all of them without any galaxy.

    Parameters
    ----------
    extracts : sequence of path
        Artefacts 'extract'.
    wanted : Bins

    Raises
    ------
    ArtefactError
        If an artefact is missing, damaged or of another kind.
    ModelError
        If fewer than two bins are left.
    """
    low, high = 0.0, np.inf
    for path in extracts:
        with artefacts.opened(path, "extract") as f:
            if f["flux"].shape[0]:
                z = artefacts.attributes(f)["z"]
                low, high = max(low, f["wave"][0] / (1 + z)), min(high, f["wave"][-1] / (1 + z))
    try:
        return wanted.within(low, high)
    except ModelError as error:
        raise ModelError(f"{error} Set emulator.bin_range and emulator.n_bin so that the data cover bins.") from None


def line_widths(labels) -> tuple[np.ndarray, np.ndarray]:
    """EW and error (Angstrom) of the emulator's lines, shape (n_baxel, n_line) each; NaN where a part is not measured.

    Parameters
    ----------
    labels : mapping
        The datasets line, line_status, line_ew, line_ew_err, status of the artefact 'labels'.
    """
    names = [str(name) for name in labels["line"]]
    good = (labels["line_status"] == LineStatus.OK) & ~np.isin(labels["status"], _BAD_FITS)[:, None]
    ew, error = (np.where(good, labels[name], np.nan) for name in ("line_ew", "line_ew_err"))
    columns = [[names.index(part) for part in PARTS[line]] for line in LINES]
    widths = np.column_stack([ew[:, parts].sum(axis=1) for parts in columns])
    errors = np.column_stack([np.sqrt((error[:, parts] ** 2).sum(axis=1)) for parts in columns])
    return widths.astype(np.float32), errors.astype(np.float32)


def _bins_of(path, v_gas: np.ndarray, bins: Bins, how: ContinuumBinning) -> np.ndarray:
    """Flux in bins of the baxels of a galaxy, Galactic extinction removed."""
    extract = artefacts.read(path, "extract", ["wave", "flux", "ivar", "mask"])
    wave, z = extract["wave"], extract.attrs["z"]
    transmission = galactic_transmission(wave, extract.attrs["ebv_galactic"] * how.ebv_scale)
    flux, _, good = corrected(wave, extract["flux"], extract["ivar"], extract["mask"], transmission, how.sky_half_width)
    # Without a fit, the lines lie where the catalogue says.
    velocity = np.where(np.isfinite(v_gas), v_gas, 0.0)
    return bin_continuum(wave, flux, good, velocity_to_redshift(velocity, z), bins)
