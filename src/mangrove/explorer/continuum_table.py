"""Continua of a run's emulator table as the explorer reads them: one row, and those that lie on the map of the inputs."""

from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.explorer.explored_run import ExploredRun

KIND = "emulator_table"
#: Most rows that are shown where there is no map of the inputs, spread evenly over the table.
_SHOWN = 5000


class Continuum(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    row : int
    flux_bins : ndarray of float32, shape (n_bin,)
        1e-17 erg/s/cm2/Angstrom; of baxels per spaxel.
    log_luminosity : float or None
        log10 of erg/s/Angstrom; None in a table without luminosities.
    ew, ew_error : ndarray, shape (n_line,)
        Angstrom; NaN where not measured.
    identifier : str
        Galaxy.
    plateifu, baxel : str, int
        Where the row is a baxel of the run; '' and -1 where it is not.
    """

    row: int
    flux_bins: np.ndarray
    log_luminosity: float | None
    ew: np.ndarray
    ew_error: np.ndarray
    identifier: str
    plateifu: str
    baxel: int


class ShownRows(NamedTuple):
    """Rows of the table beside each other.

    Attributes
    ----------
    row : ndarray of int, shape (n,)
    place : ndarray of float32, shape (n, 2), or None
        On the map of the inputs (UMAP); None in a run without one.
    flux_bins : ndarray of float32, shape (n, n_bin)
    log_luminosity : ndarray of float32, shape (n,), or None
    ew, ew_error : ndarray of float32, shape (n, n_line)
    """

    row: np.ndarray
    place: np.ndarray | None
    flux_bins: np.ndarray
    log_luminosity: np.ndarray | None
    ew: np.ndarray
    ew_error: np.ndarray


def lines_of(run: ExploredRun) -> list[str]:
    """Names of the table's lines."""
    return run.column(KIND, "line").tolist()


def bin_edges(run: ExploredRun) -> np.ndarray:
    """Edges of the bins, Angstrom, rest frame, vacuum, shape (n_bin + 1,)."""
    return run.column(KIND, "bin_edge")


def has_luminosity(run: ExploredRun) -> bool:
    """Whether the rows have luminosities."""
    return _has(run, "log_luminosity")


def n_row(run: ExploredRun) -> int:
    """Rows of the table."""
    return run.kept(("shape", KIND), lambda: _shape(run))


def shown_rows(run: ExploredRun) -> ShownRows:
    """The rows of the map of the inputs, some thousand; of a run without a map, rows spread over the table. Read once.

    Raises
    ------
    ArtefactError
        If an artefact is damaged or of another version of mangrove.
    """
    return run.kept("emulator_shown_rows", lambda: _read_shown(run))


def continuum(run: ExploredRun, row: int) -> Continuum:
    """A row of the table, by its number from 0.

    Raises
    ------
    ArtefactError
        If the table is damaged.
    """

    def value(name: str):
        return run.rows(KIND, name, slice(row, row + 1))[0]

    ew, error = _measured(value("ew"), value("ew_ivar"))
    of_run = _has(run, "plateifu")
    return Continuum(
        row=row,
        flux_bins=value("flux_bins"),
        log_luminosity=float(value("log_luminosity")) if has_luminosity(run) else None,
        ew=ew,
        ew_error=error,
        identifier=_text(run, "identifier", row),
        plateifu=_text(run, "plateifu", row) if of_run else "",
        baxel=int(value("baxel")) if of_run else -1,
    )


def presets(run: ExploredRun, line: str) -> list[tuple[str, int]]:
    """Rows from the weakest to the strongest of a line, and what they are: 'weakest', 'median', ..."""
    shown = shown_rows(run)
    ew = shown.ew[:, lines_of(run).index(line)] if line in lines_of(run) else np.empty(0)
    known = np.flatnonzero(np.isfinite(ew))
    if not known.size:
        return [("first row of the map", int(shown.row[0]))] if shown.row.size else []
    order = known[np.argsort(ew[known], kind="stable")]
    levels = {"weakest": 0.0, "weak (16 %)": 0.16, "median": 0.5, "strong (84 %)": 0.84, "strongest": 1.0}
    return [(name, int(shown.row[order[round(level * (order.size - 1))]])) for name, level in levels.items()]


def mean_flux(flux_bins: np.ndarray) -> float:
    """Mean flux of one continuum over its bins; 1 where it has none that is positive, as a scale needs."""
    mean = float(flux_bins.mean())
    return mean if np.isfinite(mean) and mean > 0 else 1.0


def slider_range(run: ExploredRun) -> tuple[float, float]:
    """Least and largest relative flux that sliders reach: beyond those of the shown rows on both sides."""
    flux_bins = shown_rows(run).flux_bins
    shapes = flux_bins / flux_bins.mean(axis=1, keepdims=True)
    known = shapes[np.isfinite(shapes) & (shapes > 0)]
    if not known.size:
        return 0.1, 2.0
    return max(0.01, round(0.5 * float(known.min()), 2)), round(1.2 * float(known.max()), 2)


def luminosity_range(run: ExploredRun) -> tuple[float, float]:
    """Least and largest log luminosity of the shown rows, half a dex further on both sides."""
    shown = shown_rows(run).log_luminosity
    known = np.empty(0) if shown is None else shown[np.isfinite(shown)]
    return (float(known.min()) - 0.5, float(known.max()) + 0.5) if known.size else (38.0, 43.0)


def _read_shown(run: ExploredRun) -> ShownRows:
    row, place = _rows_of_map(run)
    names = ["flux_bins", "ew", "ew_ivar", *(["log_luminosity"] if has_luminosity(run) else [])]
    # Whole columns are read at once, which is quicker than thousands of rows in random order, and not kept.
    table = artefacts.read(run.path(KIND), KIND, names)
    if row is None:
        good = np.flatnonzero((np.isfinite(table["flux_bins"]) & (table["flux_bins"] > 0)).all(axis=1))
        row = good[np.unique(np.linspace(0, good.size - 1, min(_SHOWN, good.size)).astype(int))] if good.size else good
    ew, error = _measured(table["ew"][row], table["ew_ivar"][row])
    luminosity = table["log_luminosity"][row] if has_luminosity(run) else None
    return ShownRows(row, place, table["flux_bins"][row], luminosity, ew, error)


def _rows_of_map(run: ExploredRun) -> tuple[np.ndarray | None, np.ndarray | None]:
    if not run.has("emulator_embedding"):
        return None, None
    return run.column("emulator_embedding", "row"), run.column("emulator_embedding", "place")


def _measured(ew: np.ndarray, ivar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """EW and errors, NaN where a line was not measured."""
    known = np.isfinite(ew) & np.isfinite(ivar) & (np.nan_to_num(ivar) > 0)
    return np.where(known, ew, np.nan), np.where(known, 1 / np.sqrt(np.where(known, ivar, 1)), np.nan)


def _text(run: ExploredRun, name: str, row: int) -> str:
    """The text of one row; that of a million rows takes seconds to read."""
    with artefacts.opened(run.path(KIND), KIND) as file:
        return str(file[name].asstr()[row])


def _has(run: ExploredRun, name: str) -> bool:
    return run.kept(("has", KIND, name), lambda: name in _names(run))


def _names(run: ExploredRun) -> frozenset[str]:
    with artefacts.opened(run.path(KIND), KIND) as file:
        return frozenset(file)


def _shape(run: ExploredRun) -> int:
    with artefacts.opened(run.path(KIND), KIND) as file:
        return len(file["flux_bins"])
