"""An autoencoder of a run, trained on its line cubes and their copies."""

from pathlib import Path

from mangrove.logs import rule_log
from mangrove.models.convlstm.run import train_run
from mangrove.models.training.cores import share_cores


def main(inputs, outputs, params, log=None, threads=1):
    """Train on ``inputs.line_cube_set`` and the copies in ``inputs.augmentation``; write the model folder
    (``outputs.description``, ``outputs.arrays``) and ``outputs.metrics``."""
    with rule_log(log):
        share_cores(threads, params["batch_size"])
        train_run(
            inputs.line_cube_set,
            inputs.augmentation,
            dict(params.items()),
            Path(outputs.description).parent,
            Path(outputs.metrics),
        )


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
