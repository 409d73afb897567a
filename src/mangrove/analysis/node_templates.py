"""Spectra co-added node by node, block by block, on the device that assigns them."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class NodeTemplates(NamedTuple):
    """Co-added spectra, each of shape (n_node, n_wave).

    Attributes
    ----------
    flux : ndarray of float32
        Mean over the spectra that have data there; NaN without any.
    scatter : ndarray of float32
        Their standard deviation (n - 1 degrees of freedom); NaN of fewer than two.
    count : ndarray of int
        How many they are.
    """

    flux: np.ndarray
    scatter: np.ndarray
    count: np.ndarray


class NodeSums:
    """Means and squares over the spectra of each node, as they come.

    Within a block, squares are taken about the block's own mean, so that single precision will do on the device; blocks
    are put together in double precision (Chan, Golub & LeVeque 1983, The American Statistician 37, 242).

    Parameters
    ----------
    n_node, n_wave : int
    """

    def __init__(self, n_node: int, n_wave: int) -> None:
        self._count = np.zeros((n_node, n_wave), int)
        self._mean, self._squares = np.zeros((n_node, n_wave)), np.zeros((n_node, n_wave))

    def add(self, flux: np.ndarray, mask: np.ndarray, node: np.ndarray) -> None:
        """Add a block of spectra.

        Parameters
        ----------
        flux, mask : ndarray, shape (n, n_wave)
            Normalised flux; other than 0 where it is not data.
        node : ndarray of int32, shape (n,)
            -1 for a spectrum that does not count.
        """
        found = _block_sums(len(self._count), flux, mask, node)
        count, mean, squares = (np.asarray(part) for part in found)
        total = self._count + count.astype(int)
        part = count / np.maximum(total, 1)
        step = mean - self._mean
        self._squares += squares + step**2 * self._count * part
        self._mean += step * part
        self._count = total

    def templates(self) -> NodeTemplates:
        """Mean, scatter and count of what was added."""
        n = self._count
        scatter = np.where(n > 1, np.sqrt(self._squares / np.maximum(n - 1, 1)), np.nan)
        return NodeTemplates(np.where(n > 0, self._mean, np.nan).astype(np.float32), scatter.astype(np.float32), n)


@partial(jax.jit, static_argnums=0)
def _block_sums(n_node: int, flux: jax.Array, mask: jax.Array, node: jax.Array) -> tuple[jax.Array, ...]:
    """Count, mean and squares about the mean of each node, shape (n_node, n_wave).

    By products with the matrix of members: a sum by index would depend on the order in which a GPU adds.
    """
    member = jax.nn.one_hot(node, n_node, dtype=jnp.float32, axis=0)
    good = (mask == 0) & (node >= 0)[:, None]

    def summed(values: jax.Array) -> jax.Array:
        return jnp.matmul(member, jnp.where(good, values, 0.0), precision="highest")

    count = summed(jnp.ones_like(flux))
    mean = summed(flux) / jnp.maximum(count, 1.0)
    return count, mean, summed((flux - mean[node]) ** 2)
