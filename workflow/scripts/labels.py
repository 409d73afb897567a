"""One table of every baxel of the survey: place, kinematics, lines and labels."""

import logging

import numpy as np

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.labels.table import GalaxyLabels, galaxy_labels, merge

logger = logging.getLogger("mangrove.labels")


def main(inputs, outputs, params, log=None, threads=1):
    """Label the baxels of ``inputs.fits`` and write the artefact 'labels'."""
    with rule_log(log):
        galaxies = [galaxy_labels(fit) for fit in inputs.fits]
        data = merge(galaxies)
        log_counts(galaxies, data)
        prov = artefacts.provenance(outputs.labels, dict(params.items()), list(inputs.fits))
        artefacts.write(outputs.labels, "labels", data, prov, outcome(data))


def outcome(data) -> dict[str, str]:
    """Status and reason of the table."""
    if data["galaxy"].size:
        return {"status": "ok", "reason": ""}
    return {"status": "empty", "reason": "no galaxy has a baxel"}


def log_counts(galaxies: list[GalaxyLabels], data) -> None:
    """How much there is, in the log."""
    logger.info("%d baxels of %d galaxies", data["galaxy"].size, len(galaxies))
    for name in ("log_age_lw", "ebv_gas", "log_ssfr", "d_bpt"):
        logger.info("%s: %d values", name, np.isfinite(data[name]).sum())


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
