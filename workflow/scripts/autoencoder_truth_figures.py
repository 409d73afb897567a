"""Figure of an autoencoder judged by planted anomalies."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report.autoencoder_truth import truth_figure
from mangrove.report.drawing import save_png


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.strength`` from ``inputs.truth``."""
    with rule_log(log):
        save_png(truth_figure(artefacts.read(inputs.truth, "autoencoder_truth")), outputs.strength)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
