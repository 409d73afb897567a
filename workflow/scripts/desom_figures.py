"""Figures of the map of spectra."""

from mangrove.logs import rule_log
from mangrove.report.desom_run import run_figures
from mangrove.report.drawing import save_png


def main(inputs, outputs, params, log=None, threads=1):
    """Write the figures of ``outputs`` from the map, what lies on its nodes, its judgement and its training."""
    with rule_log(log):
        for name, make in run_figures(inputs, params).items():
            save_png(make(), outputs[name])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
