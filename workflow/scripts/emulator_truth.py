"""Compare the emulator's lines of test baxels with the truth of the simulated survey."""

from pathlib import Path

import numpy as np
import pandas as pd

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.validation.emulator_record import read
from mangrove.validation.emulator_truth import TrueWidthRow, baxel_widths, truth_table


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.table`` (CSV) from ``inputs.table``, ``quality``, ``extracts`` and ``truths``."""
    with rule_log(log):
        record = read(inputs.quality)
        rows = [] if record.reason else compare(inputs, record)
        pd.DataFrame(rows, columns=TrueWidthRow._fields).to_csv(outputs.table, index=False, float_format="%.4g")


def compare(inputs, record) -> list[TrueWidthRow]:
    """Rows of the table."""
    table = artefacts.read(inputs.table, "emulator_table", ["plateifu", "baxel"])
    galaxy, baxel = (table[name][record.table_row] for name in ("plateifu", "baxel"))
    result = record.result
    true = np.full(result.predicted.shape, np.nan)
    for extract_path, truth_path in zip(inputs.extracts, inputs.truths, strict=True):
        rows = np.flatnonzero(galaxy == Path(extract_path).stem)
        if rows.size:
            extract = artefacts.read(extract_path, "extract", ["bin_id", "snr"])
            truth = artefacts.read(truth_path, "truth", ["line", "line_flux", "line_ew"])
            true[rows] = baxel_widths(extract, truth, result.lines)[baxel[rows]]
    return truth_table(result.lines, np.arcsinh(true), result._asdict(), galaxy)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
