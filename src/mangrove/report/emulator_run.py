"""All figures of a run's emulator, from what its rules wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mangrove.analysis.input_map import InputMap, read_map
from mangrove.models.emulator.emulator import Emulator, load
from mangrove.models.emulator.line_table import StoredTable, read_stored
from mangrove.models.training.metrics import read_metrics
from mangrove.report import emulator as figures
from mangrove.report.drawing import noted
from mangrove.report.emulator_calibration import calibration_figure
from mangrove.validation import emulator_record as record
from mangrove.validation.emulator_curve import LearningPoint, read_curve
from mangrove.validation.emulator_quality import evaluate

#: The figures by name.
NAMES = ("predicted", "histograms", "bpt", "calibration", "spectrum", "learning", "umap")


class EmulatorRun(NamedTuple):
    """What the figures show.

    Attributes
    ----------
    model : Emulator
    stored : StoredTable
    judged : mangrove.validation.emulator_record.Record
    history : list of dict
        Losses by epoch.
    points : list of LearningPoint
        None where there is no learning curve.
    inputs : InputMap
    """

    model: Emulator
    stored: StoredTable
    judged: record.Record
    history: list[dict[str, float]]
    points: list[LearningPoint]
    inputs: InputMap


def run_figures(paths, seed: int, keep_best: bool) -> dict[str, Callable[[], Figure]]:
    """Functions that draw the figures of a run, by name; where nothing was trained, each says so.

    Parameters
    ----------
    paths : object
        With the attributes ``table``, ``quality``, ``learning``, ``embedding`` (artefacts), ``description`` (the model's
        model.json) and ``metrics`` (JSON lines).
    seed : int
        Of draws from the predictions.
    keep_best : bool
        Whether the epoch of the lowest validation loss was kept.

    Raises
    ------
    ArtefactError, ModelError
        If one of them is missing or damaged.
    """
    judged = record.read(paths.quality)
    if judged.reason:
        return {name: lambda: noted(f"no emulator: {judged.reason}") for name in NAMES}
    run = EmulatorRun(
        model=load(Path(paths.description).parent),
        stored=read_stored(paths.table),
        judged=judged,
        history=read_metrics(Path(paths.metrics)),
        points=read_curve(paths.learning).points,
        inputs=read_map(paths.embedding),
    )
    return draw(run, seed, keep_best)


def draw(run: EmulatorRun, seed: int, keep_best: bool) -> dict[str, Callable[[], Figure]]:
    """Functions that draw the figures, each with the size of the sample that it rests on (see :func:`run_figures`)."""
    result, rows = run.judged.result, run.judged.rows
    test = run.stored.table.with_lines(run.model.lines).take(run.judged.table_row)
    ordered_by = "the bluest colour" if run.stored.table.log_luminosity is None else "luminosity"
    made = {
        "predicted": lambda: figures.predicted_figure(result, rows),
        "histograms": lambda: figures.histogram_figure(result),
        "bpt": lambda: figures.bpt_figure(result),
        "calibration": lambda: calibration_figure(result, rows, ordered_by),
        "spectrum": lambda: figures.spectrum_figure(run.model, test, example(test.measured)),
        "learning": lambda: figures.learning_figure(run.history, run.points, keep_best),
        "umap": lambda: umap(run, seed),
    }
    sizes = sample_sizes(run)
    return {name: lambda make=make: figures.with_sample(make(), sizes) for name, make in made.items()}


def sample_sizes(run: EmulatorRun) -> figures.SampleSizes:
    """Galaxies and rows of the training and of the test."""
    both = (run.stored.split.train, run.judged.table_row)
    return figures.SampleSizes(
        *(n for rows in both for n in (np.unique(run.stored.table.identifier[rows]).size, len(rows)))
    )


def umap(run: EmulatorRun, seed: int) -> Figure:
    """The lines on the map of the inputs; a note where there is none."""
    if run.inputs.reason:
        return noted(run.inputs.reason)
    rows, result, title = run.judged.table_row, run.judged.result, "test rows"
    if not np.isin(run.inputs.row, rows).all():
        n_test, rows = len(rows), np.sort(np.concatenate(run.stored.split))
        title = f"all {len(rows)} rows, those of the training too ({n_test} test rows are too few)"
        result = evaluate(run.model, run.stored.table.with_lines(run.model.lines).take(rows), seed)
    lines = [line for line in figures.UMAP_LINES if line in result.lines] or list(result.lines[:3])
    return figures.umap_figure(result, np.searchsorted(rows, run.inputs.row), run.inputs.place, lines, title)


def example(measured: np.ndarray) -> int:
    """A row with all lines measured, else the one with the most."""
    return int(np.argmax(measured.sum(axis=1)))
