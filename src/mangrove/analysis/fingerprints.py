"""Fingerprints of galaxies: how the baxels of each spread over the nodes of the map of spectra.

After Teimoorinia et al. (2022, section 4). What they leave open is in docs/desom.md: which baxels count, what a radius
weighs that is not known, and nodes on which no galaxy of the training set lies.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from mangrove.artefacts import Artefact
from mangrove.codes import Split
from mangrove.survey.split import split_of

#: Nodes of a stack of maps, shape (n_galaxy, rows, columns), that touch: the 8 neighbours in the map of one galaxy.
_EIGHT_NEIGHBOURS = np.zeros((3, 3, 3), bool)
_EIGHT_NEIGHBOURS[1] = True
#: Weight of a baxel of unknown radius, as if it lay at one effective radius: what all weigh where radii do not count.
_UNKNOWN_RADIUS = 1.0


class Assigned(NamedTuple):
    """Baxels with a node, of all galaxies.

    Attributes
    ----------
    galaxy, node : ndarray of int, shape (n,)
    radius_re : ndarray, shape (n,)
        Elliptical radius in effective radii; NaN if R_e is unknown.
    """

    galaxy: np.ndarray
    node: np.ndarray
    radius_re: np.ndarray


class Scaled(NamedTuple):
    """Weights of galaxies on the nodes, scaled for the network.

    Attributes
    ----------
    normalised : ndarray, shape (n_galaxy, n_node)
        From 0 to 1, the largest of each galaxy 1; all 0 of a galaxy without weight on nodes that have a limit.
    node_limit : ndarray, shape (n_node,)
    """

    normalised: np.ndarray
    node_limit: np.ndarray


class Patches(NamedTuple):
    """The separate patches of each fingerprint.

    Attributes
    ----------
    n_patch : ndarray of int, shape (n_galaxy,)
    spread : ndarray, shape (n_galaxy,)
        Root mean square of the Euclidean distance, in nodes, of the patches' centres from their mean, baxels as
        weights; 0 for a single patch, NaN for none.
    """

    n_patch: np.ndarray
    spread: np.ndarray


def galaxy_fingerprints(found: Artefact, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The datasets of the artefact 'fingerprints'.

    Every baxel with a node counts, also those that the cuts keep out of the training spectra.

    Parameters
    ----------
    found : Artefact
        'desom_assignments'.
    params : mapping
        weighting, clip_percentile, validation_fraction, test_fraction, seed.
    """
    rows, columns = found.attrs["rows"], found.attrs["columns"]
    split_by = params["seed"], params["validation_fraction"], params["test_fraction"]
    split = np.array([split_of(name, *split_by) for name in found["mangaid"].tolist()], int)
    has_node = found["node"] >= 0
    baxels = Assigned(*(found[name][has_node] for name in Assigned._fields))
    shape = len(split), rows * columns
    counts = sums(baxels, np.ones(len(baxels.node)), shape).astype(int)
    weight = sums(baxels, baxel_weights(baxels.radius_re, params["weighting"]), shape)
    scaled = scale(weight, (split == Split.TRAIN) & counts.any(axis=1), params["clip_percentile"])
    patches = find_patches(counts.reshape(len(split), rows, columns))
    node = np.arange(rows * columns)
    return {
        "plateifu": found["plateifu"],
        "mangaid": found["mangaid"],
        "split": split,
        "node_row": node // max(columns, 1),
        "node_column": node % max(columns, 1),
        "counts": counts,
        "weight": weight,
        "normalised": scaled.normalised,
        "node_limit": scaled.node_limit,
        "mean_radius": mean_radii(baxels, shape),
        "n_baxel": counts.sum(axis=1),
        "n_patch": patches.n_patch,
        "patch_spread": patches.spread,
    }


def why_empty(found: Artefact, data: Mapping[str, np.ndarray]) -> str:
    """Why there are no fingerprints to learn from; empty text if there are."""
    if not found.ok:
        return found.attrs["reason"]
    return "" if data["node_limit"].any() else "no galaxy of the training set has a baxel on the map of spectra"


def baxel_weights(radius_re: np.ndarray, weighting: str) -> np.ndarray:
    """What each baxel weighs in the fingerprint of its galaxy, shape (n,).

    Parameters
    ----------
    radius_re : ndarray, shape (n,)
        In effective radii, NaN where unknown.
    weighting : str
        count: 1; radius: the radius in effective radii, 1 where it is unknown.
    """
    if weighting == "count":
        return np.ones(len(radius_re))
    return np.where(np.isfinite(radius_re), radius_re, _UNKNOWN_RADIUS)


def sums(baxels: Assigned, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Sums of values of baxels, shape (n,), by galaxy and node: shape (n_galaxy, n_node)."""
    place = baxels.galaxy.astype(np.int64) * shape[1] + baxels.node
    return np.bincount(place, values, minlength=shape[0] * shape[1]).reshape(shape)


def mean_radii(baxels: Assigned, shape: tuple[int, int]) -> np.ndarray:
    """Mean radius of the baxels by galaxy and node, in effective radii; NaN without any of known radius."""
    known = np.isfinite(baxels.radius_re)
    total = sums(baxels, np.where(known, baxels.radius_re, 0.0), shape)
    number = sums(baxels, known.astype(float), shape)
    return np.divide(total, number, out=np.full(shape, np.nan), where=number > 0)


def scale(weight: np.ndarray, train: np.ndarray, clip_percentile: float) -> Scaled:
    """Weights from 0 to 1: clipped node by node at the limit there, over it, then over the largest of each galaxy.

    A node whose limit is 0 is 0 in all fingerprints: of the training galaxies none lies there, or too few to reach the
    percentile, so that the network learns nothing of it.

    Parameters
    ----------
    weight : ndarray, shape (n_galaxy, n_node)
    train : ndarray of bool, shape (n_galaxy,)
        The galaxies whose weights set the limits.
    clip_percentile : float
        Percentile of these weights, between values linear.
    """
    limit = np.percentile(weight[train], clip_percentile, axis=0) if train.any() else np.zeros(weight.shape[1])
    part = np.divide(np.minimum(weight, limit), limit, out=np.zeros(weight.shape), where=limit > 0)
    largest = part.max(axis=1, keepdims=True, initial=0.0)
    return Scaled(np.divide(part, largest, out=np.zeros(weight.shape), where=largest > 0), limit)


def find_patches(counts: np.ndarray) -> Patches:
    """Connected patches of nodes with baxels, where a node touches its 8 neighbours.

    Parameters
    ----------
    counts : ndarray of int, shape (n_galaxy, rows, columns)
    """
    n_galaxy = len(counts)
    label, n_patch = ndimage.label(counts > 0, _EIGHT_NEIGHBOURS)
    galaxy, row, column = np.nonzero(counts)
    patch, mass = label[galaxy, row, column] - 1, counts[galaxy, row, column]
    patch_mass = np.bincount(patch, mass, minlength=n_patch)
    owner = np.zeros(n_patch, int)
    owner[patch] = galaxy
    total = np.bincount(owner, patch_mass, minlength=n_galaxy)
    square = np.zeros(n_galaxy)
    for coordinate in (row, column):
        centre = np.bincount(patch, mass * coordinate, minlength=n_patch) / patch_mass
        mean = _over(np.bincount(owner, patch_mass * centre, minlength=n_galaxy), total)
        square += np.bincount(owner, patch_mass * (centre - mean[owner]) ** 2, minlength=n_galaxy)
    return Patches(np.bincount(owner, minlength=n_galaxy), np.sqrt(_over(square, total)))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Part of the baxels that two fingerprints share: sum over nodes of min(p, q), with p and q the parts on each node.

    From 0 to 1, where the two are equal in all but number; NaN if one has no baxel.

    Parameters
    ----------
    one, other : ndarray of int, shape (n_node,)
        Counts.
    """
    if not (one.any() and other.any()):
        return float("nan")
    return float(np.minimum(one / one.sum(), other / other.sum()).sum())


def _over(values: np.ndarray, total: np.ndarray) -> np.ndarray:
    """A ratio of arrays of one shape, NaN where the second is 0."""
    return np.divide(values, total, out=np.full(total.shape, np.nan), where=total > 0)
