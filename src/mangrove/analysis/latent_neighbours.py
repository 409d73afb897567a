"""The nearest galaxies of each galaxy by latents, by invariant latents and on their map, and how far these agree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.manifold import trustworthiness

from mangrove import artefacts
from mangrove.analysis.cube_copies import chosen_galaxies, copies_among_neighbours, latents_of_copies
from mangrove.analysis.nearest import mean_or_nan, nearest, shared_fraction
from mangrove.models.convlstm.cubes import LineCubes
from mangrove.models.convlstm.model import CubeModel
from mangrove.models.training import model_folder

#: Galaxies that the trustworthiness of the map is judged on, at most: it takes memory for a few n^2 numbers.
N_RANKED = 2000


def find_neighbours(inputs, outputs, params: Mapping[str, Any]) -> None:
    """Write the artefact 'neighbours' of a network.

    Parameters
    ----------
    inputs, outputs : object
        With the rule's files as attributes: line_cube_set, description, arrays, latents, embedding; neighbours.
    params : mapping
        network, n_neighbour, seed (of the choice of galaxies whose copies are encoded).

    Raises
    ------
    ArtefactError, ModelError
        If one of the inputs is missing, damaged or of another kind.
    """
    latents = artefacts.read(inputs.latents, "latents", ["plateifu", "mangaid", "split", "value", "invariant"])
    umap = artefacts.read(inputs.embedding, "latent_embedding", ["umap_3d"])["umap_3d"]
    data, measures = neighbour_tables(latents["value"], latents["invariant"], umap, params["n_neighbour"])
    measures["repeats_among_neighbours"] = repeats_among_neighbours(latents["mangaid"], data["latent_neighbour"])
    measures["copies_among_neighbours"] = _copies(inputs, params["network"], params["seed"])
    names = {name: latents[name] for name in ("plateifu", "mangaid", "split")}
    about = {name: latents.attrs[name] for name in ("network", "model_hash", "status", "reason")}
    files = [inputs.line_cube_set, inputs.description, inputs.arrays, inputs.latents, inputs.embedding]
    prov = artefacts.provenance(outputs.neighbours, params, files)
    artefacts.write(outputs.neighbours, "neighbours", names | data, prov, about | measures)


def neighbour_tables(
    latent: np.ndarray, invariant: np.ndarray, umap: np.ndarray, n_neighbour: int
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Neighbours in three spaces with their distances: datasets of 'neighbours', and measures of their agreement.

    Parameters
    ----------
    latent, invariant, umap : ndarray, shape (n, n_dimension)
        Places of the galaxies in each space; NaN for a galaxy without one.
    n_neighbour : int
    """
    found = {
        name: nearest(place, n_neighbour)
        for name, place in (("latent", latent), ("invariant", invariant), ("umap", umap))
    }
    overlap = shared_fraction(found["latent"].index, found["umap"].index)
    data = {f"{name}_neighbour": of.index for name, of in found.items()}
    data |= {f"{name}_distance": of.distance for name, of in found.items()}
    measures = {"mean_overlap": mean_or_nan(overlap), "trustworthiness": map_trustworthiness(latent, umap, n_neighbour)}
    return data | {"overlap": overlap}, measures


def map_trustworthiness(latent: np.ndarray, umap: np.ndarray, n_neighbour: int) -> float:
    """Whether neighbours on a map are neighbours in the latents, of at most :data:`N_RANKED` galaxies at even steps.

    More only where so many neighbours need more. The measure M1 of Venna & Kaski (2001): 1 is best; NaN where there are not more than two galaxies a neighbour.
    """
    known = np.flatnonzero(np.isfinite(latent).all(axis=1) & np.isfinite(umap).all(axis=1))
    if known.size <= 2 * n_neighbour:
        return float("nan")
    n_ranked = min(known.size, max(N_RANKED, 2 * n_neighbour + 1))
    known = known[np.arange(n_ranked) * known.size // n_ranked]
    return float(trustworthiness(latent[known], umap[known], n_neighbors=n_neighbour))


def repeats_among_neighbours(mangaid: np.ndarray, neighbour: np.ndarray) -> float:
    """Mean fraction of the other observations of a galaxy that are among the neighbours of each; NaN without repeats.

    Parameters
    ----------
    mangaid : ndarray of str, shape (n,)
    neighbour : ndarray of int, shape (n, k)
        As in :class:`mangrove.analysis.nearest.Nearest`. Observations without neighbours do not count.
    """
    placed = (neighbour >= 0).any(axis=1)
    _, galaxy = np.unique(mangaid, return_inverse=True)
    others = np.bincount(galaxy, weights=placed)[galaxy] - 1
    same = ((neighbour >= 0) & (galaxy[neighbour] == galaxy[:, None])).sum(axis=1)
    repeated = placed & (others > 0)
    return mean_or_nan(same[repeated] / np.minimum(others[repeated], neighbour.shape[1]))


def _copies(inputs, network: str, seed: int) -> float:
    """See :func:`mangrove.analysis.cube_copies.copies_among_neighbours`; NaN without a model or a galaxy."""
    folder = Path(inputs.description).parent
    if model_folder.reason_if_empty(folder):
        return float("nan")
    model = CubeModel.load(folder, network)
    cubes = LineCubes.open(inputs.line_cube_set, model.lines)
    rows = chosen_galaxies(cubes.n, seed)
    if not rows.size:
        return float("nan")
    return copies_among_neighbours(latents_of_copies(lambda some: model.encode(some).mean, cubes, rows))
