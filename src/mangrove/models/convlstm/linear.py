"""The linear part of an autoencoder: principal components of the training cubes, which no training step changes."""

import jax
import jax.numpy as jnp
from flax import nnx


class Frozen(nnx.Variable):
    """An array of a network that training leaves as it is."""


class LinearPart(nnx.Module):
    """Principal components of cubes in the network's units; all 0 until they are given. Their gradients are 0 and cost nothing.

    Parameters
    ----------
    n_component : int
    shape : tuple of int
        Of a cube: line, pixel, y, x.

    Attributes
    ----------
    mean : shape (line, pixel, y, x)
        Mean of the training cubes, over valid values.
    component : shape (component, line, pixel, y, x)
        Of unit length each.
    deviation : shape (component,)
        Standard deviation of the training cubes along each.
    """

    def __init__(self, n_component: int, shape: tuple[int, ...]) -> None:
        self.mean = Frozen(jnp.zeros(shape, jnp.float32))
        self.component = Frozen(jnp.zeros((n_component, *shape), jnp.float32))
        self.deviation = Frozen(jnp.ones((n_component,), jnp.float32))

    def encode(self, units: jax.Array, valid: jax.Array, latent: int) -> jax.Array:
        """Principal components over their standard deviations, shape (n, latent), 0 beyond the last component.

        What is not valid counts as the mean.
        """
        n = units.shape[0]
        deviation = jnp.where(valid, units - _constant(self.mean)[None], 0.0).reshape(n, -1)
        found = jnp.matmul(deviation, self._flat().T, precision="highest") / _constant(self.deviation)[None]
        return jnp.pad(found, ((0, 0), (0, latent - found.shape[1])))

    def decode(self, z: jax.Array) -> jax.Array:
        """Cubes (n, line, pixel, y, x) of latents (n, latent)."""
        found = z[:, : self.deviation.shape[0]] * _constant(self.deviation)[None]
        cubes = jnp.matmul(found, self._flat(), precision="highest")
        return _constant(self.mean)[None] + cubes.reshape(-1, *self.mean.shape)

    def _flat(self) -> jax.Array:
        return _constant(self.component).reshape(self.component.shape[0], -1)


def _constant(array: Frozen) -> jax.Array:
    return jax.lax.stop_gradient(array[...])
