"""One galaxy of the simulated survey of spectra: its baxels without a cube, and their truth."""

from dataclasses import fields

from mangrove import artefacts
from mangrove.logs import rule_log
from mangrove.ssp.library import load_mastar
from mangrove.survey.releases import release
from mangrove.survey.simulation.baxel_files import extract_of, truth_of
from mangrove.survey.simulation.baxels import simulate_baxels
from mangrove.survey.simulation.simulate import write_truth
from mangrove.survey.simulation.spectra_survey import design_various_galaxy
from mangrove.survey.target import Target


def main(inputs, outputs, params, log=None, threads=1):
    """Write the spectra of ``params.plateifu`` to ``outputs.extract`` and their truth to ``outputs.truth``."""
    with rule_log(log):
        recorded = dict(params.items())
        galaxy = design_various_galaxy(recorded["plateifu"], recorded["seed"])
        baxels = simulate_baxels(galaxy, recorded["n_baxel"], load_mastar())
        target = Target(**{f.name: recorded[f.name] for f in fields(Target)})
        data, attrs = extract_of(baxels, target, release(recorded["release"]).drpver)
        prov = artefacts.provenance(outputs.extract, recorded, [])
        artefacts.write(outputs.extract, "extract", data, prov, attrs)
        write_truth(outputs.truth, galaxy, truth_of(baxels), recorded)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
