"""What the layers of all networks with convolutions hold."""

import jax
import jax.numpy as jnp
from flax import nnx


class Layer(nnx.Module):
    """Kernel and bias, which start as in Keras: Glorot's uniform draw, and zero."""

    def __init__(self, shape: tuple[int, ...], rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(nnx.initializers.glorot_uniform()(rngs.params(), shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(shape[-1:], jnp.float32))

    def cast(self, dtype: jnp.dtype, rank: int) -> tuple[jax.Array, jax.Array]:
        """Kernel and bias in a precision, the bias with as many dimensions as what it is added to."""
        bias = self.bias[...].astype(dtype)
        return self.kernel[...].astype(dtype), bias.reshape((1,) * (rank - 1) + bias.shape)
