"""The simulated survey of emission-line cubes, and galaxies held out of it, with their truth."""

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.survey.simulation.line_cube_files import write_line_cubes
from mangrove.survey.simulation.line_cube_survey import design_line_cube_galaxy, held_out_galaxies

#: Normal galaxies held out, over those of each anomaly.
NORMAL_OVER_PLANTED = 3


def main(inputs, outputs, params, log=None, threads=1):
    """Write the cubes of ``params.plateifus`` to ``outputs.line_cube_set`` and ``truth``, those of other galaxies to
    ``held_out`` and ``held_out_truth``."""
    with rule_log(log):
        recorded = dict(params.items())
        seed, n = recorded["seed"], recorded["n_held_out"]
        survey = [design_line_cube_galaxy(name, seed) for name in recorded["plateifus"]]
        held_out = held_out_galaxies(NORMAL_OVER_PLANTED * n, n, seed)
        for path, truth, galaxies, noiseless in (
            (outputs.line_cube_set, outputs.truth, survey, False),
            (outputs.held_out, outputs.held_out_truth, held_out, True),
        ):
            provenances = tuple(artefacts.provenance(one, recorded, []) for one in (path, truth))
            write_line_cubes(path, truth, galaxies, recorded, provenances, noiseless)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
