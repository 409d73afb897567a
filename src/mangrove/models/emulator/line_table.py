"""Tables that the emulator learns from: continuum in bins beside measured equivalent widths."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import jax.numpy as jnp
import numpy as np

from mangrove import artefacts
from mangrove.errors import CatalogueError
from mangrove.models.emulator.continuum_features import Bins, log_luminosity, log_luminosity_distance

#: One galaxy of so many is for tests; one of so many of the others is for validation.
TEST_SHARE, VALIDATION_SHARE = 5, 10
_HEX = 8
#: Lines of the published table of DESI galaxies that have other names here.
_PUBLISHED_NAMES = {"Hgamma": "Hgamma_4342", "Hbeta": "Hbeta_4863", "Halpha": "Halpha_6565"}


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


class Split(NamedTuple):
    """Row numbers of a table for training, validation and test, each ascending."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def of_rows(self, n_row: int) -> np.ndarray:
        """The split of each row, shape (n_row,), int8: 0 train, 1 validation, 2 test; unusable rows count as train."""
        split = np.zeros(n_row, np.int8)
        split[self.validation], split[self.test] = 1, 2
        return split


class StoredTable(NamedTuple):
    """A table of a run: its rows, their split, and what the published networks say where that is known.

    Attributes
    ----------
    table : LineTable
    split : Split
    published : ndarray of float32, shape (n, n_line), or None
        EW, Angstrom.
    content_hash : str
    """

    table: LineTable
    split: Split
    published: np.ndarray | None
    content_hash: str


def split_table(table: LineTable, fold: int = 0) -> Split:
    """The split of a table's usable rows, by the sha256 of the identifiers alone.

    Parameters
    ----------
    fold : int
        Which fifth of the galaxies is the test: 0 in the project's own split, 1 to 4 to hold out the others in turn.
    """
    digests = [hashlib.sha256(str(name).encode()).hexdigest() for name in table.identifier]
    test = np.array([int(digest[:_HEX], 16) % TEST_SHARE == fold for digest in digests])
    validation = np.array([int(digest[_HEX : 2 * _HEX], 16) % VALIDATION_SHARE == 0 for digest in digests])
    chosen = (~test & ~validation, ~test & validation, test)
    return Split(*(np.flatnonzero(rows & table.usable) for rows in chosen))


def stored(table: LineTable, split: np.ndarray, published: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The datasets of the artefact 'emulator_table'; ``split`` as from :meth:`Split.of_rows`."""
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
        Bins(tuple(float(edge) for edge in data["bin_edge"])),
        tuple(data["line"].tolist()),
        data["identifier"],
        data["flux_bins"],
        data.get("log_luminosity"),
        data["ew"],
        data["ew_ivar"],
    )
    split = Split(*(np.flatnonzero((data["split"] == code) & table.usable) for code in range(3)))
    return StoredTable(table, split, data.get("published_ew"), found.content_hash)


def read_desi(path) -> tuple[LineTable, np.ndarray | None]:
    """Read a prepared table of DESI galaxies, or an artefact 'emulator_table'.

    Returns
    -------
    LineTable
    ndarray of float32, shape (n, n_line), or None
        EW that the published networks predict, Angstrom, where the file has them.

    Raises
    ------
    CatalogueError
        If the file is missing or lacks a dataset.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(
            f"{path} does not exist; emulator.desi_file must name the prepared table of DESI galaxies."
        )
    with h5py.File(path, "r") as f:
        own = f.attrs.get("kind") == "emulator_table"
    if own:
        found = read_stored(path)
        return found.table, found.published
    with h5py.File(path, "r") as f:
        missing = [name for name in ("continuum_flux", "redshift", "ew", "ew_ivar", "target_id") if name not in f]
        if missing:
            raise CatalogueError(
                f"{path} lacks the dataset(s) {', '.join(missing)}. emulator.desi_file must name the prepared table, or "
                "one that 'mangrove desi-table' wrote."
            )
        flux, redshift = f["continuum_flux"][...], f["redshift"][...]
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in f["ew"].attrs["lines"]]
        ew, ivar = f["ew"][...], f["ew_ivar"][...]
        identifier = f["target_id"][...].astype(str)
        published = f["published_ew"][...] if "published_ew" in f else None
    luminosity = luminosity_of(flux, redshift)
    bins = Bins.equal(n_bin=flux.shape[1])
    lines = tuple(_PUBLISHED_NAMES.get(name, name) for name in names)
    return LineTable(bins, lines, identifier, flux, luminosity, ew, ivar), published


def luminosity_of(flux_bins: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """Log luminosity of the continuum of a table's rows, erg/s/Angstrom, shape (n,) float32."""
    distance = jnp.asarray(log_luminosity_distance(redshift), jnp.float32)
    return np.asarray(log_luminosity(jnp.asarray(flux_bins), jnp.asarray(redshift), distance))
