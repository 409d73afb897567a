"""Principal components of the training line cubes, which the autoencoders are compared with."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.validation.line_cube_components import fit_components


def main(inputs, outputs, params, log=None, threads=1):
    """Write ``outputs.components`` from ``inputs.line_cube_set``."""
    with rule_log(log):
        data, attrs = fit_components(inputs.line_cube_set, params)
        prov = artefacts.provenance(outputs.components, dict(params.items()), [inputs.line_cube_set])
        artefacts.write(outputs.components, "line_cube_components", data, prov, attrs)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
