"""The emulator of a run: its training as one resumable step, from the run's table to the model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mangrove import artefacts
from mangrove.models.emulator.line_table import read_stored
from mangrove.models.emulator.training import EmulatorSettings, train_emulator, trainable
from mangrove.models.training.resumable import train_or_give_reason


def train_run(table_path, params: Mapping[str, Any], folder: Path, metrics: Path) -> None:
    """Train on the table of a run; what a killed training left in ``checkpoints`` beside ``folder`` is taken up again.

    Parameters
    ----------
    table_path : path-like
        The artefact 'emulator_table'.
    params : mapping
        Those of the rule, plain values; see :meth:`mangrove.models.emulator.training.EmulatorSettings.from_params`.
    folder : Path
        Model folder to write; without a model, and with the reason, where the table is too small.
    metrics : Path
        File of the losses by epoch (JSON lines) to write.

    Raises
    ------
    ArtefactError
        If the table is missing, damaged or of another kind.
    TrainingError
        If the training fails.
    """
    stored = read_stored(table_path)
    made_from = {"table": artefacts.input_hash(table_path), "params": dict(params)}
    table, reason = trainable(stored.table, stored.split)

    def train(work: Path) -> None:
        settings = EmulatorSettings.from_params(params, stored.table)
        train_emulator(table, stored.split, settings, work, {"made_from": made_from})

    train_or_give_reason(train, reason, made_from, folder, metrics)
