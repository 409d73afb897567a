"""Tables made before a run (source desi): the prepared file of DESI galaxies, or one of ``mangrove desi-table``.

The split belongs to the table: it is the same in every run, whatever the run's seed and fractions, so that results on a
table can be compared with one another.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mangrove.errors import CatalogueError
from mangrove.models.emulator.continuum_features import Bins, luminosity_of
from mangrove.models.emulator.line_table import LineTable, SplitRows, read_stored

#: One galaxy of so many is for tests; one of so many of the others is for validation.
TEST_SHARE, VALIDATION_SHARE = 5, 10
_HEX = 8
_DATASETS = ("continuum_flux", "redshift", "ew", "ew_ivar", "target_id")
#: Lines of the published table of DESI galaxies that have other names here.
_PUBLISHED_NAMES = {"Hgamma": "Hgamma_4342", "Hbeta": "Hbeta_4863", "Halpha": "Halpha_6565"}


class PreparedTable(NamedTuple):
    """A table with its split, and what the published networks say of its galaxies.

    Attributes
    ----------
    table : LineTable
    split : SplitRows
        That of the file where it has one, else :func:`split_table`.
    published : ndarray of float32, shape (n, n_line), or None
        EW, Angstrom.
    """

    table: LineTable
    split: SplitRows
    published: np.ndarray | None


def split_table(table: LineTable, fold: int = 0) -> SplitRows:
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
    return SplitRows(*(np.flatnonzero(rows & table.usable) for rows in chosen))


def read_prepared(path) -> PreparedTable:
    """Read the prepared table of DESI galaxies, or an artefact 'emulator_table'.

    Raises
    ------
    CatalogueError
        If the file is missing or lacks a dataset.
    ArtefactError
        If it is an artefact of another version of mangrove.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(
            f"{path} does not exist; emulator.desi_file must name the prepared table of DESI galaxies."
        )
    with h5py.File(path, "r") as f:
        if f.attrs.get("kind") != "emulator_table":
            return _read_prepared(f, path)
    found = read_stored(path)
    return PreparedTable(found.table, found.split, found.published)


def _read_prepared(f: h5py.File, path: Path) -> PreparedTable:
    missing = [name for name in _DATASETS if name not in f]
    if missing:
        raise CatalogueError(
            f"{path} lacks the dataset(s) {', '.join(missing)}. emulator.desi_file must name the prepared table, or "
            "one that 'mangrove desi-table' wrote."
        )
    flux, redshift = f["continuum_flux"][...], f["redshift"][...]
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in f["ew"].attrs["lines"]]
    table = LineTable(
        bins=Bins.equal(n_bin=flux.shape[1]),
        lines=tuple(_PUBLISHED_NAMES.get(name, name) for name in names),
        identifier=f["target_id"][...].astype(str),
        flux_bins=flux,
        log_luminosity=luminosity_of(flux, redshift),
        ew=f["ew"][...],
        ew_ivar=f["ew_ivar"][...],
    )
    return PreparedTable(table, split_table(table), f["published_ew"][...] if "published_ew" in f else None)
