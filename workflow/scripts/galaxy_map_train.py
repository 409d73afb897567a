"""The map of galaxies of a run, trained on their fingerprints."""

from pathlib import Path

from mangrove.logs import rule_log
from mangrove.models.desom.run import train_galaxies


def main(inputs, outputs, params, log=None, threads=1):
    """Train on ``inputs.fingerprints``; write the model folder (``outputs.description``, ``outputs.arrays``) and
    ``outputs.metrics``."""
    with rule_log(log):
        train_galaxies(
            inputs.fingerprints, dict(params.items()), Path(outputs.description).parent, Path(outputs.metrics)
        )


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
