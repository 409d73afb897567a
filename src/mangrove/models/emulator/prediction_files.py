"""Predict the lines of the galaxies of a table file: ``mangrove predict-lines``."""

import re
from pathlib import Path
from typing import NamedTuple

import astropy.units as u
import h5py
import jax
import jax.numpy as jnp
import numpy as np
from astropy.table import Table

from mangrove import outputs
from mangrove.codes import PredictionFlag
from mangrove.errors import CatalogueError, ModelError
from mangrove.files.bounded_headers import demand_bounded_headers, demand_bounded_units
from mangrove.files.units import FLUX, is_endless
from mangrove.models.emulator.continuum_features import Bins, luminosity_of
from mangrove.models.emulator.distribution import LineMixture
from mangrove.models.emulator.emulator import BLOCK, Emulator, LinePrediction, load, predict_table
from mangrove.survey import tables, text_tables

#: Names under which a table holds the fluxes of all bins in one column, ...
FLUX_COLUMNS = ("flux_bins", "continuum_flux")
#: ... or one after the other, from flux_1 on.
_NUMBERED = re.compile(r"flux_(\d+)")
LUMINOSITY, REDSHIFT = "log_luminosity", "redshift"
#: Where a table says which bins it has: a dataset or an entry of its metadata, edges in Angstrom.
EDGES = ("bin_edge", "bin_edges")
#: Marks a table as one of predictions, in its metadata.
_CREATOR = "mangrove predict-lines"
_FORMATS = {".fits": "fits", ".fit": "fits", ".ecsv": "ascii.ecsv", ".h5": "hdf5", ".hdf5": "hdf5"}


class Continua(NamedTuple):
    """What a table file holds for the emulator.

    Attributes
    ----------
    flux_bins : ndarray of float32, shape (n, n_bin)
    log_luminosity : ndarray of float32, shape (n,), or None
    bins : Bins or None
        None where the file does not say.
    others : Table
        Columns of one value per row, such as names.
    """

    flux_bins: np.ndarray
    log_luminosity: np.ndarray | None
    bins: Bins | None
    others: Table


def predict_file(model_folder, source, target) -> Table:
    """Predict the lines of the rows of a table file and write them to another.

    Parameters
    ----------
    model_folder : path-like
    source, target : path-like
        FITS, ECSV or HDF5, told by the end of the name. The source has the column ``flux_bins`` (or ``continuum_flux``,
        or ``flux_1``, ``flux_2``, ...), and ``log_luminosity`` or ``redshift`` where the model uses the luminosity.

    Returns
    -------
    Table
        What was written: the other columns of the source; for every line ``<line>_ew`` (as a survey would list it) and
        the 16th, 50th and 84th percentile of the intrinsic distribution, Angstrom; ``flag``, see the description.

    Raises
    ------
    CatalogueError
        If the source cannot be read or lacks what is needed, or the target is of no known format.
    ModelError
        If the model is no whole model, or its bins are others.
    """
    model, continua = load(model_folder), read_continua(source)
    target = Path(target)
    kind = _format(target)
    luminosity = None
    if model.uses_luminosity:
        luminosity = continua.log_luminosity
        if luminosity is None:
            raise CatalogueError(
                f"{source} has neither the column {LUMINOSITY} nor {REDSHIFT}, and the model uses the luminosity: add one of "
                "them, or take a model trained with emulator.luminosity: false."
            )
    if continua.bins is not None and not np.allclose(continua.bins.edges, model.bins.edges, rtol=0, atol=1e-3):
        raise ModelError(
            f"{source} has the bins {list(continua.bins.edges)}, the model was trained on {list(model.bins.edges)}. Measure "
            "the fluxes in the bins of the model, or take a model trained on yours."
        )
    out = _with_prediction(continua.others, model, predict_table(model, continua.flux_bins, luminosity))
    options = {"path": "lines", "serialize_meta": True} if kind == "hdf5" else {}
    out.meta["CREATOR"] = _CREATOR
    with outputs.replacing(target) as part:
        out.write(part, format=kind, **options)
    return out


def is_prediction(path: Path) -> bool:
    """Whether a file is a table that :func:`predict_file` wrote."""
    try:
        kind = _format(path)
        table = _hdf5_table(path, "lines") if kind == "hdf5" else _READERS[kind](path)
        return table.meta.get("CREATOR") == _CREATOR
    except (OSError, ValueError, KeyError, TypeError, CatalogueError):
        return False


def read_continua(path) -> Continua:
    """Read fluxes in bins from a table file (see :func:`predict_file`).

    Raises
    ------
    CatalogueError
        If the file is missing, of no known format, or has no fluxes.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(f"{path} does not exist. Correct the path.")
    try:
        table = _READERS[_format(path)](path)
    except (OSError, ValueError) as error:
        raise CatalogueError(
            f"{path} is not a readable table ({error}). Its name must end in one of: {', '.join(_FORMATS)}."
        ) from error
    flux = _flux(table, path)
    luminosity = None
    if LUMINOSITY in table.colnames:
        _check_logarithm(table[LUMINOSITY], path)
        luminosity = _plain(table[LUMINOSITY])
    elif REDSHIFT in table.colnames:
        redshift = _plain(table[REDSHIFT]) * tables.factor(table[REDSHIFT].unit, u.one, REDSHIFT, path)
        # No distance without a redshift: such rows are flagged by the model.
        luminosity = np.where(redshift > 0, luminosity_of(flux, np.where(redshift > 0, redshift, 1)), np.nan)
        luminosity = luminosity.astype(np.float32)
    edges = next((table.meta[name] for name in EDGES if name in table.meta), None)
    # An empty list of columns, given to a table in brackets, would be one of rows.
    table.keep_columns([n for n in table.colnames if table[n].ndim == 1 and not _NUMBERED.fullmatch(n)])
    bins = None if edges is None else Bins(tuple(float(edge) for edge in edges))
    return Continua(flux, luminosity, bins, table)


def _flux(table: Table, path: Path) -> np.ndarray:
    for name in FLUX_COLUMNS:
        if name in table.colnames:
            if table[name].ndim != 2:
                raise CatalogueError(
                    f"{path}: the column {name} must hold the fluxes of all bins in every row. One number per row belongs "
                    "into columns flux_1, flux_2, ..."
                )
            return _flux_of(table[name], path)
    numbers = sorted(int(m[1]) for m in map(_NUMBERED.fullmatch, table.colnames) if m)
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise CatalogueError(
            f"{path} has no fluxes: it needs a column {' or '.join(FLUX_COLUMNS)}, or columns flux_1, flux_2, ... "
            f"without gaps; it has {', '.join(table.colnames)}."
        )
    return np.column_stack([_flux_of(table[f"flux_{i}"], path) for i in numbers])


def _flux_of(column, path: Path) -> np.ndarray:
    """1e-17 erg/s/cm2/Angstrom, which is the unit where the column has none."""
    return (_plain(column) * tables.factor(column.unit, FLUX, column.name, path)).astype(np.float32)


def _check_logarithm(column, path: Path) -> None:
    """Refuse another unit than that of a logarithm over erg/s/Angstrom; none is taken for it."""
    if column.unit is not None and str(column.unit).strip():
        text = str(column.unit)
        given = text if is_endless(text) else u.Unit(text, parse_strict="silent")
        if given not in (u.dex, u.dex(u.erg / u.s / u.AA)):
            raise CatalogueError(
                f"{path}: the column {column.name} is in '{given}', but the decimal logarithm over erg/s/Angstrom "
                "('dex(erg / (Angstrom s))') is needed. Convert it, or give redshift instead."
            )


def _plain(column) -> np.ndarray:
    """Values as float32, NaN where masked."""
    return np.ma.filled(np.ma.asarray(column, np.float32), np.nan)


def _read_hdf5(path: Path) -> Table:
    """The datasets of a file that have as many rows as its fluxes; bins go to the metadata."""
    with h5py.File(path, "r") as f:
        flux = next((f[name] for name in FLUX_COLUMNS if name in f), None)
        if flux is None:
            tables = [name for name in f if isinstance(f[name], h5py.Dataset) and f[name].dtype.names]
            if len(tables) == 1:
                return _hdf5_table(path, tables[0])
            raise CatalogueError(
                f"{path} has no dataset {' or '.join(FLUX_COLUMNS)} of shape (galaxies, bins), nor a single table "
                f"in its place; it has {', '.join(f) or 'nothing'}. Rename the dataset of the fluxes."
            )
        columns = {name: _values(f[name]) for name in f if _is_column(f[name], len(flux))}
        table = Table(columns)
        for name in EDGES:
            if name in f:
                table.meta[name] = f[name][...].tolist()
        return table


def _hdf5_table(path: Path, name: str) -> Table:
    """A table that astropy wrote, its columns described in a text beside it."""
    with h5py.File(path, "r") as f:
        if (described := f.get(f"{name}.__table_column_meta__")) is not None:
            demand_bounded_units("\n".join(map(str, described[...].ravel().tolist())))
    return Table.read(path, format="hdf5", path=name)


def _is_column(dataset, n_row: int) -> bool:
    bare_dimension = b"not a netCDF variable" in bytes(dataset.attrs.get("NAME", b""))
    return isinstance(dataset, h5py.Dataset) and dataset.shape[:1] == (n_row,) and not bare_dimension


def _read_fits(path: Path) -> Table:
    demand_bounded_headers(path)
    return Table.read(path, format="fits")


_READERS = {"fits": _read_fits, "ascii.ecsv": text_tables.read, "hdf5": _read_hdf5}


def _values(dataset: h5py.Dataset) -> np.ndarray:
    return dataset.asstr()[...].astype(str) if h5py.check_string_dtype(dataset.dtype) else dataset[...]


def _format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise CatalogueError(f"{path}: the name of a table must end in {', '.join(_FORMATS)}. Rename or convert it.")
    return _FORMATS[path.suffix.lower()]


def _with_prediction(others: Table, model: Emulator, prediction: LinePrediction) -> Table:
    out = others.copy()
    low, high, middle = _percentiles(prediction)
    for i, line in enumerate(model.lines):
        for name, values in (("ew", prediction.ew), ("ew_p16", low), ("ew_p50", middle), ("ew_p84", high)):
            out[f"{line}_{name}"] = np.asarray(values[:, i], np.float32)
            out[f"{line}_{name}"].unit = "Angstrom"
    out["flag"] = np.asarray(prediction.flag, np.int32)
    out["flag"].description = "; ".join(f"{bit.value}: {bit.meaning}" for bit in PredictionFlag)
    return out


def _percentiles(prediction: LinePrediction) -> tuple[np.ndarray, ...]:
    """16th, 84th and 50th percentile of EW, Angstrom, shape (n, n_line) each."""
    starts = range(0, max(len(prediction.flag), 1), BLOCK)
    blocks = (jax.tree.map(lambda x, s=s: jnp.asarray(x[s : s + BLOCK]), prediction.mixture) for s in starts)
    parts = [_summary(block) for block in blocks]
    return tuple(np.sinh(np.concatenate([np.asarray(p) for p in column])) for column in zip(*parts, strict=True))


@jax.jit
def _summary(mixture: LineMixture) -> tuple[jax.Array, ...]:
    return *mixture.interval(), mixture.median()
