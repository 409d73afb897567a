"""Tables that the emulator learns from: continuum in bins beside measured equivalent widths."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from mangrove import artefacts
from mangrove.codes import Split
from mangrove.models.emulator.continuum_features import Bins, features

log = logging.getLogger(__name__)


class LineTable(NamedTuple):
    """Galaxies (or baxels) with their continuum and lines.

    Attributes
    ----------
    bins : Bins
    lines : tuple of str, length n_line
    identifier : ndarray of str, shape (n,)
        What the split goes by: rows of one galaxy share it.
    flux_bins : ndarray of float32, shape (n, n_bin)
        Mean flux of the continuum without lines, 1e-17 erg/s/cm2/Angstrom.
    log_luminosity : ndarray of float32, shape (n,), or None
        See :func:`mangrove.models.emulator.continuum_features.log_luminosity`; None where it means nothing (baxels).
    ew, ew_ivar : ndarray of float32, shape (n, n_line)
        Rest-frame equivalent width (Angstrom, emission positive) and inverse variance; NaN where not measured.
    """

    bins: Bins
    lines: tuple[str, ...]
    identifier: np.ndarray
    flux_bins: np.ndarray
    log_luminosity: np.ndarray | None
    ew: np.ndarray
    ew_ivar: np.ndarray

    @property
    def usable(self) -> np.ndarray:
        """Rows whose continuum has colours, shape (n,): all bins finite and positive, a finite luminosity."""
        good = (np.isfinite(self.flux_bins) & (self.flux_bins > 0)).all(axis=1)
        return good if self.log_luminosity is None else good & np.isfinite(self.log_luminosity)

    @property
    def measured(self) -> np.ndarray:
        """Lines with a positive EW and an error, shape (n, n_line): the others are masked."""
        known = np.isfinite(self.ew) & np.isfinite(self.ew_ivar)
        return known & (np.nan_to_num(self.ew) > 0) & (np.nan_to_num(self.ew_ivar) > 0)

    @property
    def ew_error(self) -> np.ndarray:
        """Stated error of the EW, Angstrom, shape (n, n_line); NaN where not measured."""
        return np.where(self.measured, 1 / np.sqrt(np.where(self.measured, self.ew_ivar, 1)), np.nan)

    def features(self, use_luminosity: bool) -> np.ndarray:
        """Inputs of the networks before scaling, float32, shape (n, n_feature): colours, and the luminosity if used."""
        luminosity = jnp.asarray(self.log_luminosity) if use_luminosity else None
        return np.asarray(features(jnp.asarray(self.flux_bins), luminosity))

    def sees_luminosity(self, params: Mapping[str, Any]) -> bool:
        """Whether networks are to use the luminosity: where the table has one and a rule's ``luminosity`` wants it."""
        return self.log_luminosity is not None and params["luminosity"]

    def take(self, rows: np.ndarray) -> "LineTable":
        """The table of some rows."""
        luminosity = None if self.log_luminosity is None else self.log_luminosity[rows]
        return self._replace(
            identifier=self.identifier[rows],
            flux_bins=self.flux_bins[rows],
            log_luminosity=luminosity,
            ew=self.ew[rows],
            ew_ivar=self.ew_ivar[rows],
        )

    def with_lines(self, lines: Sequence[str]) -> "LineTable":
        """The table of some of its lines, in the order given."""
        columns = [self.lines.index(line) for line in lines]
        return self._replace(lines=tuple(lines), ew=self.ew[:, columns], ew_ivar=self.ew_ivar[:, columns])


class SplitRows(NamedTuple):
    """Row numbers of a table for training, validation and test, each ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def of_rows(self, n_row: int) -> np.ndarray:
        """The split of each row, shape (n_row,), int8, codes of :class:`mangrove.codes.Split`; unusable rows count as train."""
        split = np.zeros(n_row, np.int8)
        split[self.validation], split[self.test] = Split.VALIDATION, Split.TEST
        return split


class StoredTable(NamedTuple):
    """A table of a run: its rows, their split, and what the published networks say where that is known.

    Attributes
    ----------
    table : LineTable
    split : SplitRows
    published : ndarray of float32, shape (n, n_line), or None
        EW, Angstrom.
    content_hash : str
    """

    table: LineTable
    split: SplitRows
    published: np.ndarray | None
    content_hash: str


def stored(table: LineTable, split: np.ndarray, published: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The datasets of the artefact 'emulator_table'; ``split`` as from :meth:`SplitRows.of_rows`."""
    data = {
        "bin_edge": np.array(table.bins.edges),
        "wave": np.array(table.bins.centres),
        "line": np.array(table.lines),
        "identifier": table.identifier,
        "split": split,
        "flux_bins": table.flux_bins,
        "ew": table.ew,
        "ew_ivar": table.ew_ivar,
    }
    options = {"log_luminosity": table.log_luminosity, "published_ew": published}
    return data | {name: values for name, values in options.items() if values is not None}


def outcome(table: LineTable) -> dict[str, str]:
    """Status and reason of the artefact 'emulator_table'; how much there is goes to the log."""
    log.info("%d rows, %d with a continuum in all %d bins", len(table.ew), table.usable.sum(), table.bins.n_bin)
    for line, n in zip(table.lines, table.measured.sum(axis=0), strict=True):
        log.info("%s: %d rows", line, n)
    if table.usable.any():
        return {"status": "ok", "reason": ""}
    return {"status": "empty", "reason": "no row has a continuum in every bin"}


def read_stored(path) -> StoredTable:
    """Read the artefact 'emulator_table'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    found = artefacts.read(path, "emulator_table")
    data = found.data
    table = LineTable(
        bins=Bins(tuple(float(edge) for edge in data["bin_edge"])),
        lines=tuple(data["line"].tolist()),
        identifier=data["identifier"],
        flux_bins=data["flux_bins"],
        log_luminosity=data.get("log_luminosity"),
        ew=data["ew"],
        ew_ivar=data["ew_ivar"],
    )
    split = SplitRows(*(np.flatnonzero((data["split"] == code) & table.usable) for code in Split))
    return StoredTable(table, split, data.get("published_ew"), found.content_hash)
