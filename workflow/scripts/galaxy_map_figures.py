"""Figures of the map of galaxies, and the table of repeat observations on it."""

from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.galaxy_map_repeats import RepeatRow
from mangrove.report.galaxy_map_run import run_figures, run_repeats
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write the figures and the table (CSV) ``outputs.repeats`` from the map, its galaxies and its training."""
    with rule_log(log):
        write_rows(outputs.repeats, run_repeats(inputs), RepeatRow._fields)
        for name, make in run_figures(inputs, params).items():
            save_png(make(), outputs[name])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
