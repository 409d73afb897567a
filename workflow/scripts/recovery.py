"""Compare the fits of the simulated survey with its truth."""

import logging

import pandas as pd

from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.truth import recovery_figure
from mangrove.validation import recovery

logger = logging.getLogger("mangrove.recovery")


def main(inputs, outputs, params, log=None, threads=1):
    """Compare ``inputs.fits`` with ``inputs.truths``; write ``outputs.table`` (CSV) and ``outputs.figure``."""
    with rule_log(log):
        pooled = recovery.pool(recovery.comparisons(inputs.extracts, inputs.fits, inputs.truths))
        rows = recovery.recovery_table(pooled)
        failed = [f"{row.quantity} (S/N {row.snr_per_pixel})" for row in rows if row.holds == "no"]
        logger.info("beyond the limits: %s", ", ".join(failed) or "nothing")
        pd.DataFrame(rows, columns=recovery.RecoveryRow._fields).to_csv(outputs.table, index=False, float_format="%.4g")
        save_png(recovery_figure(pooled), outputs.figure)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
