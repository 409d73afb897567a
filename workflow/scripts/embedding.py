"""Principal components and UMAP of the latents of a run."""

from mangrove.analysis.latent_embedding import embed_run
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.embedding`` from ``inputs.latents``."""
    with rule_log(log):
        embed_run(inputs, outputs, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
