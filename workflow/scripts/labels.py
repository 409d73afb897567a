"""One table of every baxel of the survey: place, kinematics, lines and labels."""

import logging

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.labels.survey_labels import fill, fitted_survey

logger = logging.getLogger("mangrove.labels")


def main(inputs, outputs, params, log=None, threads=1):
    """Label the baxels of ``inputs.fits`` and write the artefact 'labels'."""
    with rule_log(log):
        survey = fitted_survey(inputs.fits)
        logger.info("%d baxels of %d galaxies", survey.dims["row"], survey.dims["plateifu"])
        prov = artefacts.provenance(outputs.labels, dict(params.items()), list(inputs.fits))
        attrs = survey.outcome | {"templates": survey.templates}
        with artefacts.writer(outputs.labels, "labels", survey.dims, prov, attrs) as out:
            finite = fill(out, survey)
        for name in ("log_age_lw", "ebv_gas", "log_ssfr", "d_bpt"):
            logger.info("%s: %d values", name, finite[name])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
