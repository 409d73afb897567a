"""Compare the emulator's lines of test baxels with the truth of the simulated survey."""

from mangrove.logs import rule_log
from mangrove.validation.emulator_truth import TrueWidthRow, compare
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.table`` (CSV) from ``inputs.table``, ``quality``, ``extracts`` and ``truths``."""
    with rule_log(log):
        rows = compare(inputs.table, inputs.quality, inputs.extracts, inputs.truths)
        write_rows(outputs.table, rows, TrueWidthRow._fields)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
