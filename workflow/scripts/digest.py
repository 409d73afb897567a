"""Time and memory per rule, and unique failures in the logs."""

from pathlib import Path

import pandas as pd

from mangrove.logs import rule_log
from mangrove.report import run


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.timings`` and ``outputs.failures`` (CSV) from ``params.benchmarks`` and ``params.logs``."""
    with rule_log(log):
        timings = run.timing_table(Path(params["benchmarks"]))
        failures = run.failure_table(Path(params["logs"]))
        pd.DataFrame(timings, columns=run.TimingRow._fields).to_csv(outputs.timings, index=False, float_format="%.2f")
        pd.DataFrame(failures, columns=run.FailureRow._fields).to_csv(outputs.failures, index=False)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
