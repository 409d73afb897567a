"""The convolutional LSTM with input and state convolved together, its gradient written by hand: the form for a CPU.

The compiler's gradient of a scan stores what each slice needs, copies it where blocks of cubes are scanned one after the
other, and adds up the gradient of the bias place by place; together these take as long as all products of matrices.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mangrove.models.convlstm.convolution import add_patches, patches, shares

#: Places of all cubes that go through the slices together: two images of 32 x 32, so that what a slice needs stays in
#: the processor's cache.
_PLACES = 2048


class _Kept(NamedTuple):
    """What the gradient needs of a turn: the activated gates and the cell state after it, each (block, y, x, n_out)."""

    i: jax.Array
    f: jax.Array
    u: jax.Array
    o: jax.Array
    c: jax.Array


def joint_outputs(x: jax.Array, kernel: jax.Array, recurrent: jax.Array, bias: jax.Array) -> jax.Array:
    """Outputs (n, slice, y, x, n_out) of a convolutional LSTM on inputs (n, slice, y, x, n_in).

    ``kernel`` and ``recurrent`` are the convolutions of input and state to the gates, (k, k, n_in or n_out, 4 n_out);
    ``bias`` is (1, 1, 1, 4 n_out). Cubes go through the slices in blocks, one block after the other.
    """
    n, n_slice, rows, columns = x.shape[:4]
    part = shares(n)
    size = _cubes_at_a_time(n // part, rows * columns)
    both = jnp.concatenate([kernel, recurrent], axis=2)
    blocks = jnp.moveaxis(x.reshape(part, -1, size, *x.shape[1:]), (1, 3), (0, 1))
    h = _outputs((n_slice, part), blocks.reshape(-1, part * size, *x.shape[2:]), both, bias)
    h = h.reshape(-1, n_slice, part, size, *h.shape[2:])
    return jnp.moveaxis(h, (0, 1), (1, 3)).reshape(n, n_slice, *h.shape[4:])


def _cubes_at_a_time(n: int, n_place: int) -> int:
    """The largest divisor of ``n`` with which slices of ``n_place`` places hold no more than fits a cache."""
    return max((size for size in range(1, n + 1) if n % size == 0 and size * n_place <= _PLACES), default=1)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _outputs(sizes: tuple[int, int], x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Outputs (turn, block, y, x, n_out) of inputs (turn, block, y, x, n_in).

    ``sizes``: turns of each block, and into how many devices' shares it divides.
    """
    return _forward(sizes, x, kernel, bias)[0]


def _forward(sizes: tuple[int, int], x: jax.Array, kernel: jax.Array, bias: jax.Array):
    """The outputs, and what the gradient needs."""
    n_slice, width, n_gate = sizes[0], kernel.shape[0], kernel.shape[-1]
    matrix = kernel.reshape(-1, n_gate)

    def turn(carry: tuple[jax.Array, jax.Array], given: tuple[jax.Array, jax.Array]):
        now, first = given
        h, c = (jnp.where(first, 0.0, value) for value in carry)
        i, f, u, o = jnp.split(patches(jnp.concatenate([now, h], axis=-1), width) @ matrix + bias, 4, axis=-1)
        i, f, u, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(u), jax.nn.sigmoid(o)
        c = f * c + i * u
        h = o * jnp.tanh(c)
        return (h, c), (h, _Kept(i, f, u, o, c))

    zero = jnp.zeros((*x.shape[1:-1], n_gate // 4), x.dtype)
    h, kept = jax.lax.scan(turn, (zero, zero), (x, jnp.arange(len(x)) % n_slice == 0))[1]
    return h, (x, kernel, bias, h, kept)


def _backward(sizes: tuple[int, int], residuals, gradient: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gradients of inputs, kernel and bias, from those of the outputs: the turns backwards."""
    x, kernel, bias, h, kept = residuals
    (n_slice, part), width, n_in, n_gate = sizes, kernel.shape[0], x.shape[-1], kernel.shape[-1]
    matrix = kernel.reshape(-1, n_gate)
    # A column sum takes the compiler several times as long as the product with ones.
    ones = jnp.ones((math.prod(x.shape[1:-1]) // part,), x.dtype)
    # Each device adds up its own share: summed over devices in every turn, they would wait for each other.
    total = partial(jnp.einsum, preferred_element_type=jnp.float32)

    def turn(carry: tuple[jax.Array, ...], given: tuple[jax.Array, jax.Array, jax.Array, _Kept]):
        d_h, d_c, d_matrix, d_bias = carry
        t, now, d_output, gates = given
        last = t % n_slice == n_slice - 1
        before = partial(_turn_before, t, t % n_slice == 0)
        d_h, d_c = d_output + jnp.where(last, 0.0, d_h), jnp.where(last, 0.0, d_c)
        d_gates, d_c = _through_cell(d_h, d_c, gates, before(kept.c))
        d_both = add_patches(d_gates @ matrix.T, width)
        around = patches(jnp.concatenate([now, before(h)], axis=-1), width).reshape(part, -1, len(matrix))
        d_gates = d_gates.reshape(part, -1, n_gate)
        d_matrix += total("pqg,pqk->pgk", d_gates, around)
        d_bias += total("q,pqg->pg", ones, d_gates)
        return (d_both[..., n_in:], d_c, d_matrix, d_bias), d_both[..., :n_in]

    zero = jnp.zeros_like(h[0])
    sums = jnp.zeros((part, *matrix.shape[::-1]), jnp.float32), jnp.zeros((part, n_gate), jnp.float32)
    turns = (jnp.arange(len(x)), x, gradient, kept)
    (_, _, d_matrix, d_bias), d_x = jax.lax.scan(turn, (zero, zero, *sums), turns, reverse=True)
    d_kernel, d_bias = d_matrix.sum(axis=0).T.reshape(kernel.shape), d_bias.sum(axis=0).reshape(bias.shape)
    return d_x, d_kernel.astype(kernel.dtype), d_bias.astype(bias.dtype)


def _turn_before(t: jax.Array, first: jax.Array, values: jax.Array) -> jax.Array:
    """What the turn before ``t`` left; 0 before the first of a block."""
    return jnp.where(first, 0.0, jax.lax.dynamic_index_in_dim(values, jnp.maximum(t - 1, 0), keepdims=False))


def _through_cell(d_h: jax.Array, d_c: jax.Array, gates: _Kept, c_before: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients of the gates before their activation, (block, y, x, 4 n_out), and of the cell state before the turn."""
    i, f, u, o, c = gates
    squashed = jnp.tanh(c)
    d_c = d_c + d_h * o * (1 - squashed**2)
    d_gates = (
        d_c * u * i * (1 - i),
        d_c * c_before * f * (1 - f),
        d_c * i * (1 - u**2),
        d_h * squashed * o * (1 - o),
    )
    return jnp.concatenate(d_gates, axis=-1), d_c * f


_outputs.defvjp(_forward, _backward)
