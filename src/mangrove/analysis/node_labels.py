"""The labels of the training galaxies' baxels on every node of the map of spectra (artefact 'node_labels')."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import label_values, read_mapped
from mangrove.analysis.node_distributions import (
    LEVELS,
    N_BIN,
    NodeDistributions,
    galaxy_draws,
    group_medians,
    node_distributions,
)
from mangrove.codes import Split
from mangrove.data_model import LABEL
from mangrove.data_model_desom import NODE_LABELS
from mangrove.models.desom.grid import SomGrid

log = logging.getLogger(__name__)

_PER_NODE = tuple(name for name in NodeDistributions._fields if name not in ("edge", "sample_value"))


class NodeLabels(NamedTuple):
    """What the nodes say of labels.

    Attributes
    ----------
    labels : tuple of str
    median : ndarray, shape (n_node, n_label)
        Of the training set, neighbours pooled where need be.
    own_median, test_median : ndarray, shape (n_node, n_label)
        Of the training and of the test set on the node itself; NaN where none is there.
    value : ndarray, shape (n_node, n_label, n_level)
        Quantiles at ``LEVELS`` of :mod:`mangrove.analysis.node_distributions`.
    sample_value : ndarray, shape (n_label, n_level)
        Quantiles of the whole training set.
    """

    labels: tuple[str, ...]
    median: np.ndarray
    value: np.ndarray
    own_median: np.ndarray
    test_median: np.ndarray
    sample_value: np.ndarray


def map_labels(assignments_path, labels_path, params: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict]:
    """Datasets and attributes of the artefact 'node_labels'.

    Parameters
    ----------
    assignments_path, labels_path : path-like
        The artefacts 'desom_assignments' and 'labels'.
    params : mapping
        Those of the rule: min_baxels, n_bootstrap, seed.

    Raises
    ------
    ArtefactError
        If one is missing, damaged or of another kind.
    """
    with artefacts.opened(assignments_path, "desom_assignments") as f:
        about = artefacts.attributes(f)
    attrs = {name: about[name] for name in ("rows", "columns", "status", "reason", "model_hash")}
    attrs["min_baxels"] = params["min_baxels"]
    grid = SomGrid(about["rows"], about["columns"])
    if attrs["status"] != "ok":
        return _datasets(grid, {}), attrs
    mapped = read_mapped(assignments_path)
    train, test = mapped.of_split(Split.TRAIN), mapped.of_split(Split.TEST)
    trained, of = np.unique(mapped.object[train], return_inverse=True)
    draws = galaxy_draws(trained.size, params["n_bootstrap"], params["seed"])
    found = {}
    for name, values in label_values(labels_path, mapped).items():
        node = mapped.node
        one = node_distributions(
            node[train], values[train], of, draws, grid.distances().astype(int), params["min_baxels"]
        )
        counted = np.bincount(node[test][np.isfinite(values[test])], minlength=grid.n_node)
        own, held_out = (group_medians(node[rows], values[rows], grid.n_node) for rows in (train, test))
        found[name] = one, own, held_out, counted
        log.info("%s: %d baxels, %d of %d nodes pooled", name, one.n_own.sum(), _pooled(one), grid.n_node)
    return _datasets(grid, found), attrs


def read_node_labels(path) -> NodeLabels:
    """Read the artefact 'node_labels'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    found = artefacts.read(path, "node_labels", ["label", *NodeLabels._fields[1:]])
    return NodeLabels(tuple(found["label"].tolist()), *(found[name] for name in NodeLabels._fields[1:]))


def _pooled(one: NodeDistributions) -> int:
    return int(np.sum(one.pool_radius > 0))


def _datasets(grid: SomGrid, found: Mapping) -> dict[str, np.ndarray]:
    """All datasets; without any label where nothing was assigned."""
    row, column = grid.positions().T
    data = {"node_row": row, "node_column": column, "quantile": LEVELS, "label": np.array(list(found), dtype=str)}
    data["label_unit"] = np.array([LABEL[name][0] for name in found], dtype=str)
    if not found:
        return data | _without_labels(grid.n_node)
    parts, own, held_out, counts = zip(*found.values(), strict=True)
    data |= {name: np.stack([getattr(one, name) for one in parts], axis=1) for name in _PER_NODE}
    data |= {name: np.stack([getattr(one, name) for one in parts]) for name in ("edge", "sample_value")}
    beside = {"own_median": own, "test_median": held_out, "n_test": counts}
    return data | {name: np.stack(values, axis=1) for name, values in beside.items()}


def _without_labels(n_node: int) -> dict[str, np.ndarray]:
    sizes = {"node": n_node, "label": 0, "quantile": LEVELS.size, "bin_edge": N_BIN + 1, "bin": N_BIN}
    fields = {name: field for name, field in NODE_LABELS.fields.items() if "label" in field.dims}
    return {
        name: np.empty([sizes[dim] for dim in field.dims], field.dtype)
        for name, field in fields.items()
        if field.dtype != "str"
    }
