"""Fit spectra of known populations and compare the labels with what was put in."""

from mangrove.logs import rule_log
from mangrove.spectra.fit.settings import FitSettings
from mangrove.validation import known_populations
from mangrove.validation.tables import log_beyond_limits, write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write the comparison of every case to ``outputs.table`` (CSV)."""
    with rule_log(log):
        cases = known_populations.cases(params["other_library"])
        chosen = params["n_spectrum"], FitSettings.from_params(params), params["engine"], threads, params["seed"]
        rows = [row for case in cases for row in known_populations.recover(case, *chosen)]
        log_beyond_limits(rows, lambda row: f"{row.label} ({row.spectra}, S/N {row.snr_per_pixel:g})")
        write_rows(outputs.table, rows, known_populations.PopulationRow._fields)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
