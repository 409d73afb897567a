"""Figures of one galaxy: a summary, maps, lines, spectra, labels."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report import galaxy, galaxy_spectra, label_maps, summary
from mangrove.report.drawing import save_png
from mangrove.spectra.labels.table import galaxy_labels


def main(inputs, outputs, params, log=None, threads=1):
    """Draw the figures of ``outputs`` from ``inputs.extract`` and ``inputs.fit``.

    The labels are derived again, as for the table of the survey, so that the figures need no other galaxy.
    """
    with rule_log(log):
        extract = artefacts.read(inputs.extract, "extract", galaxy.EXTRACT_DATASETS)
        fit = artefacts.read(inputs.fit, "fit")
        labels = galaxy_labels(inputs.fit).columns
        save_png(summary.summary_figure(extract, fit, labels), outputs.summary)
        save_png(galaxy.maps_figure(extract, fit, labels), outputs.maps)
        save_png(galaxy.lines_figure(extract, fit, labels), outputs.lines)
        save_png(galaxy_spectra.spectra_figure(extract, fit), outputs.spectra)
        save_png(label_maps.label_maps_figure(extract, fit, labels), outputs.labels)
        save_png(label_maps.label_profiles_figure(extract, labels), outputs.profiles)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
