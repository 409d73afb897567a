"""How anomalous each line cube of a run is, and why."""

from mangrove.analysis.anomaly_run import judge_run
from mangrove.logs import rule_log


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.anomalies``.

    It comes from ``inputs.line_cube_set`` and the model (``inputs.description``, ``inputs.arrays``).
    """
    with rule_log(log):
        judge_run(inputs, outputs.anomalies, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
