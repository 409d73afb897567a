"""How anomalous each line cube of a run is, and why."""

from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.anomalies``."""
    with rule_log(log):
        raise NotImplementedError


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
