"""Fingerprints of a run's galaxies, and which galaxies are alike."""

from pathlib import Path

import numpy as np
import xarray as xr
from astropy.table import Table

from mangrove import artefacts
from mangrove.analysis.fingerprints import overlap
from mangrove.analysis.galaxy_map import node_steps
from mangrove.artefacts import Artefact
from mangrove.data_model_desom import FINGERPRINTS, GALAXY_MAP_ASSIGNMENTS
from mangrove.errors import ArtefactError

_VARIABLES = ("counts", "weight", "normalised", "mean_radius")
_NUMBERS = ("n_baxel", "n_patch", "patch_spread")


def read_fingerprint(folder: Path, plateifu: str) -> xr.Dataset:
    """The fingerprint of a galaxy of a run over (row, column) of the map of spectra, both from 1.

    Parameters
    ----------
    folder : Path
        results/RUN.
    plateifu : str

    Raises
    ------
    ArtefactError
        If the run has no fingerprints, or the galaxy is not in the sample of its maps.
    """
    path, fields = folder / FINGERPRINTS.path, FINGERPRINTS.fields
    found = _ok(artefacts.read(path, "fingerprints", ["plateifu"]))
    galaxy = _index(found, plateifu)
    rows, columns = found.attrs["rows"], found.attrs["columns"]
    # Of its row alone: those of a survey take hundreds of megabytes.
    with artefacts.opened(path, "fingerprints") as file:
        of_galaxy = {name: file[name][galaxy] for name in (*_VARIABLES, *_NUMBERS)}
    values = {
        name: (("row", "column"), of_galaxy[name].reshape(rows, columns), {"long_name": fields[name].meaning})
        for name in _VARIABLES
    }
    numbers = {name: of_galaxy[name].item() for name in _NUMBERS}
    coordinates = {"row": np.arange(1, rows + 1), "column": np.arange(1, columns + 1)}
    return xr.Dataset(values, coordinates, {"plateifu": plateifu, **numbers})


def galaxies_alike(folder: Path, plateifu: str, n: int) -> Table:
    """The galaxies of a run nearest to one of them on the map of galaxies.

    Parameters
    ----------
    folder : Path
        results/RUN.
    plateifu : str
    n : int
        At most so many.

    Returns
    -------
    Table
        plateifu, mangaid; column and row of the node, from 1; steps to it on the map (a diagonal one counts as one);
        overlap, the part of the baxels that the two fingerprints share. By steps, of the same number by overlap.

    Raises
    ------
    ArtefactError
        If the run has no map of galaxies, or the galaxy is not in its sample or has no node.
    """
    columns_of_nodes = ["plateifu", "mangaid", "node"]
    assigned = _ok(artefacts.read(folder / GALAXY_MAP_ASSIGNMENTS.path, "galaxy_map_assignments", columns_of_nodes))
    galaxy = _index(assigned, plateifu)
    node, columns = assigned["node"], assigned.attrs["columns"]
    if node[galaxy] < 0:
        raise ArtefactError(f"{plateifu} has no fingerprint to compare, so no node.")
    others = np.flatnonzero((node >= 0) & (np.arange(node.size) != galaxy))
    steps = node_steps(node[others], node[galaxy], columns)
    # Fingerprints are read of those that may be among the nearest alone.
    near = steps <= np.sort(steps)[:n].max(initial=-1)
    others, steps = others[near], steps[near]
    with artefacts.opened(folder / FINGERPRINTS.path, "fingerprints") as file:
        own, counts = file["counts"][galaxy], file["counts"][others]
    shared = np.array([overlap(own, of_other) for of_other in counts])
    nearest = np.lexsort((-shared, steps))[:n]
    row, column = divmod(node[others[nearest]], columns)
    found = {name: assigned[name][others[nearest]] for name in ("plateifu", "mangaid")}
    return Table(found | {"column": column + 1, "row": row + 1, "steps": steps[nearest], "overlap": shared[nearest]})


def _index(found: Artefact, plateifu: str) -> int:
    index = np.flatnonzero(found["plateifu"] == plateifu)
    if not index.size:
        raise ArtefactError(f"{plateifu} is not in the sample of the maps (column desom of the sample sheet).")
    return int(index[0])


def _ok(found: Artefact) -> Artefact:
    if not found.ok:
        raise ArtefactError(f"the run has no map of galaxies: {found.attrs['reason']}.")
    return found
