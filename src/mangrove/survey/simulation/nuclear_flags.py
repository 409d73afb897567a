"""The sample sheet's flags of active nuclei of simulated galaxies."""

from mangrove.survey.galaxy import AGN_FLAGS
from mangrove.survey.simulation.galaxies import SimulatedGalaxy


def nuclear_flags(galaxy: SimulatedGalaxy) -> dict[str, int]:
    """Flags by column of the sample sheet: infrared finds the nuclei at the centre, X-rays those out of place."""
    flags = dict.fromkeys(AGN_FLAGS, 0)
    return flags | {"agn_wise": int(galaxy.kind == "seyfert"), "agn_bat": int(galaxy.role == "offset_agn")}
