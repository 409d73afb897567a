"""One-dimensional convolutions and upsampling, in the form that is fastest on the device at hand."""

import jax
import jax.numpy as jnp
import numpy as np

_LAYOUT = ("NWC", "WIO", "NWC")


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution with zero padding, (n, length, n_in) with (n_tap, n_in, n_out) to (n, length, n_out).

    An even number of taps reaches one place further to the right. One tap is a matrix product. Always
    one-dimensional: as a two-dimensional convolution of height 1 it is five times slower on GPUs in float32.
    """
    n_tap = kernel.shape[0]
    if n_tap == 1:
        return x @ kernel[0]
    return _convolve(x, kernel, ((n_tap - 1) // 2, n_tap // 2))


def convolve_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """:func:`convolve`, then :func:`pool`: (n, length, n_in) to (n, length / 2, n_out).

    On a CPU the spectrum itself, of one channel, is convolved in pairs.
    """
    form = paired_convolve_pool if kernel.shape[1] == 1 and jax.default_backend() == "cpu" else plain_convolve_pool
    return form(x, kernel)


def plain_convolve_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve_pool`, one after the other."""
    return pool(convolve(x, kernel))


def paired_convolve_pool(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`convolve_pool`, every two places as two channels of one, with twice the outputs.

    Of one channel, the convolution of a CPU spends its time on other things than arithmetic: the fewer, larger products
    take a third of the time, though some of their taps are zero. Of many channels, they take longer.
    """
    n_tap, n_in, n_out = kernel.shape
    left, right = (n_tap - 1) // 2, n_tap // 2
    # Taps of the even and of the odd output, over the places from the first pair that one of them needs to the last.
    before, after = left + left % 2, right + 1 + right % 2
    even = jnp.pad(kernel, ((before - left, after - right), (0, 0), (0, 0)))
    both = jnp.concatenate([even, jnp.roll(even, 1, axis=0)], axis=-1)
    pairs = x.reshape(x.shape[0], x.shape[1] // 2, 2 * n_in)
    y = _convolve(pairs, both.reshape(-1, 2 * n_in, 2 * n_out), (before // 2, (after - 1) // 2))
    return jnp.maximum(y[..., :n_out], y[..., n_out:])


def upsample_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Every place twice, then :func:`convolve`: (n, length, n_in) to (n, 2 length, n_out).

    In the merged form, which needs a third less arithmetic and is faster on CPUs and GPUs.
    """
    return merged_upsample_convolve(x, kernel)


def plain_upsample_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`upsample_convolve`, written as the network is published."""
    return convolve(jnp.repeat(x, 2, axis=1), kernel)


def merged_upsample_convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """As :func:`upsample_convolve`, as one convolution to twice the channels, whose outputs are interleaved.

    Where every place stands twice, neighbouring taps see the same value: of 6 taps those of an even output merge to
    3, those of an odd one to 4. Equal to the plain form to rounding.
    """
    n_tap, n_in, n_out = kernel.shape
    merged, reach = _merged_taps(n_tap)
    both = jnp.einsum("mpt,tio->mipo", jnp.asarray(merged, kernel.dtype), kernel, precision="highest")
    y = _convolve(x, both.reshape(-1, n_in, 2 * n_out), reach)
    return y.reshape(y.shape[0], -1, n_out)


def pool(x: jax.Array) -> jax.Array:
    """The larger of every two places, (n, length, n_channel) to (n, length / 2, n_channel)."""
    n, length, n_channel = x.shape
    pairs = x.reshape(n, length // 2, 2 * n_channel)
    return jnp.maximum(pairs[..., :n_channel], pairs[..., n_channel:])


def _merged_taps(n_tap: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Which taps merge, shape (n_merged, 2, n_tap) for even and odd outputs, and the reach to the left and right."""
    place = (np.arange(2)[:, None] + np.arange(n_tap) - (n_tap - 1) // 2) // 2
    offsets = np.arange(place.min(), place.max() + 1)
    return (place == offsets[:, None, None]).astype(np.float32), (-int(offsets[0]), int(offsets[-1]))


def _convolve(x: jax.Array, kernel: jax.Array, padding: tuple[int, int]) -> jax.Array:
    return jax.lax.conv_general_dilated(x, kernel, (1,), [padding], dimension_numbers=_LAYOUT)
