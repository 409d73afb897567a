"""All figures of a run's map of spectra, from what its rules wrote."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.models.training.metrics import read_metrics
from mangrove.report import desom_labels, desom_pairs, desom_quality, desom_spectra
from mangrove.report.desom_fingerprint import fingerprint_figure
from mangrove.report.emulator_run import noted
from mangrove.report.map_training import Cooling, training_figure

#: Kind and datasets (None: all) of what is read, by the names of the rule's inputs.
_READ = {
    "assignments": (
        "desom_assignments",
        ["plateifu", "galaxy", "baxel", "split", "cut", "snr", "node", "typicality", "mse"],
    ),
    "map": ("desom_map", None),
    "node_labels": ("node_labels", None),
    "quality": ("desom_quality", None),
    "template_labels": ("template_labels", None),
    "fingerprints": ("fingerprints", None),
    "labels": (
        "labels",
        ["plateifu", "galaxy", "baxel", *desom_labels.MAIN, *(f"{name}_flag" for name in desom_labels.MAIN)],
    ),
}


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
    read = cache(lambda name: artefacts.read(getattr(paths, name), *_READ[name]))
    drawn = {
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
        "calibration": (desom_quality.calibration_figure, ["assignments", "labels", "node_labels", "quality"]),
        "reconstruction": (desom_quality.reconstruction_figure, ["assignments", "map", "quality"]),
        "template_labels": (desom_labels.template_labels_figure, ["node_labels", "template_labels"]),
        "fingerprint": (fingerprint_figure, ["fingerprints"]),
        "training": (lambda _: _training(paths.metrics, params), ["map"]),
    }
    return {
        name: lambda make=make, of=of: _made(make, [read("map"), *map(read, of)]) for name, (make, of) in drawn.items()
    }


def _made(make: Callable[..., Figure], given: list[Artefact]) -> Figure:
    """The figure of all but the first of the artefacts; the reason of the first that has no result instead."""
    without = next((one for one in given if not one.ok), None)
    return make(*given[1:]) if without is None else noted(without.attrs["reason"])


def _training(metrics: str, params: Mapping[str, Any]) -> Figure:
    names = ("temperature_start", "temperature_end", "cooling_iterations", "pretraining")
    return training_figure(read_metrics(Path(metrics)), params["gamma"], Cooling(*(params[name] for name in names)))
