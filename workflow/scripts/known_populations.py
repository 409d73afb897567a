"""Fit spectra of known populations and compare the labels with what was put in."""

import logging

import pandas as pd

from mangrove.logs import rule_log
from mangrove.spectra.fit.settings import FitSettings
from mangrove.validation import known_populations

logger = logging.getLogger("mangrove.known_populations")


def main(inputs, outputs, params, log=None, threads=1):
    """Write the comparison of every case to ``outputs.table`` (CSV)."""
    with rule_log(log):
        cases = [*map(known_populations.matched, (20.0, 30.0, 60.0)), known_populations.other_dust(30.0)]
        if params["other_library"]:
            cases.append(known_populations.other_library(30.0, params["other_library"]))
        settings, n = FitSettings.from_params(params), params["n_spectrum"]
        rows = [row for case in cases for row in known_populations.recover(case, n, settings, threads, params["seed"])]
        failed = [f"{row.label} ({row.spectra}, S/N {row.snr_per_pixel:g})" for row in rows if row.holds == "no"]
        logger.info("beyond the limits: %s", ", ".join(failed) or "nothing")
        frame = pd.DataFrame(rows, columns=known_populations.PopulationRow._fields)
        frame.to_csv(outputs.table, index=False, float_format="%.4g")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
