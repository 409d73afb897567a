"""The maps of a run: each training as one resumable step, from the run's artefact to the model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mangrove import artefacts
from mangrove.models.desom.model import DESOM, GALAXY_MAP
from mangrove.models.desom.settings import MapTraining, fingerprint_design, spectrum_design
from mangrove.models.desom.training import scarcity, train_map
from mangrove.models.desom.training_set import TrainingSet
from mangrove.models.training.resumable import train_or_give_reason


def train_spectra(path, params: Mapping[str, Any], folder: Path, metrics: Path) -> None:
    """Train the map of spectra of a run; what a killed training left in ``checkpoints`` beside ``folder`` is taken up.

    Parameters
    ----------
    path : path-like
        The artefact 'training_spectra'.
    params : mapping
        Those of the rule, plain values; see :meth:`mangrove.models.desom.settings.MapTraining.from_params`.
    folder : Path
        Model folder to write; without a model, and with the reason, where there is too little to train on.
    metrics : Path
        File of the losses by epoch (JSON lines) to write.

    Raises
    ------
    ArtefactError
        If the artefact is missing, damaged or of another kind.
    TrainingError
        If spectra are not finite, or the training fails.
    """
    data = TrainingSet.of_spectra(path)
    design = spectrum_design(params, data.flux.shape[-1])
    _train(DESOM, design, data, "no spectrum to train on passed the cuts", path, params, folder, metrics)


def train_galaxies(path, params: Mapping[str, Any], folder: Path, metrics: Path) -> None:
    """Train the map of galaxies of a run on the artefact 'fingerprints'; else as :func:`train_spectra`."""
    data = TrainingSet.of_fingerprints(path)
    design = fingerprint_design(params, data.flux.shape[1:])
    _train(GALAXY_MAP, design, data, "no galaxy to train on has a fingerprint", path, params, folder, metrics)


def _train(kind, design, data: TrainingSet, without: str, path, params, folder: Path, metrics: Path) -> None:
    """Train and publish; where there is too little to train on, a folder that gives the reason (``without``: no row)."""
    made_from = {"data": artefacts.input_hash(path), "params": dict(params)}
    reason = scarcity(kind, design, data) if data.rows.n_row else without

    def train(work: Path) -> None:
        train_map(kind, design, MapTraining.from_params(params), data, work, {"made_from": made_from})

    train_or_give_reason(train, reason, made_from, folder, metrics)
