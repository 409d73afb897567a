"""Fingerprints on a map of spectra of 3 x 4 nodes, and nodes on a map of galaxies of 2 x 3, for readers of a run."""

import numpy as np
from attributes import attributes_of
from small_export import random_data

from mangrove import artefacts
from mangrove.data_model_desom import FINGERPRINTS, GALAXY_MAP_ASSIGNMENTS


def write_galaxy_map(folder, names, node, counts):
    """Write the artefacts of galaxies, each with a MANGAID of its own, into the folder of a run.

    Parameters
    ----------
    names : list of str
    node : list of int
        Nodes on the map of galaxies, -1 for none.
    counts : ndarray of int, shape (n_galaxy, 12)
        Baxels on the nodes of the map of spectra.
    """
    about = {"plateifu": np.array(names), "mangaid": np.array([f"1-{k}" for k in range(len(names))])}
    prints = {"counts": counts, "n_baxel": np.sum(counts, axis=1)}
    for kind, path, sizes, given, (rows, columns) in (
        ("fingerprints", FINGERPRINTS.path, {"node": 12}, prints, (3, 4)),
        ("galaxy_map_assignments", GALAXY_MAP_ASSIGNMENTS.path, {"repeat": 0}, {"node": np.array(node)}, (2, 3)),
    ):
        data = random_data(kind, {"plateifu": len(names), **sizes}, **about, **given)
        attrs = attributes_of(kind, rows=rows, columns=columns)
        artefacts.write(folder / path, kind, data, artefacts.Provenance(), attrs)
