"""Two-dimensional convolutions in the form that is fastest on the device at hand, and pooling."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

_LAYOUT = ("NHWC", "HWIO", "NHWC")

Convolution = Callable[[jax.Array, jax.Array], jax.Array]


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution of stride 1 with zero padding: (n, y, x, n_in) with (k, k, n_in, n_out) to (n, y, x, n_out), k odd.

    As everywhere in networks, a correlation: the kernel is not turned. A kernel of one place is a matrix product.
    """
    if kernel.shape[:2] == (1, 1):
        return x @ kernel[0, 0]
    return _forms().many(x, kernel)


def recurrent_convolve(h: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve`, for use inside a scan."""
    return _forms().in_scan(h, kernel)


def pool(x: jax.Array) -> jax.Array:
    """The largest of every 2 x 2 places, (n, y, x, n_channel) to (n, y / 2, x / 2, n_channel)."""
    n, y, width, n_channel = x.shape
    rows = x.reshape(n * y // 2, 2, width * n_channel)
    pairs = jnp.maximum(rows[:, 0], rows[:, 1]).reshape(-1, 2 * n_channel)
    return jnp.maximum(pairs[:, :n_channel], pairs[:, n_channel:]).reshape(n, y // 2, width // 2, n_channel)


def plain_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve`, by the convolution of the compiler."""
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def patch_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve`, as one product of the patches around all places with the kernel as a matrix."""
    k, _, n_in, n_out = kernel.shape
    _, rows, columns, _ = x.shape
    reach = k // 2
    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    shifted = [padded[:, i : i + rows, j : j + columns] for i in range(k) for j in range(k)]
    return jnp.concatenate(shifted, axis=-1) @ kernel.reshape(k * k * n_in, n_out)


class _Forms:
    """The fastest forms on a backend."""

    def __init__(self, many: Convolution, in_scan: Convolution) -> None:
        self.many, self.in_scan = many, in_scan


def _forms() -> _Forms:
    """Where the form is chosen: a convolution inside a scan runs at a twentieth of its speed on a CPU."""
    if jax.default_backend() == "cpu":
        return _Forms(many=plain_convolve, in_scan=patch_convolve)
    return _Forms(many=plain_convolve, in_scan=plain_convolve)
