"""Learning curve of the emulator: quality by number of rows to learn from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mangrove import artefacts
from mangrove.models.emulator.emulator import predict_table
from mangrove.models.emulator.line_table import LineTable, SplitRows, read_stored
from mangrove.models.emulator.training import MIN_MEASURED, EmulatorSettings, scarce_lines, train_emulator, trainable
from mangrove.models.training.resumable import work_folder
from mangrove.validation.comparison import spearman
from mangrove.validation.emulator_curve import LearningCurve, LearningPoint

log = logging.getLogger(__name__)

FRACTIONS = (0.03, 0.1, 0.3, 1.0)
#: Why there is no curve where the configuration names no fraction.
NO_CURVE = "no learning curve asked for: emulator.learning_curve is empty"
_BATCHES, _SMALLEST_BATCH = 60, 32


def run_learning_curve(table_path, params: Mapping[str, Any], place: Path) -> LearningCurve:
    """The learning curve of a run; a killed job goes on with what it left under ``place``.

    Parameters
    ----------
    table_path : path-like
        The artefact 'emulator_table'.
    params : mapping
        Those of the rule, plain values: ``learning_curve`` (fractions), and what
        :meth:`mangrove.models.emulator.training.EmulatorSettings.from_params` needs.
    place : Path
        For checkpoints: :func:`mangrove.models.training.resumable.remove` it when the result is written.

    Raises
    ------
    ArtefactError
        If the table is missing, damaged or of another kind.
    TrainingError
        If a training fails.
    """
    stored = read_stored(table_path)
    table, reason = trainable(stored.table, stored.split)
    reason = reason or ("" if params["learning_curve"] else NO_CURVE)
    if reason:
        return LearningCurve([], reason)
    settings = EmulatorSettings.from_params(params, stored.table)
    work = work_folder(place, {"table": artefacts.input_hash(table_path), "params": dict(params)})
    points = learning_curve(table, stored.split, settings, work, params["learning_curve"])
    return LearningCurve(points, "" if points else "every fraction leaves too few rows to learn from")


def learning_curve(
    table: LineTable, split: SplitRows, settings: EmulatorSettings, folder: Path, fractions: Sequence[float] = FRACTIONS
) -> list[LearningPoint]:
    """Train single networks on growing parts of the training rows; the smaller a part, the smaller its batches.

    Fractions that leave a line too few measured rows to learn from are left out.
    """
    order = np.random.default_rng(settings.seed).permutation(split.train)
    points = []
    for fraction in fractions:
        rows = np.sort(order[: max(1, round(fraction * len(order)))])
        if scarce_lines(table.lines, table.take(rows).measured):
            log.info("fraction %g left out: a line is measured in fewer than %d rows", fraction, MIN_MEASURED)
            continue
        rho, loss = _quality(table, split._replace(train=rows), settings, folder / f"{fraction:g}")
        points.append(LearningPoint(fraction=fraction, n_train=len(rows), rho=rho, loss=loss))
    return points


def _quality(table: LineTable, split: SplitRows, settings: EmulatorSettings, folder: Path) -> tuple[float, float]:
    """Mean rank correlation on the test rows and lowest validation loss of a single network."""
    batch = int(np.clip(len(split.train) // _BATCHES, _SMALLEST_BATCH, settings.batch_size))
    single = replace(settings, batch_size=batch, architecture=settings.architecture._replace(n_member=1))
    model, trained = train_emulator(table, split, single, folder, {})
    test = table.take(split.test)
    found = predict_table(model, test.flux_bins, test.log_luminosity if model.uses_luminosity else None)
    measured = np.where(test.measured, np.arcsinh(np.where(test.measured, test.ew, 0)), np.nan)
    rho = [spearman(measured[:, i], found.observed[:, i]) for i in range(len(table.lines))]
    return float(np.mean(rho)), trained.best_loss
