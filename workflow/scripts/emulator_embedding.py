"""The emulator's inputs on a map in which neighbours are alike."""

from mangrove.analysis.emulator_inputs import embed_inputs
from mangrove.analysis.input_map import write_map
from mangrove.logs import rule_log
from mangrove.models.emulator.line_table import read_stored


def main(inputs, outputs, params, log=None, threads=1):
    """Write the artefact ``outputs.embedding`` from ``inputs.table``."""
    with rule_log(log):
        stored, params = read_stored(inputs.table), dict(params.items())
        found = embed_inputs(stored, stored.table.sees_luminosity(params), params["seed"])
        write_map(outputs.embedding, found, stored, params, [inputs.table])


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
