"""Figures and tables of an autoencoder of line cubes: reconstructions, anomalies, latents, active nuclei."""

from mangrove.logs import rule_log
from mangrove.report.autoencoder_run import AutoencoderRun
from mangrove.report.autoencoder_tables import AgnRow, AnomalyRow
from mangrove.report.drawing import save_png
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write the figures, and the tables (CSV) ``outputs.anomalous`` and ``outputs.active``, of one network."""
    with rule_log(log):
        run = AutoencoderRun(inputs, params["keep_best"], params["extracts"])
        write_rows(outputs.anomalous, run.anomaly_rows(), AnomalyRow._fields)
        write_rows(outputs.active, run.agn_rows(), AgnRow._fields)
        for name, make in run.figures().items():
            save_png(make(), outputs[name])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
