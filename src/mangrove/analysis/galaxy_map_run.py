"""The galaxies of a run on their map: from fingerprints, model and sample sheet to the artefacts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.analysis import galaxy_map, map_quality
from mangrove.analysis.hubble_types import hubble_class
from mangrove.analysis.typicality import QUANTILE_LEVELS, typicality
from mangrove.artefacts import Artefact
from mangrove.codes import Split
from mangrove.data_model_attributes import MAP_QUALITY
from mangrove.models.desom.assignment import Assignment, assign
from mangrove.models.desom.model import GALAXY_MAP, MapModel
from mangrove.models.training import model_folder
from mangrove.survey.sample import rows_of
from mangrove.survey.target import MISSING

#: Datasets of 'fingerprints' that the map is made from.
_DATASETS = ["plateifu", "mangaid", "split", "normalised"]


class GalaxiesOnMap(NamedTuple):
    """The datasets of both artefacts, the grid, and the measures of the map (attributes)."""

    assignments: dict[str, np.ndarray]
    map: dict[str, np.ndarray]
    grid: dict[str, int]
    quality: dict[str, float]


def assign_run(inputs, outputs, params: Mapping[str, Any]) -> None:
    """Write the artefacts 'galaxy_map_assignments' and 'galaxy_map' of a run; empty ones where there is no model.

    Parameters
    ----------
    inputs, outputs : object
        With the rule's files as attributes: fingerprints, description, arrays, sheet; assignments, map.
    params : mapping
        own_files: whether survey.source is files; catalogue: hash of the values that the sheet has for these galaxies.

    Raises
    ------
    ArtefactError, ModelError, SampleError
        If one of the inputs is missing, damaged or of another kind.
    """
    prints = artefacts.read(inputs.fingerprints, "fingerprints", _DATASETS)
    folder = Path(inputs.description).parent
    reason = model_folder.reason_if_empty(folder)
    if reason:
        made = without_model(prints)
    else:
        catalogue = read_catalogue(inputs.sheet, prints["plateifu"].tolist(), params["own_files"])
        made = with_model(MapModel.load(folder, GALAXY_MAP), prints, catalogue)
    attrs = made.grid | {"status": "empty" if reason else "ok", "reason": reason}
    # The sheet has other columns too: a hash of those that are used is among the params.
    files = [inputs.fingerprints, inputs.description, inputs.arrays]
    for path, kind, data, own in (
        (outputs.assignments, "galaxy_map_assignments", made.assignments, {}),
        (outputs.map, "galaxy_map", made.map, made.quality),
    ):
        artefacts.write(path, kind, data, artefacts.provenance(path, params, files), attrs | own)


def with_model(model: MapModel, prints: Artefact, catalogue: galaxy_map.Catalogue) -> GalaxiesOnMap:
    """What a trained map says of galaxies with fingerprints and catalogue values."""
    some = prints["normalised"].any(axis=1)
    placed = spread_out(assign(model, _images(prints, some)), some)
    train = placed["distance"][(prints["split"] == Split.TRAIN) & some]
    placed["typicality"] = typicality(placed["distance"], train)
    node, n_node = placed["node"], model.grid.n_node
    row, column = model.grid.positions().T
    nodes = {
        "node_row": row,
        "node_column": column,
        "prototype_latent": model.prototypes,
        "prototype_fingerprint": model.decode(model.prototypes).reshape(n_node, -1),
        "n_galaxy": galaxy_map.counts_by_split(node, prints["split"], n_node),
        "example": galaxy_map.nearest_to_prototypes(prints["plateifu"], node, placed["distance"], n_node),
        **galaxy_map.catalogue_by_node(catalogue, node, n_node),
        "quantile": QUANTILE_LEVELS,
        "distance_quantile": np.quantile(train, QUANTILE_LEVELS),
    }
    repeats = galaxy_map.repeat_pairs(prints["mangaid"], node, model.grid.columns)
    quality = measures(model, prints, placed, nodes["n_galaxy"])
    grid = {"rows": model.grid.rows, "columns": model.grid.columns}
    return GalaxiesOnMap(_assignments(prints, placed, repeats), nodes, grid, quality)


def measures(
    model: MapModel, prints: Artefact, placed: Mapping[str, np.ndarray], n_galaxy: np.ndarray
) -> dict[str, float]:
    """The measures of the map on the test galaxies that have a node.

    Parameters
    ----------
    placed : mapping of str to ndarray
        See :func:`spread_out`.
    n_galaxy : ndarray of int, shape (n_node, n_split)
    """
    test = (prints["split"] == Split.TEST) & (placed["node"] >= 0)
    own = {name: values[test] for name, values in placed.items()}
    latent = model.som_space(model.encode(_images(prints, test))) if test.any() else model.prototypes[:0]
    return map_quality.map_measures(own, latent, own["node"], n_galaxy[:, Split.TRAIN], model.grid.columns)


def without_model(prints: Artefact) -> GalaxiesOnMap:
    """The same where nothing was trained: galaxies without nodes, and a map without any."""
    placed = spread_out(Assignment(*(np.empty(0) for _ in Assignment._fields)), np.zeros(len(prints["split"]), bool))
    placed["typicality"] = placed["distance"]
    repeats = galaxy_map.repeat_pairs(prints["mangaid"], placed["node"], 1)
    nobody, no_node = np.empty(0), np.empty(0, int)
    nodes = {
        "node_row": no_node,
        "node_column": no_node,
        "prototype_latent": np.empty((0, 0)),
        "prototype_fingerprint": np.empty((0, prints["normalised"].shape[1])),
        "n_galaxy": galaxy_map.counts_by_split(no_node, no_node, 0),
        "example": np.empty(0, "U1"),
        **galaxy_map.catalogue_by_node(galaxy_map.Catalogue(nobody.astype(str), nobody, nobody), no_node, 0),
        "quantile": QUANTILE_LEVELS,
        "distance_quantile": np.full(len(QUANTILE_LEVELS), np.nan),
    }
    quality = {name: int(MISSING) if spec.dtype == "i8" else float("nan") for name, spec in MAP_QUALITY.items()}
    return GalaxiesOnMap(_assignments(prints, placed, repeats), nodes, {"rows": 0, "columns": 0}, quality)


def spread_out(found: Assignment, some: np.ndarray) -> dict[str, np.ndarray]:
    """Assignments of some galaxies as datasets of all, shape (n_galaxy,): -1 or NaN for those without.

    Parameters
    ----------
    found : Assignment
        Of the galaxies where ``some`` is true, in their order.
    some : ndarray of bool, shape (n_galaxy,)
    """
    placed = {}
    for name, values in found._asdict().items():
        whole = name in ("node", "second_node")
        placed[name] = np.full(some.shape, -1, np.int32) if whole else np.full(some.shape, np.nan, np.float32)
        placed[name][some] = values
    return placed


def read_catalogue(sheet, plateifu: list[str], own_files: bool) -> galaxy_map.Catalogue:
    """Hubble classes and Sersic fits of galaxies, from the sample sheet of the run.

    Parameters
    ----------
    sheet : path-like
    plateifu : list of str
        Galaxies of the sheet.
    own_files : bool
        Whether survey.source is files, see :func:`mangrove.survey.sample.parse_sheet`.

    Raises
    ------
    SampleError
        If the sheet is wrong, or does not list one of them.
    """
    galaxies = rows_of(sheet, plateifu, own_files)
    numbers = {name: np.array([getattr(g, name) for g in galaxies], float) for name in ("sersic_n", "sersic_ba")}
    hubble = np.array([hubble_class(g.morphology) for g in galaxies], dtype="U3")
    return galaxy_map.Catalogue(hubble, **{name: np.where(v == MISSING, np.nan, v) for name, v in numbers.items()})


def _images(prints: Artefact, chosen: np.ndarray) -> np.ndarray:
    """Fingerprints of chosen galaxies, shape (n, rows, columns)."""
    return prints["normalised"][chosen].reshape(-1, prints.attrs["rows"], prints.attrs["columns"])


def _assignments(prints: Artefact, placed: dict, repeats: galaxy_map.RepeatPairs) -> dict[str, np.ndarray]:
    names = {name: prints[name] for name in ("plateifu", "mangaid", "split")}
    pairs = {f"repeat_{name}": values for name, values in repeats._asdict().items()}
    return names | placed | pairs
