"""Tables made before a run (source desi): the prepared file of DESI galaxies, or one of ``mangrove desi-table``.

The split belongs to the table: it is the same in every run, whatever the run's seed and fractions, so that results on a
table can be compared with one another.
"""

import hashlib
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mangrove.errors import CatalogueError
from mangrove.files.units import angstrom_factor, flux_factor
from mangrove.models.emulator.continuum_features import Bins, luminosity_of
from mangrove.models.emulator.line_table import LineTable, SplitRows, read_stored

#: One galaxy of so many is for tests; one of so many of the others is for validation.
TEST_SHARE, VALIDATION_SHARE = 5, 10
_HEX = 8
#: A redshift that is not between 0 and this is none.
_MAX_REDSHIFT = 20.0
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
        If the file is missing, damaged, or lacks a dataset; if datasets do not fit together, hold no numbers, or have units
        of something else.
    ArtefactError
        If it is an artefact of another version of mangrove.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(
            f"{path} does not exist; emulator.desi_file must name the prepared table of DESI galaxies."
        )
    arrays = None
    try:
        with h5py.File(path, "r") as f:
            if f.attrs.get("kind") != "emulator_table":
                arrays = _Arrays.read(f, path)
    # What HDF5 says of damaged files comes as any of these.
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise CatalogueError(f"{path} cannot be read ({error}). Save or make it again.") from error
    if arrays:
        return _prepared(arrays)
    found = read_stored(path)
    return PreparedTable(found.table, found.split, found.published)


class _Arrays(NamedTuple):
    """The datasets of a prepared table in the units of :class:`LineTable`, of shapes that fit together."""

    continuum_flux: np.ndarray
    redshift: np.ndarray
    target_id: np.ndarray
    ew: np.ndarray
    ew_ivar: np.ndarray
    published_ew: np.ndarray | None
    lines: tuple[str, ...]

    @classmethod
    def read(cls, f: h5py.File, path: Path) -> "_Arrays":
        missing = [name for name in _DATASETS if not isinstance(f.get(name), h5py.Dataset)]
        if missing:
            raise CatalogueError(
                f"{path} lacks the dataset(s) {', '.join(missing)}. emulator.desi_file must name the prepared table, or "
                "one that 'mangrove desi-table' wrote."
            )
        if "lines" not in f["ew"].attrs:
            raise CatalogueError(f"{path}: dataset 'ew' has no attribute 'lines', the names of its columns.")
        lines = tuple(_text(name) for name in np.atleast_1d(f["ew"].attrs["lines"]))
        names = [name for name in _NUMBERS if name in f]
        arrays = {name: _numbers(f[name], path) for name in names}
        found = cls(**{"published_ew": None} | arrays, target_id=_identifiers(f["target_id"], path), lines=lines)
        found._check(path)
        return found

    def _check(self, path: Path) -> None:
        """Refuse arrays that do not fit together."""
        n, of_lines = self.target_id.size, (self.target_id.size, len(self.lines))
        expected = {"redshift": (n,), "ew": of_lines, "ew_ivar": of_lines, "published_ew": of_lines}
        for name, shape in expected.items():
            values = getattr(self, name)
            if values is not None and values.shape != shape:
                raise CatalogueError(
                    f"{path}: dataset '{name}' has the shape {values.shape}; with {n} identifiers and {len(self.lines)} "
                    f"lines it must be {shape}."
                )
        if self.continuum_flux.ndim != 2 or len(self.continuum_flux) != n or self.continuum_flux.shape[1] < 2:
            raise CatalogueError(
                f"{path}: dataset 'continuum_flux' has the shape {self.continuum_flux.shape}; it must have a row for each of "
                f"{n} identifiers, and a column for each bin."
            )
        if len(set(self.lines)) < len(self.lines):
            raise CatalogueError(f"{path}: the attribute 'lines' of dataset 'ew' names a line twice.")


def _text(name) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _identifiers(dataset: h5py.Dataset, path: Path) -> np.ndarray:
    """One text for each galaxy, shape (n,)."""
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.ndim != 1 or not (is_text or dataset.dtype.kind in "iuS"):
        raise CatalogueError(f"{path}: dataset 'target_id' must hold one whole number, or text, for each galaxy.")
    return np.array([_text(name) for name in dataset[...]], dtype=str)


def _numbers(dataset: h5py.Dataset, path: Path) -> np.ndarray:
    """A dataset of real numbers as float32, in the unit that :data:`_NUMBERS` converts to."""
    name = dataset.name.lstrip("/")
    if dataset.dtype.kind not in "iuf":
        raise CatalogueError(f"{path}: dataset '{name}' holds {dataset.dtype}, and not real numbers.")
    units = [_text(dataset.attrs[key]) for key in ("unit", "units") if key in dataset.attrs]
    factors = {_NUMBERS[name](unit) for unit in units} or {1.0}
    if None in factors or len(factors) > 1:
        raise CatalogueError(f"{path}: dataset '{name}' has the unit '{' and '.join(units)}', which it cannot have.")
    # What single precision cannot hold is no value.
    with np.errstate(over="ignore", invalid="ignore"):
        return (dataset[...] * factors.pop()).astype(np.float32)


def _no_unit(text: str) -> float | None:
    return 1.0 if text.strip() in ("", "1") else None


#: What converts the unit of each dataset of numbers.
_NUMBERS = {
    "continuum_flux": flux_factor,
    "redshift": _no_unit,
    "ew": angstrom_factor,
    "ew_ivar": partial(angstrom_factor, power=-2),
    "published_ew": angstrom_factor,
}


def _prepared(arrays: _Arrays) -> PreparedTable:
    flux = arrays.continuum_flux
    known = (arrays.redshift > 0) & (arrays.redshift < _MAX_REDSHIFT)
    luminosity = luminosity_of(flux, np.where(known, arrays.redshift, 1.0).astype(np.float32))
    table = LineTable(
        bins=Bins.equal(n_bin=flux.shape[1]),
        lines=tuple(_PUBLISHED_NAMES.get(name, name) for name in arrays.lines),
        identifier=arrays.target_id,
        flux_bins=flux,
        log_luminosity=np.where(known, luminosity, np.nan).astype(np.float32),
        ew=arrays.ew,
        ew_ivar=arrays.ew_ivar,
    )
    return PreparedTable(table, split_table(table), arrays.published_ew)
