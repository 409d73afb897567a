"""Compare the emulator's lines of test baxels with the truth of the simulated survey."""

import pandas as pd

from mangrove.logs import rule_log
from mangrove.validation.emulator_truth import TrueWidthRow, compare


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.table`` (CSV) from ``inputs.table``, ``quality``, ``extracts`` and ``truths``."""
    with rule_log(log):
        rows = compare(inputs.table, inputs.quality, inputs.extracts, inputs.truths)
        pd.DataFrame(rows, columns=TrueWidthRow._fields).to_csv(outputs.table, index=False, float_format="%.4g")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
