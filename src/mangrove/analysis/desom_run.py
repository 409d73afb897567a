"""The baxels of a run on the map of spectra: from training spectra and model to the artefacts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.analysis.node_templates import NodeSums, NodeTemplates
from mangrove.analysis.typicality import QUANTILE_LEVELS, typicality
from mangrove.artefacts import Artefact
from mangrove.codes import Split, TrainingCut
from mangrove.data_model_attributes import TRAINING_SPECTRA
from mangrove.models.desom.assignment import Assignment, assign
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.training import model_folder
from mangrove.models.training.rows import StreamedRows

#: Datasets of 'training_spectra' with one value per row, candidate, galaxy or wavelength: those that fit into memory.
_DATASETS = [
    *("wave", "lsf", "snr", "galaxy", "baxel", "split", "cut", "radius_re", "plateifu", "mangaid"),
    *("candidate_galaxy", "candidate_baxel", "candidate_cut"),
]
#: Spectra in memory at a time, and as many that are read ahead; 23 kB each.
BLOCK = 4096


class SurveyOnMap(NamedTuple):
    """The datasets of both artefacts, and their attributes."""

    assignments: dict[str, np.ndarray]
    map: dict[str, np.ndarray]
    grid: dict[str, int]


def assign_run(inputs, outputs, params: Mapping[str, Any]) -> None:
    """Write the artefacts 'desom_assignments' and 'desom_map' of a run; baxels without nodes where there is no model.

    Parameters
    ----------
    inputs, outputs : object
        With the rule's files as attributes: training_spectra, description, arrays; assignments, map.
    params : mapping
        Those of the rule, for the record.

    Raises
    ------
    ArtefactError, ModelError
        If an input is missing, damaged or of another kind, or model and spectra have other wavelengths.
    """
    spectra = artefacts.read(inputs.training_spectra, "training_spectra", _DATASETS)
    folder = Path(inputs.description).parent
    reason = model_folder.reason_if_empty(folder)
    if reason:
        made = without_model(spectra)
    else:
        made = with_model(MapModel.load(folder, DESOM, spectra["wave"]), inputs.training_spectra, spectra)
    attrs = made.grid | {"status": "empty" if reason else "ok", "reason": reason}
    attrs["model_hash"] = artefacts.input_hash(inputs.arrays)
    files = [inputs.training_spectra, inputs.description, inputs.arrays]
    for path, kind, data, own in (
        (outputs.assignments, "desom_assignments", made.assignments, {}),
        (outputs.map, "desom_map", made.map, {name: spectra.attrs[name] for name in TRAINING_SPECTRA}),
    ):
        artefacts.write(path, kind, data, artefacts.provenance(path, params, files), attrs | own)


def with_model(model: MapModel, path, spectra: Artefact, block: int = BLOCK) -> SurveyOnMap:
    """What a trained map says of the spectra of an artefact, read once, a block at a time.

    Parameters
    ----------
    model : MapModel
    path : path-like
        Artefact 'training_spectra'.
    spectra : Artefact
        The same without its spectra.
    block : int
        Spectra at a time.
    """
    learnt = (spectra["cut"] == TrainingCut.KEPT) & (spectra["split"] == Split.TRAIN)
    found, templates = stream(model, path, learnt, block)
    distances = found.distance[learnt & (found.node >= 0)]
    row, column = model.grid.positions().T
    nodes = {
        "node_row": row,
        "node_column": column,
        "prototype_latent": model.prototypes,
        "prototype_flux": model.decode(model.prototypes),
        **{f"template_{name}": values for name, values in templates._asdict().items()},
        **_occupation(found.node, spectra, learnt, model.grid.n_node),
        "quantile": QUANTILE_LEVELS,
        "distance_quantile": np.quantile(distances, QUANTILE_LEVELS),
    }
    rows = found._asdict() | {"typicality": typicality(found.distance, distances)}
    grid = {"rows": model.grid.rows, "columns": model.grid.columns}
    return SurveyOnMap(of_all_baxels(spectra, rows), _with_spectra(spectra, nodes), grid)


def without_model(spectra: Artefact) -> SurveyOnMap:
    """The same where nothing was trained: baxels without nodes, and a map without any."""
    nothing, flux = np.empty(0), np.empty((0, spectra["wave"].size))
    placed = np.full(spectra["cut"].size, -1), np.full(spectra["cut"].size, np.nan)
    rows = Assignment(*placed[:1] * 2, *placed[1:] * 3)._asdict() | {"typicality": placed[1]}
    nodes = dict.fromkeys(("node_row", "node_column", "n_galaxy"), nothing)
    nodes |= dict.fromkeys(("prototype_flux", "template_flux", "template_scatter", "template_count"), flux)
    nodes |= {"prototype_latent": np.empty((0, 0)), "n_baxel": np.empty((0, len(Split)))}
    nodes |= {"quantile": QUANTILE_LEVELS, "distance_quantile": np.full(QUANTILE_LEVELS.shape, np.nan)}
    return SurveyOnMap(of_all_baxels(spectra, rows), _with_spectra(spectra, nodes), {"rows": 0, "columns": 0})


def stream(model: MapModel, path, learnt: np.ndarray, block: int) -> tuple[Assignment, NodeTemplates]:
    """Assign all spectra of an artefact and co-add those of the training set, in one pass that reads ahead.

    Parameters
    ----------
    model : MapModel
    path : path-like
        Artefact 'training_spectra'.
    learnt : ndarray of bool, shape (n,)
        The training set.
    block : int

    Returns
    -------
    Assignment
        Of all rows; node -1 and NaN for a spectrum that is not finite.
    NodeTemplates
    """
    sums, parts, start = NodeSums(model.grid.n_node, len(model.wave)), [], 0
    for read in StreamedRows(path, {"flux": "flux", "mask": "mask"}).ordered(block, dict):
        placed = _finite(assign(model, read["flux"], read["mask"]))
        end = start + placed.node.size
        sums.add(read["flux"], read["mask"], np.where(learnt[start:end], placed.node, np.int32(-1)))
        parts.append(placed)
        start = end
    return Assignment(*(np.concatenate(column) for column in zip(*parts, strict=True))), sums.templates()


def of_all_baxels(spectra: Artefact, rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The artefact 'desom_assignments': what is known of each row, for all baxels galaxy by galaxy.

    Parameters
    ----------
    spectra : Artefact
        Kind 'training_spectra'.
    rows : mapping of ndarray, shape (n_row,)
        Of each of its spectra; baxels without one get -1 where these are whole numbers, NaN elsewhere.
    """
    order = np.lexsort((spectra["candidate_baxel"], spectra["candidate_galaxy"]))
    galaxy, baxel, cut = (spectra[f"candidate_{name}"][order] for name in ("galaxy", "baxel", "cut"))
    stride = int(baxel.max(initial=0)) + 1
    place = np.searchsorted(galaxy * stride + baxel, spectra["galaxy"] * stride + spectra["baxel"])
    data = {"galaxy": galaxy, "baxel": baxel, "cut": cut, "split": split_of_galaxies(spectra)[galaxy]}
    for name, values in {**{key: spectra[key] for key in ("radius_re", "snr")}, **rows}.items():
        data[name] = np.full(galaxy.shape, -1 if values.dtype.kind == "i" else np.nan, values.dtype)
        data[name][place] = values
    return data | {name: spectra[name] for name in ("plateifu", "mangaid")}


def split_of_galaxies(spectra: Artefact) -> np.ndarray:
    """Split of each galaxy of an artefact 'training_spectra', shape (n_galaxy,), as its spectra or a repeat's have it.

    One without any spectrum counts as a test galaxy: nothing was learnt from it.
    """
    names, which = np.unique(spectra["mangaid"], return_inverse=True)
    split = np.full(names.size, Split.TEST, np.int8)
    split[which[spectra["galaxy"]]] = spectra["split"]
    return split[which]


def _finite(found: Assignment) -> Assignment:
    """The assignments; -1 and NaN for spectra that are not finite, of which the network makes no distance."""
    known = np.isfinite(found.distance)
    return Assignment(*(np.where(known, v, v.dtype.type(-1 if v.dtype.kind == "i" else np.nan)) for v in found))


def _occupation(node: np.ndarray, spectra: Artefact, learnt: np.ndarray, n_node: int) -> dict[str, np.ndarray]:
    """Baxels by node and split, of those that pass the cuts, and galaxies of the training set by node."""
    kept = (spectra["cut"] == TrainingCut.KEPT) & (node >= 0)
    cell = node[kept] * len(Split) + spectra["split"][kept]
    _, identity = np.unique(spectra["mangaid"], return_inverse=True)
    some = learnt & (node >= 0)
    pairs = np.unique(np.stack([node[some], identity[spectra["galaxy"][some]]]), axis=1)
    return {
        "n_baxel": np.bincount(cell, minlength=n_node * len(Split)).reshape(n_node, len(Split)),
        "n_galaxy": np.bincount(pairs[0], minlength=n_node),
    }


def _with_spectra(spectra: Artefact, nodes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The datasets of the artefact 'desom_map': those of the nodes, and what they share with the spectra."""
    return nodes | {name: spectra[name] for name in ("wave", "lsf")}
