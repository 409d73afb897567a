"""The judgement of a run's emulator: its model on the test rows of its table, and what is to be thought of it."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mangrove.models.emulator.emulator import Emulator, load
from mangrove.models.emulator.line_table import StoredTable, read_stored
from mangrove.models.training.model_folder import reason_if_empty
from mangrove.validation import emulator_quality as quality
from mangrove.validation import emulator_record as record
from mangrove.validation.emulator_baselines import baseline_table

log = logging.getLogger(__name__)


class Judgement(NamedTuple):
    """What the rule writes.

    Attributes
    ----------
    data : dict
        Datasets of the artefact 'emulator_quality'.
    lines, baselines : list of dict
        Rows of the tables of lines and of methods.
    reason : str
        Why there is no model to judge; empty where there is one.
    """

    data: dict[str, np.ndarray]
    lines: list[dict]
    baselines: list[dict]
    reason: str


def judge_run(folder: Path, table_path, seed: int) -> Judgement:
    """Judge the model of a run.

    Parameters
    ----------
    folder : Path
        Model folder.
    table_path : path-like
        The artefact 'emulator_table' that it was trained on.
    seed : int
        Of draws and resampling.

    Raises
    ------
    ArtefactError, ModelError
        If the table or the model is missing or damaged.
    """
    reason = reason_if_empty(folder)
    if reason:
        return Judgement(data=record.empty_datasets(), lines=[], baselines=[], reason=reason)
    model, stored = load(folder), read_stored(table_path)
    rows, data = judge(model, stored, seed)
    return Judgement(
        data=data,
        lines=with_verdict(rows, np.unique(data["identifier"]).size),
        baselines=baseline_table(model, stored.table.with_lines(model.lines), stored.split),
        reason="",
    )


def judge(model: Emulator, stored: StoredTable, seed: int) -> tuple[list[quality.QualityRow], dict[str, np.ndarray]]:
    """Quality of every line of a model, and the datasets of the artefact 'emulator_quality'."""
    test = stored.split.test
    table = stored.table.with_lines(model.lines).take(test)
    result = quality.evaluate(model, table, seed)
    published = None
    if stored.published is not None:
        columns = [stored.table.lines.index(line) for line in model.lines]
        published = stored.published[test][:, columns]
    rows = quality.quality_table(result, published, seed)
    for row in rows:
        log.info("%s: rho %.4f, gain %.4f, coverage %.3f", row.line, row.rho, row.gain, row.coverage)
    return rows, record.datasets(result, rows, table.identifier, test)


def with_verdict(rows: list[quality.QualityRow], n_galaxy: int) -> list[dict]:
    """Rows of the table of lines, a column per quartile and what is to be thought of them; shortfalls are logged."""
    holds = quality.verdicts(rows, n_galaxy)
    judged = [row for row, verdict in zip(rows, holds, strict=True) if verdict != "too few"]
    for text in quality.failures(judged):
        log.warning("beyond the limits: %s", text)
    if len(judged) < len(rows):
        log.info("%d of %d lines have too few test rows or galaxies to judge by", len(rows) - len(judged), len(rows))
    return [_flat(row) | {"holds": verdict} for row, verdict in zip(rows, holds, strict=True)]


def _flat(row: quality.QualityRow) -> dict:
    """A row with a column per quartile."""
    return {
        name if np.ndim(value) == 0 else f"{name}_{k}": one
        for name, value in row._asdict().items()
        for k, one in enumerate(value if np.ndim(value) else [value], 1)
    }
