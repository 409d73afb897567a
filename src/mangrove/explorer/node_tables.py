"""Tables that leave the maps: the baxels or the galaxies of some nodes."""

from collections.abc import Sequence

import numpy as np
from astropy.table import Column, Table

from mangrove.codes import Code, Split, TrainingCut
from mangrove.data_model import LABEL
from mangrove.errors import ArtefactError, OutputError
from mangrove.explorer.downloads import measured
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_index import grid_of, node_rows
from mangrove.explorer.spectral_map import galaxies_on
from mangrove.export.columns import error_unit
from mangrove.report.node_places import NodePlaces

#: Most rows of a table, a second's work and some 12 MB as CSV: more is a matter for Python, not for a browser.
MOST_DOWNLOADED = 20_000
_OF_BAXEL = ("distance", "second_node", "second_distance", "typicality", "radius_re", "snr")
_OF_GALAXY = ("distance", "second_node", "second_distance", "typicality")


def baxel_table(run: ExploredRun, nodes: Sequence[int]) -> Table:
    """The baxels of some nodes of the map of spectra, galaxy by galaxy.

    Columns: plateifu, mangaid, baxel; node, as artefacts count, its column and row, from 1; distance, second node,
    typicality, radius, S/N; split, and the cut that kept it out of the training, by name; every label with its error and
    flags, as in the artefact 'labels', where the run has it.

    Raises
    ------
    OutputError
        If there are more than :data:`MOST_DOWNLOADED`.
    """
    rows = node_rows(run, "desom_assignments").of_all(nodes)
    _check_size(rows.size, "baxels")
    galaxy, baxel = (run.column("desom_assignments", name)[rows] for name in ("galaxy", "baxel"))
    table = Table({name: run.column("desom_assignments", name)[galaxy] for name in ("plateifu", "mangaid")})
    table["baxel"] = baxel
    _add_places(table, grid_of(run, "desom_map"), run.column("desom_assignments", "node")[rows])
    for name in _OF_BAXEL:
        table[name] = _some(run, "desom_assignments", name, rows)
    for name, codes in (("split", Split), ("cut", TrainingCut)):
        table[name] = _words(codes, _some(run, "desom_assignments", name, rows))
    if run.has("labels"):
        _add_labels(table, run, _label_rows(run, galaxy, baxel))
    return table


def galaxy_table(run: ExploredRun, nodes: Sequence[int]) -> Table:
    """The galaxies with baxels on some nodes of the map of spectra, those with most there first.

    Columns: plateifu, mangaid; n_baxel_selected, its baxels on these nodes; n_baxel, those on the whole map; split.
    """
    found = galaxies_on(run, nodes)
    counts = {"n_baxel_selected": found.n_here, "n_baxel": found.n_baxel, "split": _words(Split, found.split)}
    return Table({"plateifu": found.plateifu, "mangaid": found.mangaid} | counts)


def mapped_galaxy_table(run: ExploredRun, nodes: Sequence[int]) -> Table:
    """The galaxies of some nodes of the map of galaxies, in the order of the sample sheet.

    Columns: plateifu, mangaid; node, as artefacts count, its column and row, from 1; distance, second node, typicality;
    split; n_baxel, n_patch and patch_spread of the fingerprint.
    """
    rows = node_rows(run, "galaxy_map_assignments").of_all(nodes)
    table = Table({name: run.column("galaxy_map_assignments", name)[rows] for name in ("plateifu", "mangaid")})
    _add_places(table, grid_of(run, "galaxy_map"), run.column("galaxy_map_assignments", "node")[rows])
    for name in _OF_GALAXY:
        table[name] = run.column("galaxy_map_assignments", name)[rows]
    table["split"] = _words(Split, run.column("galaxy_map_assignments", "split")[rows])
    for name in ("n_baxel", "n_patch", "patch_spread"):
        table[name] = run.column("fingerprints", name)[rows]
    return table


def _check_size(n: int, what: str) -> None:
    if n > MOST_DOWNLOADED:
        raise OutputError(
            f"{n:,} {what} are selected, and a table here has at most {MOST_DOWNLOADED:,} rows: select fewer nodes, or read all "
            "with the Python lines below."
        )


def _add_places(table: Table, places: NodePlaces, node: np.ndarray) -> None:
    table["node"], table["column"], table["row"] = node, places.column[node] + 1, places.row[node] + 1


def _add_labels(table: Table, run: ExploredRun, rows: np.ndarray) -> None:
    for name, (unit, _) in LABEL.items():
        table[name] = measured(_some(run, "labels", name, rows), unit)
        table[f"{name}_err"] = measured(_some(run, "labels", f"{name}_err", rows), error_unit(unit))
        table[f"{name}_flag"] = _some(run, "labels", f"{name}_flag", rows)


def _some(run: ExploredRun, kind: str, name: str, rows: np.ndarray) -> np.ndarray:
    """Rows of a dataset, shape (n,): all from the first to the last are read at once, and none are kept.

    A column of a survey takes milliseconds; some forty of them kept would take hundreds of megabytes.
    """
    if not rows.size:
        return run.rows(kind, name, slice(0, 0))
    first = int(rows.min())
    return run.rows(kind, name, slice(first, int(rows.max()) + 1))[rows - first]


def _label_rows(run: ExploredRun, galaxy: np.ndarray, baxel: np.ndarray) -> np.ndarray:
    """Rows of the table of labels of some assigned baxels, shape (n,)."""

    def first_rows() -> np.ndarray:
        size = run.column("labels", "n_baxel_of_galaxy")
        start = dict(zip(run.column("labels", "plateifu").tolist(), np.cumsum(size) - size, strict=True))
        names = run.column("desom_assignments", "plateifu").tolist()
        unknown = [name for name in names if name not in start]
        if unknown:
            raise ArtefactError(
                f"{run.path('labels')} lacks {unknown[0]}, which {run.path('desom_assignments')} has: run the workflow again."
            )
        return np.array([start[name] for name in names], int)

    return run.kept("label_row_of_mapped_galaxy", first_rows)[galaxy] + baxel


def _words(codes: type[Code], values: np.ndarray) -> Column:
    """Codes by name, shape (n,)."""
    words = np.array([code.word for code in codes])
    return Column(words[np.searchsorted([int(code) for code in codes], values)], dtype=str)
