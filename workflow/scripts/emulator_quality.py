"""How good the emulator is: on the test rows, beside the baselines, and by number of rows to learn from."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.models.emulator.emulator import Emulator, load
from mangrove.models.emulator.line_table import LineTable, Split, read_stored
from mangrove.models.emulator.training import EmulatorSettings
from mangrove.models.training.model_folder import reason_if_empty
from mangrove.validation import emulator_quality as quality
from mangrove.validation import emulator_record as record
from mangrove.validation.emulator_baselines import baseline_table
from mangrove.validation.emulator_learning import LearningPoint, learning_curve

logger = logging.getLogger("mangrove.emulator_quality")
#: What stands in the table of the learning curve where the configuration wants none.
NO_CURVE = "no learning curve asked for: emulator.learning_curve is empty"


def main(inputs, outputs, params, log=None, threads=1):
    """Judge the model (folder of ``inputs.description``) by ``inputs.table``.

    Writes the artefact ``outputs.quality`` and the tables (CSV) ``outputs.table``, ``outputs.baselines`` and
    ``outputs.learning``.
    """
    with rule_log(log):
        folder = Path(inputs.description).parent
        reason = reason_if_empty(folder)
        lines, baselines, points, data = [], [], [], record.empty_datasets()
        if not reason:
            model, stored = load(folder), read_stored(inputs.table)
            table = stored.table.with_lines(model.lines)
            rows, data = judge(model, table, stored, params["seed"])
            lines = with_verdict(rows, np.unique(data["identifier"]).size)
            baselines = baseline_table(model, table, stored.split)
            points = learn(model, table, stored.split, params)
        status = {"status": "empty" if reason else "ok", "reason": reason}
        prov = artefacts.provenance(
            outputs.quality, dict(params.items()), [inputs.table, inputs.description, inputs.arrays]
        )
        artefacts.write(outputs.quality, "emulator_quality", data, prov, status)
        untrained = "nothing trained"
        write(outputs.table, lines, untrained)
        write(outputs.baselines, baselines, untrained)
        write(outputs.learning, points, untrained if reason else NO_CURVE)


def judge(model: Emulator, table: LineTable, stored, seed: int):
    """Quality of every line, and the datasets of the artefact."""
    test = stored.split.test
    result = quality.evaluate(model, table.take(test), seed)
    published = None
    if stored.published is not None:
        columns = [stored.table.lines.index(line) for line in model.lines]
        published = stored.published[test][:, columns]
    rows = quality.quality_table(result, published, seed)
    for row in rows:
        logger.info("%s: rho %.4f, gain %.4f, coverage %.3f", row.line, row.rho, row.gain, row.coverage)
    return rows, record.datasets(result, rows, table.identifier[test], test)


def learn(model: Emulator, table: LineTable, split: Split, params) -> list[LearningPoint]:
    """Learning curve with the settings of the model."""
    settings = EmulatorSettings.from_params(params, model.architecture, model.uses_luminosity)
    with tempfile.TemporaryDirectory(prefix="mangrove-learning-") as folder:
        return learning_curve(table, split, settings, Path(folder), params["learning_curve"])


def with_verdict(rows: list[quality.QualityRow], n_galaxy: int) -> list[dict]:
    """Rows of the table of lines, with a column per quartile and what is to be thought of them; shortfalls are logged."""
    holds = quality.verdicts(rows, n_galaxy)
    judged = [row for row, verdict in zip(rows, holds, strict=True) if verdict != "too few"]
    for text in quality.failures(judged):
        logger.warning("beyond the limits: %s", text)
    if len(judged) < len(rows):
        logger.info("%d of %d lines have too few test rows or galaxies to judge by", len(rows) - len(judged), len(rows))
    return [row | {"holds": verdict} for row, verdict in zip(flat(rows), holds, strict=True)]


def write(path, rows: list, otherwise: str) -> None:
    """Write rows as a table (CSV); without any, a table whose one column says why."""
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[otherwise])
    frame.to_csv(path, index=False, float_format="%.4g")


def flat(rows: list[quality.QualityRow]) -> list[dict]:
    """Rows with a column per quartile."""
    return [
        {
            name if np.ndim(value) == 0 else f"{name}_{k}": one
            for name, value in row._asdict().items()
            for k, one in enumerate(value if np.ndim(value) else [value], 1)
        }
        for row in rows
    ]


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
