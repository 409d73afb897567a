"""One galaxy of the simulated survey: its cube in the archive, its truth beside it."""

from mangrove.logs import rule_log
from mangrove.ssp.library import load_mastar
from mangrove.survey.simulation.cubes import write_logcube
from mangrove.survey.simulation.design import design_galaxy
from mangrove.survey.simulation.simulate import simulate_galaxy, write_truth


def main(inputs, outputs, params, log=None, threads=1):
    """Write the cube of ``params.plateifu`` to ``outputs.cube`` and its truth to ``outputs.truth``."""
    with rule_log(log):
        galaxy = design_galaxy(params["plateifu"], params["seed"])
        cube, truth = simulate_galaxy(galaxy, params["release"], load_mastar())
        write_logcube(outputs.cube, cube)
        write_truth(outputs.truth, galaxy, truth, dict(params.items()))


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
