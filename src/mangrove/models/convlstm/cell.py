"""The convolutional LSTM over the wavelength slices of cubes."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from mangrove.models.convlstm.convolution import convolve, forms, recurrent_convolve

#: Gates in the order input, forget, candidate, output, as in Keras.
_N_GATE = 4
#: Places of all cubes that go through the slices together on a CPU: two images of 32 x 32.
_PLACES = 2048


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
    return jnp.swapaxes(_scan(lambda now, h: now + recurrent_convolve(h, recurrent), inputs, recurrent.shape[2]), 0, 1)


def joint_outputs(x: jax.Array, kernel: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """As :func:`hoisted_outputs`, input and state of each slice convolved together, in the scan.

    The gradient computes a slice's gates again from its input and state: no array over all slices is wider than the
    outputs. Few cubes at a time go through all slices, so that what a slice needs stays in the processor's cache.
    """
    both = jnp.concatenate([kernel, recurrent], axis=2)

    def gates(now: jax.Array, h: jax.Array) -> jax.Array:
        return recurrent_convolve(jnp.concatenate([now, h], axis=-1), both) + bias

    def outputs(block: jax.Array) -> jax.Array:
        return jnp.swapaxes(_scan(gates, jnp.swapaxes(block, 0, 1), recurrent.shape[2], again=True), 0, 1)

    n = x.shape[0]
    size = _cubes_at_a_time(n, x.shape[2] * x.shape[3])
    if size == n:
        return outputs(x)
    return jax.lax.map(outputs, x.reshape(n // size, size, *x.shape[1:])).reshape(*x.shape[:-1], recurrent.shape[2])


def _cubes_at_a_time(n: int, n_place: int) -> int:
    """The largest divisor of ``n`` with which slices of ``n_place`` places hold no more than fits a cache."""
    return max((size for size in range(1, n + 1) if n % size == 0 and size * n_place <= _PLACES), default=1)


def _scan(gates: Callable[[jax.Array, jax.Array], jax.Array], inputs: jax.Array, n_out: int, again: bool = False):
    """The loop over slices; ``gates`` of a slice's input and the state h before it are not yet squashed."""
    zero = jnp.zeros((*inputs.shape[1:-1], n_out), inputs.dtype)
    step = partial(_step, gates)
    step = jax.checkpoint(step, prevent_cse=False) if again else step
    return jax.lax.scan(step, (zero, zero), inputs, unroll=forms().unroll)[1]


def _step(gates, carry: tuple[jax.Array, jax.Array], now: jax.Array):
    h, c = carry
    i, f, u, o = jnp.split(gates(now, h), _N_GATE, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h
