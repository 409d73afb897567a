"""Fetch one cube from the archive, verified, under its final name."""

from mangrove.logs import rule_log
from mangrove.survey.download import fetch


def main(inputs, outputs, params, log=None, threads=1):
    """Fetch ``params.url`` to ``outputs.cube``."""
    with rule_log(log):
        fetch(params.url, outputs.cube, params.plateifu or None, params.link)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
