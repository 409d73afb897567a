"""Compare the labels of the simulated survey with its truth."""

from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.label_truth import label_figure
from mangrove.validation import label_recovery
from mangrove.validation.tables import log_beyond_limits, write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Compare ``inputs.labels`` with ``inputs.truths``; write ``outputs.table`` (CSV) and ``outputs.figure``."""
    with rule_log(log):
        galaxies = label_recovery.label_comparisons(inputs.labels, inputs.extracts, inputs.truths)
        pooled = label_recovery.pool_labels(galaxies)
        rows = label_recovery.label_table(pooled)
        log_beyond_limits(rows, lambda row: f"{row.label} (S/N {row.snr_per_pixel})")
        write_rows(outputs.table, rows, label_recovery.LabelRow._fields)
        save_png(label_figure(pooled), outputs.figure)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
