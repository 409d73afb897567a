"""One table of every baxel of the survey: place, kinematics, lines and labels."""

import logging

import numpy as np

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.labels.table import galaxy_labels, merge, outcome, shared_templates

logger = logging.getLogger("mangrove.labels")


def main(inputs, outputs, params, log=None, threads=1):
    """Label the baxels of ``inputs.fits`` and write the artefact 'labels'."""
    with rule_log(log):
        galaxies = [galaxy_labels(fit) for fit in inputs.fits]
        data = merge(galaxies)
        logger.info("%d baxels of %d galaxies", data["galaxy"].size, len(galaxies))
        for name in ("log_age_lw", "ebv_gas", "log_ssfr", "d_bpt"):
            logger.info("%s: %d values", name, np.isfinite(data[name]).sum())
        attrs = outcome(data) | {"templates": shared_templates(galaxies)}
        prov = artefacts.provenance(outputs.labels, dict(params.items()), list(inputs.fits))
        artefacts.write(outputs.labels, "labels", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
