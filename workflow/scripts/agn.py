"""The active nuclei of a run: how anomalous they are, their neighbours, their place in the BPT diagram."""

from mangrove.analysis.active_nuclei import tabulate_run
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.agn``.

    From ``inputs.anomalies``, ``inputs.neighbours``, ``inputs.labels`` (empty without baxels) and ``inputs.sheet``.
    """
    with rule_log(log):
        tabulate_run(inputs, outputs, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
