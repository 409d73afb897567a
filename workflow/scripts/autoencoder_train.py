"""An autoencoder of a run, trained on its line cubes and their copies."""

from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Train on ``inputs.line_cube_set``; write the model folder and ``outputs.metrics``."""
    with rule_log(log):
        raise NotImplementedError


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
