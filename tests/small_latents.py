"""Small artefacts of an autoencoder of line cubes: latents in three groups, anomaly scores, for what is made of them."""

import numpy as np
from attributes import attributes_of
from small_export import random_data
from small_line_cubes import empty_cubes

from mangrove import artefacts
from mangrove.analysis.nearest import nearest
from mangrove.codes import BptClass, Split
from mangrove.data_model import KINDS

N_LATENT, MODEL = 6, "hash of a model"
SCORES = np.array(["relative", "published"])


def names_of(n):
    """Plateifus of n galaxies, each observed once but the last, which is the first again."""
    plateifu = np.array([f"{8000 + i // 4}-{1901 + i % 4}" for i in range(n)])
    return {"plateifu": plateifu, "mangaid": np.array([f"1-{i % max(1, n - 1)}" for i in range(n)])}


def latents_in_groups(n, seed=5):
    """Latents of n galaxies around three centres, galaxy i in group i % 3, and of which split each is."""
    rng = np.random.default_rng(seed)
    centres = 4.0 * np.eye(3, N_LATENT)
    latent = (centres[np.arange(n) % 3] + rng.normal(0.0, 0.3, (n, N_LATENT))).astype(np.float32)
    split = np.where(np.arange(n) % 5 == 4, Split.TEST, Split.TRAIN)
    return latent, split.astype(np.int8)


def write_latents(path, latent, split, status="ok", reason="", **given):
    """The artefact 'latents'; the invariant ones are the latents themselves unless given."""
    n, n_latent = latent.shape
    given = {"value": latent, "split": split, "invariant": latent} | names_of(n) | given
    data = random_data("latents", {"plateifu": n, "latent": n_latent}, **given)
    about = attributes_of("latents", network="ae", model_hash=MODEL, status=status, reason=reason)
    artefacts.write(path, "latents", data, artefacts.Provenance(), about)


def write_anomalies(path, value, **given):
    """The artefact 'anomalies' of two scores, shape (n, 2); ranks and percentiles are those of the first."""
    n = len(value)
    rank = np.empty(n, int)
    rank[np.argsort(-value[:, 0])] = np.arange(n)
    percentile = np.repeat(100.0 * (n - 1 - rank[:, None]) / max(n, 1), 2, axis=1)
    given = {"score": SCORES, "value": value, "percentile": percentile, "rank": rank} | names_of(n) | given
    data = random_data("anomalies", {"plateifu": n, "shown": 0}, **given)
    about = attributes_of("anomalies", network="ae", model_hash=MODEL)
    artefacts.write(path, "anomalies", data, artefacts.Provenance(), about)


def write_neighbours(path, latent, n_neighbour=3, **given):
    """The artefact 'neighbours'; in all three spaces those of the latents unless given."""
    found = nearest(latent, n_neighbour)
    data = {f"{space}_neighbour": found.index for space in ("latent", "invariant", "umap")}
    data |= {f"{space}_distance": found.distance for space in ("latent", "invariant", "umap")}
    n = len(latent)
    data = random_data("neighbours", {"plateifu": n, "neighbour": n_neighbour}, **data | names_of(n) | given)
    about = attributes_of("neighbours", network="ae", model_hash=MODEL)
    artefacts.write(path, "neighbours", data, artefacts.Provenance(), about)


def path_of(folder, kind):
    """Where an artefact of the network 'ae' lies in the folder of a run."""
    return folder / KINDS[kind].path.format(network="ae")


def write_network(folder, latent, umap, z, split, active, **names):
    """All that readers of a run find of the network 'ae': line cubes, latents, map, neighbours, anomalies, active nuclei.

    The anomaly score of galaxy i is i; ``active`` are the two active nuclei, a LINER and one without a class.
    """
    n, on_map = len(latent), nearest(umap, 3)
    cubes = empty_cubes(names["plateifu"]) | {"z": z}
    about = attributes_of("line_cube_set")
    artefacts.write(path_of(folder, "line_cube_set"), "line_cube_set", cubes, artefacts.Provenance(), about)
    write_latents(path_of(folder, "latents"), latent, split, **names)
    of_map = {"umap_neighbour": on_map.index, "umap_distance": on_map.distance, "overlap": np.linspace(0, 1, n)}
    write_neighbours(path_of(folder, "neighbours"), latent, **of_map, **names)
    write_anomalies(
        path_of(folder, "anomalies"), np.stack([np.arange(n), -np.arange(n)], axis=1).astype(float), **names
    )
    places = {"umap_3d": umap, "split": split, "explained": np.array([0.8, 0.2])} | names
    nuclei = {"score": SCORES, "plateifu": names["plateifu"][list(active)], "agn_bat": np.array([1, 0])}
    nuclei |= {"group": np.array(["all", "agn"]), "group_size": np.array([n, 2])}
    nuclei |= {"bpt_class": np.array([BptClass.LINER, BptClass.NONE])}
    for kind, n_galaxy, given in (("latent_embedding", n, places), ("agn", 2, nuclei)):
        data = random_data(kind, {"plateifu": n_galaxy, "axis_3d": 3, "neighbour": 3}, **given)
        about = attributes_of(kind, network="ae", model_hash=MODEL)
        artefacts.write(path_of(folder, kind), kind, data, artefacts.Provenance(), about)
