"""Fit spectra of known populations and compare the labels with what was put in."""

import logging

import pandas as pd

from mangrove.logs import rule_log
from mangrove.spectra.fit.settings import FitSettings
from mangrove.validation import known_populations as label_truth

logger = logging.getLogger("mangrove.label_truth")


def main(inputs, outputs, params, log=None, threads=1):
    """Write the comparison of every case to ``outputs.table`` (CSV)."""
    with rule_log(log):
        cases = [*map(label_truth.matched, (20.0, 30.0, 60.0)), label_truth.other_dust(30.0)]
        if params["other_library"]:
            cases.append(label_truth.other_library(30.0, params["other_library"]))
        settings, n = FitSettings.from_params(params), params["n_spectrum"]
        rows = [row for case in cases for row in label_truth.recover(case, n, settings, threads, params["seed"])]
        failed = [f"{row.label} ({row.spectra}, S/N {row.snr_per_pixel:g})" for row in rows if row.holds == "no"]
        logger.info("beyond the limits: %s", ", ".join(failed) or "nothing")
        frame = pd.DataFrame(rows, columns=label_truth.TruthRow._fields)
        frame.to_csv(outputs.table, index=False, float_format="%.4g")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
