"""Time and memory per rule, and unique failures in the logs."""

from pathlib import Path

from mangrove.logs import rule_log
from mangrove.report import run
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.timings`` and ``outputs.failures`` (CSV) from ``params.benchmarks`` and ``params.logs``."""
    with rule_log(log):
        timings = run.timing_table(Path(params["benchmarks"]))
        failures = run.failure_table(Path(params["logs"]))
        write_rows(outputs.timings, timings, run.TimingRow._fields, float_format="%.2f")
        write_rows(outputs.failures, failures, run.FailureRow._fields)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
