"""The copies of each line cube that the autoencoders are trained on."""

from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.augmentation`` for ``inputs.line_cube_set``."""
    with rule_log(log):
        raise NotImplementedError


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
