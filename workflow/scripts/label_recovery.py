"""Compare the labels of the simulated survey with its truth."""

import logging

import pandas as pd

from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.truth import label_figure
from mangrove.validation import label_recovery

logger = logging.getLogger("mangrove.label_recovery")


def main(inputs, outputs, params, log=None, threads=1):
    """Compare ``inputs.labels`` with ``inputs.truths``; write ``outputs.table`` (CSV) and ``outputs.figure``."""
    with rule_log(log):
        galaxies = label_recovery.label_comparisons(inputs.labels, inputs.extracts, inputs.truths)
        pooled = label_recovery.pool_labels(galaxies)
        rows = label_recovery.label_table(pooled)
        failed = [f"{row.label} (S/N {row.snr_per_pixel})" for row in rows if row.holds == "no"]
        logger.info("beyond the limits: %s", ", ".join(failed) or "nothing")
        frame = pd.DataFrame(rows, columns=label_recovery.LabelRow._fields)
        frame.to_csv(outputs.table, index=False, float_format="%.4g")
        save_png(label_figure(pooled), outputs.figure)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
