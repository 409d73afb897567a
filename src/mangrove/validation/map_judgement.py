"""The judgement of a run's map of spectra by its test galaxies: artefact 'desom_quality' and two tables."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mangrove.analysis import map_quality
from mangrove.analysis.mapped_baxels import MappedBaxels, label_values, read_mapped
from mangrove.analysis.node_labels import NodeLabels, read_node_labels
from mangrove.codes import Split
from mangrove.data_model import LABEL
from mangrove.data_model_attributes import MAP_QUALITY
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.training.model_folder import reason_if_empty
from mangrove.validation.comparison import spearman
from mangrove.validation.map_baselines import (
    Samples,
    best_component_rho,
    cluster_rho,
    components_of_reconstruction,
    reconstruction_errors,
)
from mangrove.validation.map_calibration import COVERAGE_LIMITS, WIDTH_LIMITS, calibration
from mangrove.validation.map_limits import MeasureRow, measure_row, verdict
from mangrove.validation.map_spectra import latents, read_spectra

log = logging.getLogger(__name__)

#: What the map as such must reach: (at least, at most).
MAP_LIMITS = {"topographic_error_8": (np.nan, 0.15), "occupation_entropy": (0.9, np.nan), "n_empty": (np.nan, 0.0)}
#: Value of a whole number that is not known.
_UNKNOWN = -9999
_N_PIT = 10


class MapJudgement(NamedTuple):
    """What the rule writes.

    Attributes
    ----------
    data : dict of ndarray
        Datasets of the artefact 'desom_quality'.
    attrs : dict
        Its attributes.
    labels : list of dict
        Rows of the table of labels.
    measures : list of MeasureRow
        Rows of the table of the map.
    """

    data: dict[str, np.ndarray]
    attrs: dict[str, Any]
    labels: list[dict]
    measures: list[MeasureRow]


class LabelMeasures(NamedTuple):
    """Measures of a label on the map, beside :class:`mangrove.validation.map_calibration.Calibration`.

    Attributes
    ----------
    rho_of_compared : float
        Spearman's rho of labels and node medians of the test spectra that are compared with the clusters.
    rho_kmeans_latent, rho_kmeans_pca : float
        The same with the medians of k-means clusters of latents, and of the best whitened components.
    rho_train_test : float
        Of the medians of training and test set over the nodes, without pooled neighbours.
    morans_i : float
        Of the medians of the training set, without pooled neighbours.
    """

    rho_of_compared: float
    rho_kmeans_latent: float
    rho_kmeans_pca: float
    rho_train_test: float
    morans_i: float


def judge_map(inputs, seed: int) -> MapJudgement:
    """Judge the map of a run.

    Parameters
    ----------
    inputs : object
        With the rule's files as attributes: description (of the model), training_spectra, assignments, labels,
        node_labels.
    seed : int
        Of clusters and components.

    Raises
    ------
    ArtefactError, ModelError
        If an input is missing, damaged or of another kind.
    """
    folder = Path(inputs.description).parent
    reason = reason_if_empty(folder)
    if reason:
        return _nothing(reason)
    model = MapModel.load(folder, DESOM)
    mapped, nodes = read_mapped(inputs.assignments), read_node_labels(inputs.node_labels)
    labels = label_values(inputs.labels, mapped)
    spectra = Samples(*(read_spectra(inputs.training_spectra, mapped, split) for split in Split))
    found = Samples(*(latents(model, one.flux) for one in spectra))
    baselines = _baseline_rho(spectra, found, np.column_stack(list(labels.values())), model.grid.n_node, seed)
    test = mapped.of_split(Split.TEST)
    of_test = {name: getattr(mapped, name)[test] for name in ("node", "second_node", "distance", "mse")}
    trained = np.bincount(mapped.node[mapped.of_split(Split.TRAIN)], minlength=model.grid.n_node)
    on_map = mapped.node[spectra.test.row], trained, model.grid.columns
    attrs = map_quality.map_measures(of_test, found.test, *on_map)
    numbers, errors = pca_errors(spectra, found.test.shape[1], seed)
    rows, data = _label_rows(mapped, nodes, labels, baselines, spectra.test.row, model.grid.columns)
    data |= {"pca_component": np.array(numbers), "pca_mse": errors}
    attrs["mse_of_compared"] = _mean(mapped.mse[spectra.test.row])
    about = {"rows": model.grid.rows, "columns": model.grid.columns, "status": "ok", "reason": ""}
    measures = [
        *_map_rows(attrs, _counts(mapped, test)),
        *_reconstruction_rows(attrs["mse_of_compared"], numbers, errors, _counts(mapped, spectra.test.row)),
        measure_row(
            "number of whitened components whose clusters are the best",
            "validation set",
            baselines.n_component,
            _counts(mapped, spectra.validation.row),
        ),
    ]
    return MapJudgement(data, attrs | about, rows, measures)


def pca_errors(spectra: Samples, n_latent: int, seed: int) -> tuple[list[int], np.ndarray]:
    """Numbers of components, that of the latents among them, and the mean square errors of test spectra by them.

    Bins that are masked do not count.
    """
    components, numbers = components_of_reconstruction(spectra.train.flux, n_latent, seed)
    test = spectra.test
    errors = reconstruction_errors(components, numbers, test.flux, test.flux, test.mask)
    return numbers, errors.mean(axis=0) if len(errors) else np.full(len(numbers), np.nan)


class BaselineRho(NamedTuple):
    """Spearman's rho of clusters on the test set, shape (n_label,), of latents and of so many components."""

    latent: np.ndarray
    components: np.ndarray
    n_component: int


def _baseline_rho(spectra: Samples, found: Samples, labels: np.ndarray, n_node: int, seed: int) -> BaselineRho:
    of_spectra = Samples(*(labels[one.row] for one in spectra))
    _, latent = cluster_rho(found, of_spectra, n_node, seed)
    flux = Samples(*(one.flux for one in spectra))
    number, components = best_component_rho(flux, of_spectra, n_node, seed)
    return BaselineRho(latent, components, number)


def _label_rows(
    mapped: MappedBaxels,
    nodes: NodeLabels,
    labels: Mapping[str, np.ndarray],
    baselines: BaselineRho,
    compared: np.ndarray,
    columns: int,
) -> tuple[list[dict], dict[str, np.ndarray]]:
    """Rows of the table of labels, and the datasets of the artefact that are by label.

    Rows ``compared``, shape (n_compared,), of the test set are those of the baselines.
    """
    test, rows, pits = mapped.of_split(Split.TEST), [], []
    for j, (name, values) in enumerate(labels.items()):
        found = calibration(nodes, name, mapped.node[test], values[test], mapped.object[test])
        beside = LabelMeasures(
            rho_of_compared=spearman(nodes.median[mapped.node[compared], j], values[compared]),
            rho_kmeans_latent=baselines.latent[j],
            rho_kmeans_pca=baselines.components[j],
            rho_train_test=spearman(nodes.own_median[:, j], nodes.test_median[:, j]),
            morans_i=map_quality.morans_i(nodes.own_median[:, j], columns),
        )
        log.info("%s: rho %.3f, coverage %.3f, width %.3f", name, found.rho, found.coverage, found.width)
        limits = [(found.coverage, *COVERAGE_LIMITS), (found.width, np.nan, WIDTH_LIMITS.get(name, np.nan))]
        judged = verdict(limits if name in WIDTH_LIMITS else [], found.n, found.n_galaxy)
        measures = {key: value for key, value in found._asdict().items() if key != "pit"} | beside._asdict()
        rows.append({"label": name, "unit": LABEL[name][0]} | measures | {"holds": judged})
        pits.append(found.pit)
    stored = ("n", "rho", *LabelMeasures._fields, "bias", "scatter", "coverage", "width")
    data = {name: np.array([row[name] for row in rows]) for name in stored}
    return rows, data | {"label": np.array(list(labels), dtype=str), "pit": np.array(pits)}


def _map_rows(attrs: Mapping, counts: tuple[int, int]) -> list[MeasureRow]:
    return [measure_row(name, "", attrs[name], counts, *MAP_LIMITS.get(name, ())) for name in MAP_QUALITY]


def _reconstruction_rows(mse: float, numbers, errors, counts: tuple[int, int]) -> list[MeasureRow]:
    """Errors of reconstruction by the network and by principal components, of the same spectra."""
    return [measure_row("mse, same spectra as the components", "", mse, counts)] + [
        measure_row("mse of principal components", f"{n} components", error, counts)
        for n, error in zip(numbers, errors, strict=True)
    ]


def _counts(mapped: MappedBaxels, rows: np.ndarray) -> tuple[int, int]:
    """Baxels and galaxies."""
    return rows.size, np.unique(mapped.object[rows]).size


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _nothing(reason: str) -> MapJudgement:
    data = dict.fromkeys((*LabelMeasures._fields, "n", "rho", "bias", "scatter", "coverage", "width"), np.empty(0))
    data |= {
        "label": np.empty(0, "U1"),
        "pit": np.empty((0, _N_PIT)),
        "pca_component": np.empty(0),
        "pca_mse": np.empty(0),
    }
    attrs = dict.fromkeys((*MAP_QUALITY, "mse_of_compared"), np.nan) | {"n_empty": _UNKNOWN, "rows": 0, "columns": 0}
    return MapJudgement(data, attrs | {"status": "empty", "reason": reason}, [], [])
