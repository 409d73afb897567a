"""The latents of line cubes as principal components and as maps (UMAP), and the fitted maps again from what is stored."""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from mangrove import artefacts
from mangrove.analysis.nearest import mean_or_nan, nearest, shared_fraction
from mangrove.analysis.seeded_umap import fitted_umap
from mangrove.artefacts import Artefact
from mangrove.codes import Split

if TYPE_CHECKING:
    from umap import UMAP

#: Galaxies that a map is made of, at least.
LEAST_GALAXIES = 10
_N_SEEDS = 2**32
logger = logging.getLogger(__name__)


class LatentComponents(NamedTuple):
    """Principal components of the latents of the training set.

    Attributes
    ----------
    mean : ndarray of float32, shape (n_latent,)
    direction : ndarray of float32, shape (n_component, n_latent)
        Rows of unit length.
    explained : ndarray of float32, shape (n_component,)
        Fraction of the variance that each explains.
    """

    mean: np.ndarray
    direction: np.ndarray
    explained: np.ndarray

    def of(self, latent: np.ndarray) -> np.ndarray:
        """Principal components of latents, float32, shape (n, n_component); NaN where a latent is."""
        return ((np.asarray(latent, float) - self.mean) @ self.direction.T.astype(float)).astype(np.float32)


class LatentMaps(NamedTuple):
    """Places of galaxies on maps of their latents: datasets of 'latent_embedding'.

    Attributes
    ----------
    umap_3d, umap_2d : ndarray of float32, shape (n, 3) and (n, 2)
        NaN for a galaxy without latents.
    seed : ndarray of int, shape (n_seed,)
        Seeds of the maps in three dimensions that are compared; ``umap_3d`` and ``umap_2d`` have the first.
    seed_overlap : ndarray, shape (n_seed,)
        Mean fraction of the neighbours in ``umap_3d`` that the map of that seed shares: 1 for the first.
    """

    umap_3d: np.ndarray
    umap_2d: np.ndarray
    seed: np.ndarray
    seed_overlap: np.ndarray


def embed_run(inputs, outputs, params: Mapping[str, Any]) -> None:
    """Write the artefact 'latent_embedding' of a network.

    Parameters
    ----------
    inputs, outputs : object
        With the rule's files as attributes: latents; embedding.
    params : mapping
        components, umap_neighbours, min_dist, n_seed (section 'embedding' of the configuration), seed.

    Raises
    ------
    ArtefactError
        If the latents are missing, damaged or of another kind.
    """
    stored = artefacts.read(inputs.latents, "latents", ["plateifu", "mangaid", "split", "value"])
    latent = stored["value"]
    train = latent[(stored["split"] == Split.TRAIN) & np.isfinite(latent).all(axis=1)]
    found = principal_components(train, params["components"])
    principal = found.of(latent)
    n_known = int(np.isfinite(principal).all(axis=1).sum()) if len(found.direction) else 0
    reason = stored.attrs["reason"] or _too_few(train, n_known)
    seeds = (params["seed"] + np.arange(params["n_seed"])) % _N_SEEDS
    neighbours = 0 if reason else neighbours_for(n_known, params["umap_neighbours"])
    made = without_maps(len(latent), seeds) if reason else maps(principal, neighbours, params["min_dist"], seeds)
    names = {name: stored[name] for name in ("plateifu", "mangaid", "split")}
    about = {name: stored.attrs[name] for name in ("network", "model_hash")}
    about |= {"umap_neighbours": neighbours, "min_dist": params["min_dist"], "umap_version": version("umap-learn")}
    about |= {"status": "empty" if reason else "ok", "reason": reason}
    data = names | found._asdict() | {"principal": principal} | made._asdict()
    prov = artefacts.provenance(outputs.embedding, params, [inputs.latents])
    artefacts.write(outputs.embedding, "latent_embedding", data, prov, about)


def principal_components(train: np.ndarray, most: int) -> LatentComponents:
    """Principal components of latents of the training set.

    Fewer than asked for where there are fewer latents or galaxies, and none where the latents do not vary: n galaxies
    have n - 1 directions in which they differ, and the log says so.

    Parameters
    ----------
    train : ndarray, shape (n_train, n_latent)
        Finite.
    most : int
        Number of components asked for.
    """
    n_train, n_latent = train.shape
    n = max(0, min(most, n_latent, n_train - 1))
    if n < most:
        logger.info(
            "%d principal components in place of %d: %d latents, %d galaxies to fit", n, most, n_latent, n_train
        )
    if n == 0 or not np.ptp(train, axis=0).any():
        mean = train.mean(axis=0) if n_train else np.zeros(n_latent)
        return LatentComponents(mean.astype(np.float32), np.zeros((0, n_latent), np.float32), np.zeros(0, np.float32))
    with threadpool_limits(1):
        fit = PCA(n, svd_solver="full").fit(np.asarray(train, float))
    logger.info("%d principal components explain %.4f of the variance", n, fit.explained_variance_ratio_.sum())
    parts = (fit.mean_, fit.components_, fit.explained_variance_ratio_)
    return LatentComponents(*(np.asarray(part, np.float32) for part in parts))


def maps(principal: np.ndarray, neighbours: int, min_dist: float, seeds: np.ndarray) -> LatentMaps:
    """Maps of galaxies by their principal components, one in three dimensions for each seed.

    Parameters
    ----------
    principal : ndarray of float32, shape (n, n_component)
        NaN for a galaxy without latents.
    neighbours, min_dist
        See :func:`mangrove.analysis.seeded_umap.fitted_umap`.
    seeds : ndarray of int, shape (n_seed,)
    """
    known = np.isfinite(principal).all(axis=1)

    def places(dimensions: int, seed: int) -> np.ndarray:
        found = np.full((len(principal), dimensions), np.nan, np.float32)
        found[known] = fitted_umap(principal[known], dimensions, neighbours, min_dist, int(seed)).embedding_
        return found

    of_seeds = [places(3, seed) for seed in seeds]
    first, *others = (nearest(place, neighbours).index for place in of_seeds)
    overlap = [1.0, *(mean_or_nan(shared_fraction(first, other)) for other in others)]
    if others:
        logger.info("neighbours that maps of other seeds share: %s", ", ".join(f"{part:.2f}" for part in overlap[1:]))
    return LatentMaps(of_seeds[0], places(2, seeds[0]), seeds, np.array(overlap))


def without_maps(n: int, seeds: np.ndarray) -> LatentMaps:
    """The same where there are too few galaxies for a map."""
    return LatentMaps(*(np.full((n, d), np.nan, np.float32) for d in (3, 2)), seeds, np.full(seeds.size, np.nan))


def neighbours_for(n: int, asked: int) -> int:
    """Neighbours that shape a map of n galaxies: those asked for, but at most half of the galaxies."""
    neighbours = min(asked, n // 2)
    if neighbours < asked:
        logger.info("UMAP with %d neighbours in place of %d, half of %d galaxies", neighbours, asked, n)
    return neighbours


def refit(stored: Artefact, dimensions: int = 3) -> "UMAP":
    """The fitted map of an artefact: made again from the principal components, parameters and seed that it holds.

    With the same version of umap-learn on the same kind of processor, ``embedding_`` equals the stored map bit for bit;
    where it does not, the log warns. ``refit(stored).transform(components_of(stored, latents))`` places new galaxies.

    Parameters
    ----------
    stored : Artefact
        Of the kind 'latent_embedding', with a map (``stored.ok``).
    dimensions : {3, 2}

    Raises
    ------
    ValueError
        If the artefact has no map.
    """
    if not stored.ok:
        raise ValueError(f"there is no map to fit again: {stored.attrs['reason']}")
    known = np.isfinite(stored["principal"]).all(axis=1)
    settings = stored.attrs["umap_neighbours"], stored.attrs["min_dist"], int(stored["seed"][0])
    fit = fitted_umap(stored["principal"][known], dimensions, *settings)
    if not np.array_equal(fit.embedding_, stored[f"umap_{dimensions}d"][known]):
        logger.warning(
            "the map fitted again differs from the stored one, which umap-learn %s made; here is %s",
            stored.attrs["umap_version"],
            version("umap-learn"),
        )
    return fit


def components_of(stored: Artefact, latent: np.ndarray) -> np.ndarray:
    """Principal components of new latents, shape (n, n_component), as those of an artefact 'latent_embedding'."""
    return LatentComponents(*(stored[name] for name in LatentComponents._fields)).of(latent)


def _too_few(train: np.ndarray, n_known: int) -> str:
    """Why there can be no map; empty if there can."""
    if len(train) < 2:
        return f"{len(train)} galaxies of the training set are too few for principal components; 2 are needed"
    if n_known == 0:
        return f"the latents of the {len(train)} galaxies of the training set are all equal"
    if n_known < LEAST_GALAXIES:
        return f"{n_known} galaxies with latents are too few for a map; {LEAST_GALAXIES} are needed"
    return ""
