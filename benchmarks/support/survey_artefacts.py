"""A run of any size at artefact level: what the explorer reads, drawn from simple laws instead of computed from cubes.

The laws are documented where they are: galaxies (survey_galaxies), baxels (survey_baxels), nodes (survey_prototypes),
line cubes (survey_cubes). Tables are written block by block, so that memory does not grow with the survey but for a few
columns. Distributions over nodes, fingerprints, neighbours and places in the BPT diagram are computed from the tables
written before by the functions that the workflow uses, so that all artefacts agree.
"""

from pathlib import Path

import numpy as np
from support.survey_copies import copy_files, first_galaxies, joined
from support.survey_cubes import with_cubes, write_cubes
from support.survey_emulator import write_emulator
from support.survey_galaxies import draw_galaxies
from support.survey_latents import NETWORKS, write_network
from support.survey_maps import untrained_model, usual_distance, write_maps
from support.survey_prototypes import make_nodes
from support.survey_tables import Survey, write_tables

from mangrove import artefacts
from mangrove.analysis.active_nuclei import BptPlaces
from mangrove.models.desom.autoencoders import SpectrumArchitecture
from mangrove.models.desom.grid import SomGrid

#: Galaxies that are copied from a real run.
N_COPIED = 4


def write_run(folder, n_galaxy: int, n_baxel: int, seed: int, like=None) -> None:
    """Write the artefacts of a run; the same arguments give the same bytes.

    Parameters
    ----------
    folder : path-like
        results/RUN; what is there already is replaced file by file.
    n_galaxy, n_baxel : int
        Galaxies, and baxels of all of them together; more than those of the galaxies that are copied.
    seed : int
    like : path-like, optional
        A finished run (results/demo), whose first galaxies are copied with bins, fits, line cubes and labels, and its
        model of the emulator. Without it the run has galaxies as tables alone, and no emulator to predict with.

    Raises
    ------
    ArtefactError
        If an artefact of that run is missing, damaged or of another version of mangrove.
    ValueError
        If there are fewer baxels than galaxies.
    """
    folder = Path(folder)
    copied = first_galaxies(like, min(N_COPIED, n_galaxy - 1), seed) if like is not None else None
    n_known = copied.galaxies.n_baxel if copied else np.empty(0, int)
    if n_baxel - n_known.sum() < n_galaxy - n_known.size:
        raise ValueError(f"{n_baxel} baxels are too few for {n_galaxy} galaxies: give more.")
    galaxies = draw_galaxies(n_galaxy - n_known.size, n_baxel - int(n_known.sum()), seed)
    galaxies = joined(copied.galaxies, galaxies) if copied else galaxies
    nodes = make_nodes(SomGrid(), SpectrumArchitecture().n_wave)
    model = untrained_model(nodes, seed)
    (folder / "desom").mkdir(parents=True, exist_ok=True)
    model.save(folder / "desom" / "model")
    model_hash = artefacts.input_hash(folder / "desom" / "model" / "arrays.npz")
    survey = Survey(folder, galaxies, copied, nodes, usual_distance(model), model_hash, seed)
    places = write_tables(survey, copy_files(copied, folder) if copied else [])
    write_maps(survey, model.prototypes)
    write_emulator(survey)
    cubes = with_cubes(galaxies)
    write_cubes(survey, galaxies.of(cubes))
    for number in range(len(NETWORKS)):
        write_network(survey, number, galaxies.of(cubes), BptPlaces(*(values[cubes] for values in places)))
