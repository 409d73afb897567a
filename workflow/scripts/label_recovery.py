"""Compare the labels of the simulated survey with its truth."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd

from mangrove import artefacts
from mangrove.data_model import LABELS
from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.truth import label_figure
from mangrove.validation import label_recovery, recovery

logger = logging.getLogger("mangrove.label_recovery")


def main(inputs, outputs, params, log=None, threads=1):
    """Compare ``inputs.labels`` with ``inputs.truths``; write ``outputs.table`` (CSV) and ``outputs.figure``."""
    with rule_log(log):
        pooled = label_recovery.pool_labels(comparisons(inputs))
        rows = label_recovery.label_table(pooled)
        failed = [f"{row.label} (S/N {row.snr_per_pixel})" for row in rows if row.holds == "no"]
        logger.info("beyond the limits: %s", ", ".join(failed) or "nothing")
        frame = pd.DataFrame(rows, columns=label_recovery.LabelRow._fields)
        frame.to_csv(outputs.table, index=False, float_format="%.4g")
        save_png(label_figure(pooled), outputs.figure)


def comparisons(inputs) -> Iterator[dict[str, label_recovery.Checked]]:
    """Comparisons of the galaxies, one at a time."""
    labels = artefacts.read(inputs.labels, "labels")
    per_baxel = [name for name, field in LABELS.fields.items() if field.dims[0] == "row"]
    for i, (extract_path, truth_path) in enumerate(zip(inputs.extracts, inputs.truths, strict=True)):
        rows = np.flatnonzero(labels["galaxy"] == i)
        own = {name: labels[name][rows] for name in per_baxel} | {"line": labels["line"]}
        extract = artefacts.read(extract_path, "extract", recovery.EXTRACT_DATASETS)
        truth = artefacts.read(truth_path, "truth", recovery.TRUTH_DATASETS + label_recovery.TRUTH_DATASETS)
        true = label_recovery.true_labels(extract, truth, float(labels["z"][i]), extract.attrs["pixel_scale"])
        yield label_recovery.compare_labels(own, true, extract["snr"])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
