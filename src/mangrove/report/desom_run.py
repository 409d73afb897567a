"""All figures of a run's map of spectra, from what its rules wrote."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.analysis.mapped_baxels import label_values, read_mapped
from mangrove.artefacts import Artefact
from mangrove.models.training.metrics import read_metrics
from mangrove.report import desom_labels, desom_pairs, desom_quality, desom_spectra
from mangrove.report.desom_fingerprint import fingerprint_figure
from mangrove.report.drawing import noted
from mangrove.report.map_training import Cooling, training_figure

#: Kinds of the artefacts by the names of the rule's inputs.
_KINDS = {
    "assignments": "desom_assignments",
    "map": "desom_map",
    "node_labels": "node_labels",
    "quality": "desom_quality",
    "template_labels": "template_labels",
    "fingerprints": "fingerprints",
}
#: Datasets that are read of those with a row for every baxel.
_ONLY = {"assignments": ["plateifu", "galaxy", "baxel", "split", "cut", "snr", "node", "typicality"]}


def run_figures(paths, params: Mapping[str, Any]) -> dict[str, Callable[[], Figure]]:
    """Functions that draw the figures of a run's map of spectra, by name; where something is missing, they say why.

    Parameters
    ----------
    paths : object
        With the artefacts of the rule's inputs and ``metrics`` (JSON lines) as attributes.
    params : mapping
        gamma, temperature_start, temperature_end, cooling_iterations, pretraining.

    Raises
    ------
    ArtefactError
        If one of them is missing or damaged.
    """
    read = cache(lambda name: artefacts.read(getattr(paths, name), _KINDS[name], _ONLY.get(name)))
    mapped = cache(lambda: read_mapped(paths.assignments))
    drawn: dict[str, tuple[Callable[..., Figure], list[str]]] = {
        "prototypes": (desom_spectra.prototypes_figure, ["map"]),
        "templates": (desom_spectra.templates_figure, ["map", "node_labels"]),
        "occupation": (desom_quality.occupation_figure, ["map", "quality"]),
        "labels": (desom_labels.labels_figure, ["node_labels"]),
        "train_test": (desom_labels.train_test_figure, ["node_labels", "quality"]),
        "pairs": (desom_pairs.pairs_figure, ["map", "node_labels"]),
        "samples": (
            lambda *given: desom_spectra.samples_figure(paths.training_spectra, *given),
            ["assignments", "map", "node_labels"],
        ),
        "calibration": (
            lambda *given: desom_quality.calibration_figure(mapped(), label_values(paths.labels, mapped()), *given),
            ["node_labels", "quality"],
        ),
        "reconstruction": (
            lambda *given: desom_quality.reconstruction_figure(mapped(), *given),
            ["map", "quality"],
        ),
        "template_labels": (desom_labels.template_labels_figure, ["node_labels", "template_labels"]),
        "fingerprint": (fingerprint_figure, ["fingerprints"]),
        "training": (lambda _: _training(paths.metrics, params), ["map"]),
    }
    return {name: lambda make=make, of=of: _made(make, [*map(read, of)]) for name, (make, of) in drawn.items()}


def _made(make: Callable[..., Figure], given: list[Artefact]) -> Figure:
    """The figure of some artefacts; the reason of the first that has no result instead."""
    without = next((one for one in given if not one.ok), None)
    return make(*given) if without is None else noted(f"no result: {without.attrs['reason']}")


def _training(metrics: str, params: Mapping[str, Any]) -> Figure:
    names = ("temperature_start", "temperature_end", "cooling_iterations", "pretraining")
    return training_figure(read_metrics(Path(metrics)), params["gamma"], Cooling(*(params[name] for name in names)))
