"""The nodes of spectra or of fingerprints on a trained map."""

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.models.desom.model import MapModel
from mangrove.models.desom.som import squared_distances

#: Inputs at a time; a CPU gains nothing by more.
_BLOCK, _CPU_BLOCK = 2048, 128


class Assignment(NamedTuple):
    """Where n spectra (or fingerprints) lie on a map; each of shape (n,).

    Attributes
    ----------
    node, second_node : ndarray of int32
        The best and the second best node.
    distance, second_distance : ndarray of float32
        Euclidean distances to their prototypes, in the space of :meth:`mangrove.models.desom.model.MapModel.som_space`.
    mse : ndarray of float32
        Mean squared deviation of the reconstruction over the values that are not masked, normalised flux.
    """

    node: np.ndarray
    second_node: np.ndarray
    distance: np.ndarray
    second_distance: np.ndarray
    mse: np.ndarray


def assign(model: MapModel, x: np.ndarray, mask: np.ndarray | None = None) -> Assignment:
    """Best and second best nodes, their distances, and how well the network gives the input back.

    Parameters
    ----------
    model : MapModel
    x : array or h5py dataset, shape (n, n_wave) or (n, rows, columns)
        Normalised spectra or fingerprints, finite; read a block at a time.
    mask : array or h5py dataset of the same shape, optional
        Other than 0 where ``x`` is not data (its values are seen, but do not count in ``mse``).
    """
    block = min(_CPU_BLOCK if jax.default_backend() == "cpu" else _BLOCK, max(len(x), 1))
    found = [_assign_block(model, x, mask, start, block) for start in range(0, len(x), block)]
    if not found:
        none = np.empty(0, np.float32)
        return Assignment(none.astype(np.int32), none.astype(np.int32), none, none, none)
    return Assignment(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _assign_block(model: MapModel, x, mask, start: int, block: int) -> Assignment:
    values = np.asarray(x[start : start + block], np.float32)
    n = len(values)
    good = np.ones(values.shape, bool) if mask is None else np.asarray(mask[start : start + block]) == 0
    # One shape is compiled: the last block is filled up.
    fill = ((0, block - n),) + ((0, 0),) * (values.ndim - 1)
    found = _compiled(model.network)(model.state, np.pad(values, fill, mode="edge"), np.pad(good, fill, mode="edge"))
    return Assignment(*(np.asarray(part)[:n] for part in found))


@lru_cache(maxsize=4)
def _compiled(network):
    """The compiled assignment of a network, kept for further calls."""

    def nodes(state, x: jax.Array, good: jax.Array) -> Assignment:
        z = network.encode(state, network.scale.forward(x))
        place, prototypes = (network.som_space(state, values) for values in (z, state["prototypes"][...]))
        _, two = jax.lax.top_k(-squared_distances(place, prototypes), 2)
        distances = [jnp.sqrt(((place - prototypes[two[:, k]]) ** 2).sum(axis=1)) for k in range(2)]
        residual = jnp.where(good, network.scale.backward(network.decode(state, z)) - x, 0.0)
        within = tuple(range(1, x.ndim))
        mse = (residual**2).sum(axis=within) / jnp.maximum(good.sum(axis=within), 1).astype(jnp.float32)
        return Assignment(two[:, 0].astype(jnp.int32), two[:, 1].astype(jnp.int32), *distances, mse)

    return jax.jit(nodes)
