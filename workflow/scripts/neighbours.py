"""The nearest galaxies of each galaxy of a run."""

from mangrove.analysis.latent_neighbours import find_neighbours
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.neighbours``.

    From ``inputs.latents``, ``inputs.embedding``, and the cubes (``inputs.line_cube_set``) with the model (folder of
    ``inputs.description``).
    """
    with rule_log(log):
        find_neighbours(inputs, outputs, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
