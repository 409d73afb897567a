"""Figures of one galaxy: maps, lines, spectra."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report import galaxy


def main(inputs, outputs, params, log=None, threads=1):
    """Draw ``outputs.maps``, ``outputs.lines`` and ``outputs.spectra`` from ``inputs.extract`` and ``inputs.fit``."""
    with rule_log(log):
        extract = artefacts.read(inputs.extract, "extract", galaxy.EXTRACT_DATASETS)
        fit = artefacts.read(inputs.fit, "fit")
        galaxy.maps_figure(extract, fit).savefig(outputs.maps)
        galaxy.lines_figure(extract, fit).savefig(outputs.lines)
        galaxy.spectra_figure(extract, fit).savefig(outputs.spectra)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
