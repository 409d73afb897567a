"""Figures of the emulator."""

from mangrove.logs import rule_log
from mangrove.report.drawing import save_png
from mangrove.report.emulator_run import run_figures


def main(inputs, outputs, params, log=None, threads=1):
    """Write the figures of ``outputs`` from the model, its table, its judgement and its training."""
    with rule_log(log):
        for name, make in run_figures(inputs, params["seed"], params["keep_best"]).items():
            save_png(make(), outputs[name])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
