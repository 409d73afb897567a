"""Two-dimensional convolutions in the form that is fastest on the device at hand, and pooling."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

_LAYOUT = ("NHWC", "HWIO", "NHWC")
#: Places of all images whose patches are multiplied together: eight images of 32 x 32.
_PLACES = 8192


class ImageForms(NamedTuple):
    """How convolutions are computed on a device.

    Attributes
    ----------
    many : callable
        Convolution of many images at once.
    in_scan : callable
        Convolution inside a scan.
    hoisted : bool
        Whether an LSTM convolves the inputs of all slices before its scan; else each slice's together with the state of
        the slice before, in the scan.
    unroll : int
        Slices in one turn of an LSTM's scan.
    """

    many: Callable[[jax.Array, jax.Array], jax.Array]
    in_scan: Callable[[jax.Array, jax.Array], jax.Array]
    hoisted: bool
    unroll: int


def forms() -> ImageForms:
    """The fastest forms on the backend: the one place that chooses.

    On a CPU the convolution of the compiler runs inside a scan at a twentieth of its speed, and convolving the inputs
    beforehand writes and reads an array four times as wide as the outputs, which takes longer than one larger product.
    On an accelerator, few large convolutions win, and starting a turn of the scan costs as much as its arithmetic.
    """
    if jax.default_backend() == "cpu":
        return ImageForms(lean_convolve, patch_convolve, hoisted=False, unroll=1)
    return ImageForms(plain_convolve, plain_convolve, hoisted=True, unroll=5)


def shares(n: int) -> int:
    """Into how many equal parts ``n`` cubes or images divide so that none belongs to two devices."""
    return math.gcd(n, jax.device_count())


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution of stride 1 with zero padding, (n, y, x, n_in) with (k, k, n_in, n_out), k odd, to (n, y, x, n_out).

    A correlation, as everywhere in networks: the kernel is not turned.
    """
    return forms().many(x, kernel)


def recurrent_convolve(h: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve`, for use inside a scan."""
    return forms().in_scan(h, kernel)


def pool(x: jax.Array) -> jax.Array:
    """The largest of every 2 x 2 places, (n, y, x, n_channel) to (n, y / 2, x / 2, n_channel)."""
    n, rows, columns, n_channel = x.shape
    two_rows = x.reshape(n * rows // 2, 2, columns * n_channel)
    pairs = jnp.maximum(two_rows[:, 0], two_rows[:, 1]).reshape(-1, 2 * n_channel)
    return jnp.maximum(pairs[:, :n_channel], pairs[:, n_channel:]).reshape(n, rows // 2, columns // 2, n_channel)


def plain_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve`, by the convolution of the compiler."""
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


@jax.custom_vjp
def lean_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`plain_convolve`, with a gradient of the kernel that suits a CPU.

    The compiler's own takes two to nine times as long as a product of patches, if these are patches of whichever has
    fewer channels, inputs or outputs, and of a few images at a time.
    """
    return plain_convolve(x, kernel)


def _lean_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return plain_convolve(x, kernel), (x, kernel)


def _lean_backward(residuals: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    width, _, n_in, n_out = kernel.shape
    d_x = plain_convolve(gradient, _turned(kernel))
    if n_in <= n_out:
        return d_x, _patch_product(x, gradient, width).astype(kernel.dtype)
    return d_x, _turned(_patch_product(gradient, x, width)).astype(kernel.dtype)


lean_convolve.defvjp(_lean_forward, _lean_backward)


def _turned(kernel: jax.Array) -> jax.Array:
    """The kernel of the transposed convolution."""
    return jnp.swapaxes(kernel[::-1, ::-1], 2, 3)


def _patch_product(a: jax.Array, b: jax.Array, width: int) -> jax.Array:
    """Sum over all places of the patches of ``a`` times ``b``: (width, width, channels of a, channels of b), float32."""
    n, rows, columns, n_a = a.shape
    part = shares(n)
    size = max((m for m in range(1, n + 1) if n % (m * part) == 0 and m * rows * columns <= _PLACES), default=1)

    def add(total: jax.Array, block: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        around = patches(block[0].reshape(-1, *a.shape[1:]), width).reshape(part, -1, width**2 * n_a)
        other = block[1].reshape(part, -1, b.shape[-1])
        return total + jnp.einsum("pqk,pqg->pkg", around, other, preferred_element_type=jnp.float32), None

    blocks = tuple(jnp.swapaxes(v.reshape(part, -1, size, *v.shape[1:]), 0, 1) for v in (a, b))
    total = jax.lax.scan(add, jnp.zeros((part, width**2 * n_a, b.shape[-1]), jnp.float32), blocks)[0]
    return total.sum(axis=0).reshape(width, width, n_a, b.shape[-1])


def patch_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve`, as the product of the patches around all places with the kernel as a matrix."""
    width, _, n_in, n_out = kernel.shape
    return patches(x, width) @ kernel.reshape(width * width * n_in, n_out)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def patches(x: jax.Array, width: int) -> jax.Array:
    """The ``width`` x ``width`` places around each, row by row: (n, y, x, n_in) to (n, y, x, width * width * n_in).

    Zero beyond the edges.
    """
    _, rows, columns, _ = x.shape
    reach = width // 2
    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    around = [padded[:, i : i + rows, j : j + columns] for i in range(width) for j in range(width)]
    return jnp.concatenate(around, axis=-1)


def _patches_forward(x: jax.Array, width: int) -> tuple[jax.Array, None]:
    return patches(x, width), None


def _patches_backward(width: int, _, gradient: jax.Array) -> tuple[jax.Array]:
    return (add_patches(gradient, width),)


patches.defvjp(_patches_forward, _patches_backward)


def add_patches(values: jax.Array, width: int) -> jax.Array:
    """Each place's share in all patches, (n, y, x, width * width * n_in) to (n, y, x, n_in): the transpose of ``patches``.

    Slices of one padded array: the compiler's own transpose pads each of them on its own, which takes several times as
    long.
    """
    n, rows, columns, n_all = values.shape
    n_in, reach = n_all // width**2, width // 2
    padded = jnp.pad(values, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    # Without the barrier the padding is computed again in every sum.
    padded, total = jax.lax.optimization_barrier(padded), jnp.zeros((n, rows, columns, n_in), values.dtype)
    for i in range(width):
        for j in range(width):
            first, row, column = (width * i + j) * n_in, width - 1 - i, width - 1 - j
            total += padded[:, row : row + rows, column : column + columns, first : first + n_in]
    return total
