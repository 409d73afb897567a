"""To be written."""


def main(inputs, outputs, params, log=None, threads=1):
    """To be written."""
    raise NotImplementedError


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
