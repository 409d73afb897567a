"""Status table and figures of the whole survey."""

import pandas as pd

from mangrove.logs import rule_log
from mangrove.report import survey


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.status`` (CSV) and the figures ``outputs.bpt``, ``outputs.quality`` and ``outputs.training``."""
    with rule_log(log):
        found = survey.read_survey(inputs.extracts, inputs.fits)
        rows = survey.status_table(found, inputs.training_spectra, inputs.line_cube_set)
        pd.DataFrame(rows, columns=survey.StatusRow._fields).to_csv(outputs.status, index=False)
        survey.bpt_figure(found).savefig(outputs.bpt)
        survey.quality_figure(found).savefig(outputs.quality)
        survey.training_figure(inputs.training_spectra).savefig(outputs.training)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
