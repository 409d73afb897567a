"""Tables and figures of the whole survey."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.report import planes, quality, survey, training
from mangrove.report.drawing import save_png
from mangrove.validation.tables import write_rows


def main(inputs, outputs, params, log=None, threads=1):
    """Write the tables (CSV) and figures of ``outputs`` from ``inputs.labels`` and the merged artefacts."""
    with rule_log(log):
        table = artefacts.read(inputs.labels, "labels", survey.DATASETS)
        rows = survey.status_table(table, inputs.training_spectra, inputs.line_cube_set, params["n_line_cube"])
        write_rows(outputs.status, rows, survey.StatusRow._fields)
        flags = survey.flag_table(table)
        write_rows(outputs.label_flags, flags, ())
        save_png(planes.bpt_figure(table), outputs.bpt)
        save_png(planes.planes_figure(table), outputs.planes)
        save_png(quality.quality_figure(table, params["target_snr"]), outputs.quality)
        save_png(quality.failures_figure(table, flags), outputs.flags)
        save_png(training.training_figure(inputs.training_spectra), outputs.training)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
