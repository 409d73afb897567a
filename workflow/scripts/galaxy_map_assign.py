"""The node of every galaxy on the map of galaxies, and what catalogues say of the galaxies there."""

from mangrove.analysis.galaxy_map_run import assign_run
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefacts ``outputs.assignments`` and ``outputs.map``.

    They come from ``inputs.fingerprints``, the model (``inputs.description``, ``inputs.arrays``) and ``inputs.sheet``.
    """
    with rule_log(log):
        assign_run(inputs, outputs, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
