"""One-dimensional convolutions with pooling and upsampling, in the form that is fastest on the device at hand."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.models.desom.short_convolution import convolve_places

_LAYOUT = ("NWC", "WIO", "NWC")
#: Channels from which on the products of a CPU are worth their preparation; spectra at a time, and outputs of the first
#: layer in one product there.
_WIDE, _BLOCK, _BAND = 16, 4, 16


class SpectrumForms(NamedTuple):
    """How a network convolves.

    Attributes
    ----------
    convolve_pool : callable
        (x, kernel) to the convolution (:func:`convolve`), then the larger of every two places (:func:`pool`): (n, length,
        n_in) to (n, length / 2, n_out).
    upsample_convolve : callable
        (x, kernel) to the convolution of every place twice: (n, length, n_in) to (n, 2 length, n_out).
    in_blocks : callable
        (function, x): a function of spectra that gives something of each, applied to x of shape (n, ...).
    """

    convolve_pool: Callable[[jax.Array, jax.Array], jax.Array]
    upsample_convolve: Callable[[jax.Array, jax.Array], jax.Array]
    in_blocks: Callable[[Callable[[jax.Array], jax.Array], jax.Array], jax.Array]


def forms(n_channel: int, dtype: jnp.dtype) -> SpectrumForms:
    """The fastest forms for layers of so many channels at least.

    A CPU spends its time on arithmetic and on memory: short convolutions by fewer products, a few spectra at a time, take
    half the time of its own convolution. They need float32.
    """
    if jax.default_backend() == "cpu" and n_channel >= _WIDE and dtype == jnp.float32:
        return SpectrumForms(short_convolve_pool, short_upsample_convolve, in_blocks)
    return SpectrumForms(plain_convolve_pool, merged_upsample_convolve, lambda function, x: function(x))


def in_blocks(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """A function of spectra, a few at a time, so that what lies between its layers stays in the cache.

    Gradients compute that again, for the same reason. Without convolutions in ``function``: in a loop they are slow.
    """
    size = next(size for size in range(_BLOCK, 0, -1) if x.shape[0] % size == 0)
    y = jax.lax.map(jax.checkpoint(function), x.reshape(-1, size, *x.shape[1:]))
    return y.reshape(-1, *y.shape[2:])


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with zero padding, (n, length, n_in) with (n_tap, n_in, n_out) to (n, length, n_out).

    An even number of taps reaches one place further to the right. One tap is a matrix product. Always
    one-dimensional: as a two-dimensional convolution of height 1 it is five times slower on GPUs in float32.
    """
    n_tap = kernel.shape[0]
    return x @ kernel[0] if n_tap == 1 else _convolve(x, kernel, _reach(n_tap))


def plain_convolve_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """:func:`convolve`, then :func:`pool`."""
    return pool(convolve(x, kernel))


def short_convolve_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`plain_convolve_pool`, by products of matrices alone.

    Of one channel many outputs are one product with a band of taps; of more see
    :mod:`mangrove.models.desom.short_convolution`.
    """
    n_tap, n_in, n_out = kernel.shape
    if n_in == 1:
        return _banded_convolve_pool(x[..., 0], kernel[:, 0])
    places = convolve_places(x, kernel, _reach(n_tap))
    if len(places) == 1:
        return pool(places[0])
    larger = [jnp.maximum(*places[i : i + 2]) for i in range(0, len(places), 2)]
    return jnp.concatenate(larger, axis=-1).reshape(x.shape[0], -1, n_out)


def _banded_convolve_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Of (n, length) and (n_tap, n_out)."""
    (n, length), (n_tap, n_out) = x.shape, kernel.shape
    m = next(m for m in range(_BAND, 0, -1) if m % 2 == 0 and length % m == 0)
    n_block, width = length // m, m + n_tap - 1
    left, n_part = _reach(n_tap)[0], -(-width // m)
    padded = jnp.pad(x, ((0, 0), (left, (n_block + n_part) * m - length - left))).reshape(n, -1, m)
    windows = jnp.concatenate([padded[:, i : i + n_block] for i in range(n_part)], axis=-1)[..., :width]
    # The outputs of even places, then those of odd ones: the halves of the product are what is pooled.
    order = [*range(0, m, 2), *range(1, m, 2)]
    band = jnp.stack([jnp.pad(kernel, ((i, m - 1 - i), (0, 0))) for i in order], axis=1)
    y = windows.reshape(-1, width) @ band.reshape(width, -1)
    half = m // 2 * n_out
    return jnp.maximum(y[:, :half], y[:, half:]).reshape(n, length // 2, n_out)


def plain_upsample_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Every place twice, then :func:`convolve`, as the network is published: (n, length, n_in) to (n, 2 length, n_out)."""
    return convolve(jnp.repeat(x, 2, axis=1), kernel)


def merged_upsample_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`plain_upsample_convolve`, as one convolution to twice the channels, whose outputs are interleaved.

    Where every place stands twice, neighbouring taps see the same value: of 6 taps those of an even output merge to
    3, those of an odd one to 4. A third less arithmetic; equal to the plain form to rounding.
    """
    y = _convolve(x, *_merged(kernel))
    return y.reshape(y.shape[0], -1, kernel.shape[2])


def short_upsample_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`merged_upsample_convolve`, by products of matrices alone."""
    places = convolve_places(x, *_merged(kernel))
    return jnp.concatenate(places, axis=-1).reshape(x.shape[0], -1, kernel.shape[2])


def pool(x: jax.Array) -> jax.Array:
    """The larger of every two places, (n, length, n_channel) to (n, length / 2, n_channel)."""
    n, length, n_channel = x.shape
    pairs = x.reshape(n, length // 2, 2 * n_channel)
    return jnp.maximum(pairs[..., :n_channel], pairs[..., n_channel:])


def _merged(kernel: jax.Array) -> tuple[jax.Array, tuple[int, int]]:
    """The kernel of even and odd outputs as twice the channels, and how far it reaches to the left and right."""
    n_tap, n_in, n_out = kernel.shape
    place = (np.arange(2)[:, None] + np.arange(n_tap) - (n_tap - 1) // 2) // 2
    offsets = np.arange(place.min(), place.max() + 1)
    merged = (place == offsets[:, None, None]).astype(np.float32)
    both = jnp.einsum("mpt,tio->mipo", jnp.asarray(merged, kernel.dtype), kernel, precision="highest")
    return both.reshape(-1, n_in, 2 * n_out), (-int(offsets[0]), int(offsets[-1]))


def _reach(n_tap: int) -> tuple[int, int]:
    """How far taps reach to the left and to the right."""
    return (n_tap - 1) // 2, n_tap // 2


def _convolve(x: jax.Array, kernel: jax.Array, padding: tuple[int, int]) -> jax.Array:
    return jax.lax.conv_general_dilated(x, kernel, (1,), [padding], dimension_numbers=_LAYOUT)
