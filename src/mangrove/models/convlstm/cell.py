"""The convolutional LSTM over the wavelength slices of cubes."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from mangrove.models.convlstm.convolution import convolve, forms, recurrent_convolve
from mangrove.models.convlstm.joint import joint_outputs

#: Gates in the order input, forget, candidate, output, as in Keras.
_N_GATE = 4


class ConvLstm(nnx.Module):
    """A convolutional LSTM, whose outputs at all slices form its result.

    Shi et al. 2015 (NeurIPS 28, 802, equation 3) without its peepholes (the products of the gates with the cell state),
    as Keras' ConvLSTM2D: sigmoid gates, tanh for the candidate and the output; kernels that start from Glorot's uniform
    draw, recurrent ones orthogonal; biases 0, that of the forget gate 1.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int
        Width of the convolutions, odd.
    rngs : nnx.Rngs
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, *, rngs: nnx.Rngs) -> None:
        size = (kernel, kernel)
        glorot, orthogonal = nnx.initializers.glorot_uniform(), nnx.initializers.orthogonal()
        self.kernel = nnx.Param(glorot(rngs.params(), (*size, n_in, _N_GATE * n_out), jnp.float32))
        self.recurrent = nnx.Param(orthogonal(rngs.params(), (*size, n_out, _N_GATE * n_out), jnp.float32))
        self.bias = nnx.Param(jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0], jnp.float32), n_out))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Outputs, shape (n, slice, y, x, n_out), of slices in their order, shape (n, slice, y, x, n_in).

        Everything is computed in the precision of ``x``.
        """
        kernel, recurrent, bias = (param[...].astype(x.dtype) for param in (self.kernel, self.recurrent, self.bias))
        form = hoisted_outputs if forms().hoisted else joint_outputs
        return form(x, kernel, recurrent, bias.reshape(1, 1, 1, -1))


def hoisted_outputs(x: jax.Array, kernel: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """Outputs (n, slice, y, x, n_out) of (n, slice, y, x, n_in); the inputs of all slices are convolved before the scan."""
    x = jnp.swapaxes(x, 0, 1)
    inputs = (convolve(x.reshape(-1, *x.shape[2:]), kernel) + bias).reshape(*x.shape[:-1], -1)
    zero = jnp.zeros((*inputs.shape[1:-1], recurrent.shape[2]), inputs.dtype)
    outputs = jax.lax.scan(partial(_step, recurrent), (zero, zero), inputs, unroll=forms().unroll)[1]
    return jnp.swapaxes(outputs, 0, 1)


def _step(recurrent: jax.Array, carry: tuple[jax.Array, jax.Array], now: jax.Array):
    """One slice; ``now`` is what its input gives the gates."""
    h, c = carry
    i, f, u, o = jnp.split(now + recurrent_convolve(h, recurrent), _N_GATE, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h
