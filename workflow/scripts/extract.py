"""The only reading of a cube: bins, baxel spectra, line windows, images."""

import logging
from dataclasses import fields

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.binning.galaxy_extraction import extract_galaxy
from mangrove.survey.readers.missing import empty_cube, reason_missing_in
from mangrove.survey.readers.reading import read_cube_of
from mangrove.survey.target import Target

logger = logging.getLogger("mangrove.extract")


def main(inputs, outputs, params, log=None, threads=1):
    """Read ``inputs.cube`` and write the artefact 'extract' to ``outputs.extract``."""
    with rule_log(log):
        recorded = dict(params.items())
        # Where the cube came from changes what an error advises, and no result.
        fetched = bool(recorded.pop("fetched", False))
        target = Target(**{f.name: recorded[f.name] for f in fields(Target) if f.name in recorded})
        missing = reason_missing_in(inputs.cube)
        if missing is None:
            cube = read_cube_of(target.plateifu, inputs.cube, recorded.get("spectrum", -1), fetched)
        else:
            cube = empty_cube(target.plateifu)
        data, attrs = extract_galaxy(cube, target, recorded)
        if missing is not None:
            attrs |= {"status": "missing", "reason": missing}
        logger.info("%s: %s %s %s", target.plateifu, attrs["status"], attrs["reason"], attrs["notes"])
        prov = artefacts.provenance(outputs.extract, recorded, [inputs.cube])
        artefacts.write(outputs.extract, "extract", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
