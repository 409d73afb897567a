"""Fetch one cube from the archive, verified, under its final name; a placeholder where the archive has none."""

import logging

from mangrove.errors import MissingError
from mangrove.logs import rule_log
from mangrove.survey.archive.download import fetch
from mangrove.survey.archive.placeholder import write_placeholder
from mangrove.survey.archive.transfer import Patience

logger = logging.getLogger("mangrove.download")


def main(inputs, outputs, params, log=None, threads=1):
    """Fetch ``params.url`` to ``outputs.cube``."""
    with rule_log(log):
        try:
            fetch(
                params.url,
                outputs.cube,
                params.plateifu or None,
                params.link,
                drpver=params.drpver or None,
                sums=bool(params.plateifu),
                base=params.base,
                mirror=params.mirror,
                patience=Patience(timeout=params.timeout),
            )
        except MissingError as error:
            # A path of the user's own sheet is a mistake, a galaxy that the archive lacks is not.
            if not params.plateifu:
                raise
            logger.warning("%s", error)
            write_placeholder(outputs.cube, params.plateifu, "the archive has no cube of this galaxy")


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
