"""Figures of the emulator."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mangrove.logs import rule_log
from mangrove.models.emulator.emulator import Emulator, load
from mangrove.models.emulator.line_table import StoredTable, read_stored
from mangrove.report import emulator as figures
from mangrove.report.drawing import new_figure, note, save_png
from mangrove.report.emulator_calibration import calibration_figure
from mangrove.validation import emulator_record as record
from mangrove.validation.emulator_learning import LearningPoint
from mangrove.validation.emulator_quality import evaluate


def main(inputs, outputs, params, log=None, threads=1):
    """Write the figures of ``outputs`` from the model, its table, its judgement and its training."""
    with rule_log(log):
        found = record.read(inputs.quality)
        drawn = (
            nothing(found.reason, outputs.keys())
            if found.reason
            else draw(inputs, found, params["seed"], params["keep_best"])
        )
        for name, make in drawn.items():
            save_png(make(), outputs[name])


def draw(inputs, found: record.Record, seed: int, keep_best: bool) -> dict[str, Callable[[], Figure]]:
    """The figures by name, each with the size of the sample that it rests on."""
    result, rows = found.result, found.rows
    model, stored = load(Path(inputs.description).parent), read_stored(inputs.table)
    test = stored.table.with_lines(model.lines).take(found.table_row)
    history = [json.loads(line) for line in Path(inputs.metrics).read_text(encoding="utf-8").splitlines()]
    learning = pd.read_csv(inputs.learning)
    points = [LearningPoint(*row) for row in learning.itertuples(index=False)] if "n_train" in learning else []
    ordered_by = "the bluest colour" if stored.table.log_luminosity is None else "luminosity"
    made = {
        "predicted": lambda: figures.predicted_figure(result, rows),
        "histograms": lambda: figures.histogram_figure(result),
        "bpt": lambda: figures.bpt_figure(result),
        "calibration": lambda: calibration_figure(result, rows, ordered_by),
        "spectrum": lambda: figures.spectrum_figure(model, test, example(test.measured)),
        "learning": lambda: figures.learning_figure(history, points, keep_best),
        "umap": lambda: umap(model, stored, found, seed),
    }
    sizes = sample_sizes(stored, found)
    return {name: lambda make=make: figures.with_sample(make(), sizes) for name, make in made.items()}


def sample_sizes(stored: StoredTable, found: record.Record) -> figures.SampleSizes:
    """Galaxies and rows of the training and of the test."""
    both = (stored.split.train, found.table_row)
    return figures.SampleSizes(
        *(n for rows in both for n in (np.unique(stored.table.identifier[rows]).size, len(rows)))
    )


def umap(model: Emulator, stored: StoredTable, found: record.Record, seed: int) -> Figure:
    """The lines on the UMAP of the inputs of the test rows; of all rows where these are too few, else a note."""
    table, result, title = stored.table.with_lines(model.lines), found.result, "test rows"
    if len(found.table_row) >= figures.UMAP_LEAST:
        table = table.take(found.table_row)
    else:
        table = table.take(np.sort(np.concatenate(stored.split)))
        title = f"all {len(table.ew)} rows, those of the training too ({len(found.table_row)} test rows are too few)"
        if len(table.ew) < figures.UMAP_LEAST:
            return noted(f"{len(table.ew)} rows are too few for a UMAP")
        result = evaluate(model, table, seed)
    luminosity = jnp.asarray(table.log_luminosity) if model.uses_luminosity else None
    features = np.asarray(model.features(jnp.asarray(table.flux_bins), luminosity))
    lines = [line for line in figures.UMAP_LINES if line in result.lines] or list(result.lines[:3])
    chosen, place = figures.umap_coordinates(features, seed)
    return figures.umap_figure(result, chosen, place, lines, title)


def example(measured: np.ndarray) -> int:
    """A row with all lines measured, else the one with the most."""
    return int(np.argmax(measured.sum(axis=1)))


def nothing(reason: str, names: Iterable[str]) -> dict[str, Callable[[], Figure]]:
    """Every figure, saying why there is nothing to show."""
    return {name: lambda: noted(f"no emulator: {reason}") for name in names}


def noted(text: str) -> Figure:
    """A figure of a text."""
    figure = new_figure(6, 3)
    axes = figure.subplots()
    axes.set_axis_off()
    note(axes, text)
    return figure


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
