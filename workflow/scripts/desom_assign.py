"""Every baxel of a run on its map of spectra, and what lies on each node."""

from mangrove.analysis.desom_run import assign_run
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.assignments`` and ``outputs.map`` from ``inputs.training_spectra`` and the model folder
    (``inputs.description``, ``inputs.arrays``)."""
    with rule_log(log):
        assign_run(inputs, outputs, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
