"""The emulator of a run, trained on its table of continua and lines."""

from pathlib import Path

from mangrove.logs import rule_log
from mangrove.models.emulator.run import train_run


def main(inputs, outputs, params, log=None, threads=1):
    """Train on ``inputs.table``; write the model folder (``outputs.description``, ``outputs.arrays``) and
    ``outputs.metrics``."""
    with rule_log(log):
        train_run(inputs.table, dict(params.items()), Path(outputs.description).parent, Path(outputs.metrics))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
