"""A run that has both maps and nothing else: six galaxies, 4 x 5 nodes of spectra, 2 x 3 of galaxies."""

import numpy as np
from attributes import attributes_of
from mapped_survey import COLUMNS, N_NODE, ROWS, MappedSurvey, mapped_survey, names_of, write_assignments, write_labels
from small_export import random_data
from small_map import write_node_labels

from mangrove import artefacts
from mangrove.codes import Split, TrainingCut
from mangrove.data_model import KINDS

N_GALAXY, N_BAXEL, N_WAVE = 6, 30, 50
#: Nodes of the galaxies on their map, -1 for none, and distances from the prototypes.
GALAXY_NODE, GALAXY_DISTANCE = np.array([4, 4, 0, 4, -1, 1]), np.array([0.5, 0.1, 0.2, 0.3, np.nan, 0.4])
TYPES = np.array(["E", "S0", "Sa"])


def write_maps(folder) -> MappedSurvey:
    """Write the run; its baxels as assigned: two without a node, one that the cuts keep out of the training."""
    mapped = mapped_survey(N_GALAXY, N_BAXEL)
    mapped.node[[3, 77]] = -1
    cut = np.where(np.arange(mapped.node.size) == 11, TrainingCut.LOW_SNR, TrainingCut.KEPT)
    distance = np.random.default_rng(4).uniform(0.1, 1.0, mapped.node.size).astype(np.float32)
    (folder / "desom").mkdir(parents=True)
    write_assignments(folder / KINDS["desom_assignments"].path, mapped, cut=cut, distance=distance)
    write_labels(folder / KINDS["labels"].path, mapped)
    write_node_labels(folder / KINDS["node_labels"].path, ROWS, COLUMNS)
    _write(folder, "desom_map", _map_of_spectra(mapped, cut), {"norm_band": (4050.0, 4150.0)})
    _write_galaxies(folder, mapped)
    return mapped


def _map_of_spectra(mapped, cut) -> dict:
    kept = (mapped.node >= 0) & (cut == TrainingCut.KEPT)
    counts = np.zeros((N_NODE, len(Split)), int)
    np.add.at(counts, (mapped.node[kept], mapped.split[kept]), 1)
    node = np.arange(N_NODE)
    given = {"node_row": node // COLUMNS, "node_column": node % COLUMNS, "n_baxel": counts, "n_galaxy": counts[:, 0]}
    given["wave"] = np.linspace(3650.0, 8950.0, N_WAVE)
    return random_data("desom_map", {"node": N_NODE, "wave": N_WAVE, "split": 3}, **given)


def _write_galaxies(folder, mapped):
    node = np.arange(N_NODE)
    counts = np.zeros((N_GALAXY, N_NODE), int)
    placed = mapped.node >= 0
    np.add.at(counts, (mapped.galaxy[placed], mapped.node[placed]), 1)
    about = {"plateifu": names_of(N_GALAXY), "mangaid": np.array([f"1-{k}" for k in range(N_GALAXY)])}
    prints = {"counts": counts, "n_baxel": counts.sum(axis=1), "normalised": counts / counts.max(axis=1, keepdims=True)}
    places = {"node_row": node // COLUMNS, "node_column": node % COLUMNS}
    data = random_data("fingerprints", {"plateifu": N_GALAXY, "node": N_NODE}, **about, **prints, **places)
    _write(folder, "fingerprints", data, {"weighting": "count"})
    assigned = {"node": GALAXY_NODE, "distance": GALAXY_DISTANCE, "split": np.zeros(N_GALAXY, int)}
    data = random_data("galaxy_map_assignments", {"plateifu": N_GALAXY, "repeat": 0}, **about, **assigned)
    _write(folder, "galaxy_map_assignments", data, {}, rows=2, columns=3)
    node = np.arange(6)
    of_node = {"node_row": node // 3, "node_column": node % 3, "morphology": TYPES}
    n_galaxy = np.zeros((6, 3), int)
    n_galaxy[:, Split.TRAIN] = np.bincount(GALAXY_NODE[GALAXY_NODE >= 0], minlength=6)
    fraction = np.full((6, 3), np.nan)
    fraction[4] = [0.25, 0.0, 0.75]
    of_node |= {"n_galaxy": n_galaxy, "morphology_fraction": fraction, "n_morphology": np.where(node == 4, 4, 0)}
    of_node |= {"sersic_n": np.where(n_galaxy[:, 0] > 0, 2.5 + node, np.nan), "n_sersic": n_galaxy[:, 0]}
    sizes = {"node": 6, "spectrum_node": N_NODE, "split": 3}
    _write(folder, "galaxy_map", random_data("galaxy_map", sizes, **of_node), {}, rows=2, columns=3)


def _write(folder, kind, data, attrs, rows=ROWS, columns=COLUMNS):
    given = attributes_of(kind, rows=rows, columns=columns, **attrs)
    artefacts.write(folder / KINDS[kind].path, kind, data, artefacts.Provenance(), given)
