"""The latents of every line cube of a run."""

from mangrove.analysis.latents_run import write_latents
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.latents`` from ``inputs.line_cube_set`` and the model folder (``inputs.description``,
    ``inputs.arrays``)."""
    with rule_log(log):
        write_latents(inputs, outputs, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
