"""The map of spectra of a simulated survey against the truth of its baxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import MappedBaxels, label_values, read_mapped
from mangrove.analysis.node_distributions import group_medians
from mangrove.analysis.node_labels import NodeLabels, read_node_labels
from mangrove.codes import Split
from mangrove.data_model import LABEL
from mangrove.models.desom.model import DESOM, MapModel
from mangrove.models.training.model_folder import reason_if_empty
from mangrove.validation.baxel_truth import EXTRACT_DATASETS
from mangrove.validation.comparison import spearman
from mangrove.validation.map_baselines import Samples, best_component_rho, cluster_rho
from mangrove.validation.map_calibration import COVERAGE_LIMITS, WIDTH_LIMITS, calibration
from mangrove.validation.map_limits import MeasureRow, measure_row
from mangrove.validation.map_reconstruction import reconstruction_rows
from mangrove.validation.map_spectra import latents, read_spectra
from mangrove.validation.true_labels import TRUTH_DATASETS, true_labels

#: What the map must reach: Spearman's rho of true labels with the median of their nodes, and that over the rho of k-means
#: clusters of the best principal components.
RHO_LIMITS = {"log_age_lw": 0.9, "log_ml_r": 0.9, "log_ssfr": 0.85}
LEAST_OF_COMPONENTS = 0.97


def compare_map(inputs, params: Mapping[str, Any]) -> list[MeasureRow]:
    """Rows of the table of a run; none where nothing was trained.

    Parameters
    ----------
    inputs : object
        With the rule's files as attributes: description (of the model), training_spectra, assignments, labels,
        node_labels, extracts, truths.
    params : mapping
        Those of the rule: seed; noiseless, whether spectra without noise can be made, and if so what made the training
        spectra (:func:`mangrove.validation.noiseless_rows.noiseless_rows`).

    Raises
    ------
    ArtefactError, ModelError
        If an input is missing, damaged or of another kind.
    """
    folder = Path(inputs.description).parent
    if reason_if_empty(folder):
        return []
    model = MapModel.load(folder, DESOM)
    mapped, nodes = read_mapped(inputs.assignments), read_node_labels(inputs.node_labels)
    true = true_values(mapped, inputs.extracts, inputs.truths)
    spectra = Samples(*(read_spectra(inputs.training_spectra, mapped, split) for split in Split))
    rows = order_rows(mapped, true, spectra, model, params["seed"])
    fitted = label_values(inputs.labels, mapped)
    for name in LABEL:
        rows += calibration_rows(mapped, nodes, name, {"true": true[name], "fitted": fitted[name]})
    if params["noiseless"]:
        rows += reconstruction_rows(model, mapped, spectra, inputs.extracts, params)
    return rows


def true_values(mapped: MappedBaxels, extracts: Sequence, truths: Sequence) -> dict[str, np.ndarray]:
    """True labels of the baxels by name, shape (n,); NaN where there is none.

    Parameters
    ----------
    extracts, truths : sequence of path-like
        Artefacts 'extract' and 'truth', named after their galaxies.
    """
    values = {name: np.full(mapped.galaxy.size, np.nan) for name in LABEL}
    truth_of = {Path(path).stem: path for path in truths}
    for path in extracts:
        rows = np.flatnonzero(mapped.plateifu[mapped.galaxy] == Path(path).stem)
        if not rows.size:
            continue
        extract = artefacts.read(path, "extract", EXTRACT_DATASETS)
        truth = artefacts.read(truth_of[Path(path).stem], "truth", TRUTH_DATASETS)
        found = true_labels(extract, truth, extract.attrs["z"], extract.attrs["pixel_scale"])
        for name in LABEL:
            one = np.asarray(found[name], float)[mapped.baxel[rows]]
            values[name][rows] = np.where(np.isfinite(one), one, np.nan)
    return values


def order_rows(
    mapped: MappedBaxels, true: Mapping[str, np.ndarray], spectra: Samples, model: MapModel, seed: int
) -> list[MeasureRow]:
    """Spearman's rho of the true labels of test spectra with true medians: of nodes, and of clusters.

    Medians, clusters and components are those of one set of training spectra.
    """
    labels = np.column_stack([true[name] for name in LABEL])
    of_spectra = Samples(*(labels[one.row] for one in spectra))
    found = Samples(*(latents(model, one.flux) for one in spectra))
    _, of_latents = cluster_rho(found, of_spectra, model.grid.n_node, seed)
    flux = Samples(*(one.flux for one in spectra))
    number, of_components = best_component_rho(flux, of_spectra, model.grid.n_node, seed)
    rows = []
    for j, name in enumerate(LABEL):
        medians = group_medians(mapped.node[spectra.train.row], of_spectra.train[:, j], model.grid.n_node)
        rho = spearman(medians[mapped.node[spectra.test.row]], of_spectra.test[:, j])
        counts = _counts(mapped, spectra.test.row[np.isfinite(of_spectra.test[:, j])])
        least = RHO_LIMITS.get(name, np.nan)
        part = LEAST_OF_COMPONENTS if name in RHO_LIMITS else np.nan
        clusters = f"k-means clusters of the best whitened components ({number})"
        rows += [
            measure_row("rho of truth and true median of the node", name, rho, counts, least),
            measure_row("rho of truth and true median of k-means clusters of the latents", name, of_latents[j], counts),
            measure_row(f"rho of truth and true median of {clusters}", name, of_components[j], counts),
            measure_row(
                "rho of the nodes over that of the best components", name, rho / of_components[j], counts, part
            ),
        ]
    return rows


def calibration_rows(
    mapped: MappedBaxels, nodes: NodeLabels, label: str, values: Mapping[str, np.ndarray]
) -> list[MeasureRow]:
    """How the distributions of a label on the nodes, of fitted labels, hold labels of the test galaxies.

    Parameters
    ----------
    values : mapping of str to ndarray, shape (n,)
        True and fitted labels, by the word for them.
    """
    test, rows = mapped.of_split(Split.TEST), []
    limits = COVERAGE_LIMITS if label in WIDTH_LIMITS else ()
    for what, one in values.items():
        found = calibration(nodes, label, mapped.node[test], one[test], mapped.object[test])
        counts = found.n, found.n_galaxy
        rows += [
            measure_row(f"rho of {what} label and fitted median of the node", label, found.rho, counts),
            measure_row(f"fitted median of the node minus {what} label: median", label, found.bias, counts),
            measure_row(f"fitted median of the node minus {what} label: scatter", label, found.scatter, counts),
            measure_row(f"part of the {what} labels in the 16-84 % interval", label, found.coverage, counts, *limits),
            measure_row(
                f"width of that interval at {what} labels over that of the sample",
                label,
                found.width,
                counts,
                at_most=WIDTH_LIMITS.get(label, np.nan),
            ),
        ]
    return rows


def _counts(mapped: MappedBaxels, rows: np.ndarray) -> tuple[int, int]:
    return rows.size, np.unique(mapped.object[rows]).size
