"""The emission-line cube of one galaxy, cropped around its centre."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.spectra.linecubes.line_cube import DATASETS, line_cube


def main(inputs, outputs, params, log=None, threads=1):
    """Crop the line windows of ``inputs.extract``; write the artefact 'line_cube' to ``outputs.line_cube``."""
    with rule_log(log):
        data, attrs = line_cube(artefacts.read(inputs.extract, "extract", DATASETS), params["size"])
        prov = artefacts.provenance(outputs.line_cube, dict(params.items()), [inputs.extract])
        artefacts.write(outputs.line_cube, "line_cube", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
