"""Learning curve of the emulator: quality by number of galaxies to learn from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mangrove.models.emulator.emulator import predict_table
from mangrove.models.emulator.line_table import LineTable, Split
from mangrove.models.emulator.training import EmulatorSettings, train_emulator
from mangrove.validation.emulator_quality import spearman

FRACTIONS = (0.03, 0.1, 0.3, 1.0)
_BATCHES, _SMALLEST_BATCH = 60, 32


class LearningPoint(NamedTuple):
    """Quality of an emulator trained on ``n_train`` rows: mean over the lines of rho on the test rows, best
    validation loss."""

    n_train: int
    rho: float
    loss: float


def learning_curve(
    table: LineTable, split: Split, settings: EmulatorSettings, folder: Path, fractions: Sequence[float] = FRACTIONS
) -> list[LearningPoint]:
    """Train single networks on growing parts of the training rows; the smaller a part, the smaller its batches."""
    order = np.random.default_rng(settings.seed).permutation(split.train)
    return [
        _point(table, split, order[: max(1, round(f * len(order)))], settings, folder / f"{f:g}") for f in fractions
    ]


def _point(table: LineTable, split: Split, rows: np.ndarray, settings: EmulatorSettings, folder: Path) -> LearningPoint:
    batch = int(np.clip(len(rows) // _BATCHES, _SMALLEST_BATCH, settings.batch_size))
    single = replace(settings, batch_size=batch, architecture=settings.architecture._replace(n_member=1))
    model, trained = train_emulator(table, split._replace(train=np.sort(rows)), single, folder, {})
    test = table.take(split.test)
    found = predict_table(model, test.flux_bins, test.log_luminosity if model.uses_luminosity else None)
    measured = np.where(test.measured, np.arcsinh(np.where(test.measured, test.ew, 0)), np.nan)
    rho = [spearman(measured[:, i], found.observed[:, i]) for i in range(len(table.lines))]
    return LearningPoint(len(rows), float(np.mean(rho)), min(row["validation_loss"] for row in trained.history))
