"""The map of spectra of a run, trained on its training spectra."""

from pathlib import Path

from mangrove.logs import rule_log
from mangrove.models.desom.run import train_spectra


def main(inputs, outputs, params, log=None, threads=1):
    """Train on ``inputs.training_spectra``; write the model folder (``outputs.description``, ``outputs.arrays``) and
    ``outputs.metrics``."""
    with rule_log(log):
        train_spectra(
            inputs.training_spectra, dict(params.items()), Path(outputs.description).parent, Path(outputs.metrics)
        )


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
