"""Compare the fits of the simulated survey with its truth."""

import logging
from collections.abc import Iterator

import pandas as pd

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.truth import recovery_figure
from mangrove.validation import recovery

logger = logging.getLogger("mangrove.recovery")


def main(inputs, outputs, params, log=None, threads=1):
    """Compare ``inputs.fits`` with ``inputs.truths``; write ``outputs.table`` (CSV) and ``outputs.figure``."""
    with rule_log(log):
        pooled = recovery.pool(comparisons(inputs))
        rows = recovery.recovery_table(pooled)
        failed = [f"{row.quantity} (S/N {row.snr_per_pixel})" for row in rows if row.holds == "no"]
        logger.info("beyond the limits: %s", ", ".join(failed) or "nothing")
        pd.DataFrame(rows, columns=recovery.RecoveryRow._fields).to_csv(outputs.table, index=False, float_format="%.4g")
        save_png(recovery_figure(pooled), outputs.figure)


def comparisons(inputs) -> Iterator[dict[str, recovery.TruthComparison]]:
    """Comparisons of the galaxies, one at a time."""
    for extract, fit, truth in zip(inputs.extracts, inputs.fits, inputs.truths, strict=True):
        yield recovery.compare(
            artefacts.read(extract, "extract", recovery.EXTRACT_DATASETS),
            artefacts.read(fit, "fit", recovery.FIT_DATASETS),
            artefacts.read(truth, "truth", recovery.TRUTH_DATASETS),
        )


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
