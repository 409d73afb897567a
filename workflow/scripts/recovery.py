"""Compare the fits of the simulated survey with its truth."""

from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.fit_truth import recovery_figure
from mangrove.validation import recovery
from mangrove.validation.tables import log_beyond_limits, write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Compare ``inputs.fits`` with ``inputs.truths``; write ``outputs.table`` (CSV) and ``outputs.figure``."""
    with rule_log(log):
        pooled = recovery.pool(recovery.comparisons(inputs.extracts, inputs.fits, inputs.truths))
        rows = recovery.recovery_table(pooled)
        log_beyond_limits(rows, lambda row: f"{row.quantity} (S/N {row.snr_per_pixel})")
        write_rows(outputs.table, rows, recovery.RecoveryRow._fields)
        save_png(recovery_figure(pooled), outputs.figure)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
