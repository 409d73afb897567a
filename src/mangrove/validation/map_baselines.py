"""What the map of spectra is compared with: clusters of its latents and of principal components, and their reconstruction."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from mangrove.analysis.node_distributions import group_medians
from mangrove.validation.comparison import spearman

#: Numbers of principal components that are tried: for clusters, and for the reconstruction.
OF_CLUSTERS, OF_RECONSTRUCTION = (4, 8, 16, 32, 64, 128), (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: Starts of the clusters, of which the one with the smallest distances counts: one may end in a poor minimum.
N_START = 5
_BLOCK = 1000


class Components(NamedTuple):
    """Principal components: mean, shape (n_wave,), directions, (n_component, n_wave), and the spread along each."""

    mean: np.ndarray
    axes: np.ndarray
    spread: np.ndarray

    def whitened(self, x: np.ndarray, n: int) -> np.ndarray:
        """The first n coordinates of spectra, shape (n_spectrum, n), each over its standard deviation."""
        return ((x - self.mean) @ self.axes[:n].T) / self.spread[:n]


class Samples(NamedTuple):
    """Something of the spectra of each split: arrays of shape (n, ...), or their SplitSpectra."""

    train: Any
    validation: Any
    test: Any


def principal_components(x: np.ndarray, most: int, seed: int) -> Components:
    """The first components of spectra, shape (n, n_wave), ``most`` at most and fewer than there are spectra."""
    found = PCA(min(most, len(x) - 1, x.shape[1]), svd_solver="randomized", random_state=seed).fit(x)
    return Components(found.mean_, found.components_, np.sqrt(found.explained_variance_))


def cluster_rho(features: Samples, labels: Samples, n_cluster: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Spearman's rho of labels with the medians of their k-means clusters, on validation and test, shape (n_label,) each.

    Parameters
    ----------
    features : Samples
        Shape (n, n_feature); the clusters are those of the training set.
    labels : Samples
        Shape (n, n_label), NaN where missing; medians are those of the training set.
    n_cluster : int
        Fewer if there are fewer training spectra.
    seed : int
    """
    found = KMeans(min(n_cluster, len(features.train)), n_init=N_START, random_state=seed).fit(features.train)
    return tuple(
        _rho(found.labels_, labels.train, found.predict(x) if len(x) else np.empty(0, int), y)
        for x, y in ((features.validation, labels.validation), (features.test, labels.test))
    )


def best_component_rho(flux: Samples, labels: Samples, n_cluster: int, seed: int) -> tuple[int, np.ndarray]:
    """Number of whitened components of asinh(flux) whose clusters are best on the validation set, and their rho on the test set.

    Parameters as in :func:`cluster_rho`, with normalised fluxes, shape (n, n_wave). Best in the mean over the labels; the
    middle number where the validation set cannot tell.
    """
    scaled = Samples(*map(np.arcsinh, flux))
    components = principal_components(scaled.train, max(OF_CLUSTERS), seed)
    numbers = sorted({min(n, len(components.spread)) for n in OF_CLUSTERS})
    found = [
        cluster_rho(Samples(*(components.whitened(x, n) for x in scaled)), labels, n_cluster, seed) for n in numbers
    ]
    means = np.array([_mean(on_validation) for on_validation, _ in found])
    best = int(np.nanargmax(means)) if np.isfinite(means).any() else len(numbers) // 2
    return numbers[best], found[best][1]


def components_of_reconstruction(flux: np.ndarray, n_latent: int, seed: int) -> tuple[Components, list[int]]:
    """Components of spectra, shape (n, n_wave), and the numbers of them that are tried, that of the latents among them."""
    components = principal_components(flux, max(*OF_RECONSTRUCTION, n_latent), seed)
    return components, sorted({min(n, len(components.spread)) for n in (*OF_RECONSTRUCTION, n_latent)})


def reconstruction_errors(
    components: Components, numbers: Sequence[int], flux: np.ndarray, target: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Mean square of reconstruction minus target by number of components, shape (n_spectrum, n_number).

    Parameters
    ----------
    components : Components
    numbers : sequence of int
        Ascending.
    flux, target : ndarray, shape (n_spectrum, n_wave)
        What is projected on the components, and what it should have been.
    mask : ndarray of bool, shape (n_spectrum, n_wave)
        Bins that do not count.
    """
    errors = [np.empty((0, len(numbers)))]
    for start in range(0, len(flux), _BLOCK):
        part = slice(start, start + _BLOCK)
        errors.append(_block_errors(components, numbers, flux[part], target[part], mask[part]))
    return np.concatenate(errors)


def _block_errors(components: Components, numbers, flux, target, mask) -> np.ndarray:
    places = (flux - components.mean) @ components.axes.T
    residual, done, errors = components.mean - target, 0, []
    for n in numbers:
        residual = residual + places[:, done:n] @ components.axes[done:n]
        done = n
        errors.append(np.where(mask, 0.0, residual**2).sum(axis=1))
    return np.stack(errors, axis=1) / np.maximum((~mask).sum(axis=1), 1)[:, None]


def _rho(train_group, train_labels, group, labels) -> np.ndarray:
    n_group = int(train_group.max()) + 1
    medians = [group_medians(train_group, one, n_group) for one in train_labels.T]
    return np.array([spearman(median[group], one) for median, one in zip(medians, labels.T, strict=True)])


def _mean(values) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
