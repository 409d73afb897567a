"""The active nuclei of a run: how anomalous they are, and their neighbours."""

from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.agn``."""
    with rule_log(log):
        raise NotImplementedError


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
