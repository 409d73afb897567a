"""The autoencoders: of spectra in one dimension, of fingerprints in two."""

from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from mangrove.models.desom.convolution import convolve, forms
from mangrove.models.training.layer import Layer

#: Slope of the LeakyReLU below zero, as published.
_SLOPE = 0.1
#: What the layers compute with, unless told otherwise; parameters are float32 always.
FLOAT32 = "float32"


class SpectrumArchitecture(NamedTuple):
    """Sizes of :class:`SpectrumAutoencoder`; those of the paper by default.

    Attributes
    ----------
    n_wave : int
        A multiple of 2 to the number of convolutions.
    filters : tuple of int
        Channels of each convolution of the encoder; the decoder has them in reversed order.
    kernel : int
        Taps of the convolutions.
    latent : int
    """

    n_wave: int = 4544
    filters: tuple[int, ...] = (64, 64, 64, 64)
    kernel: int = 6
    latent: int = 256

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (self.n_wave,)


class FingerprintArchitecture(NamedTuple):
    """Sizes of :class:`FingerprintAutoencoder`; those of the paper by default.

    Attributes
    ----------
    rows, columns : int
        Of a fingerprint.
    filters, kernel : int
        Channels and width of the convolutions.
    latent : int
    """

    rows: int = 15
    columns: int = 15
    filters: int = 16
    kernel: int = 3
    latent: int = 128

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (self.rows, self.columns)


class SpectrumAutoencoder(nnx.Module):
    """The published network: spectra, shape (n, n_wave), to latents, shape (n, latent), and back.

    Encoder: per entry of ``filters`` [convolution, LeakyReLU, max-pool 2], dense, LeakyReLU. Decoder: dense, LeakyReLU,
    per entry [upsample 2, convolution, LeakyReLU], convolution of one tap. Input and output are float32.

    Parameters
    ----------
    architecture : SpectrumArchitecture
    precision : {"float32", "bfloat16"}
        What the layers compute with.
    rngs : nnx.Rngs
    """

    def __init__(self, architecture: SpectrumArchitecture, precision: str, rngs: nnx.Rngs) -> None:
        n_wave, filters, kernel, latent = architecture
        self._dtype, self._deepest = jnp.dtype(precision), (n_wave // 2 ** len(filters), filters[-1])
        self._forms = forms(min(filters), self._dtype)
        flat = self._deepest[0] * self._deepest[1]
        self.down = nnx.List([Layer((kernel, a, b), rngs) for a, b in pairwise((1, *filters))])
        self.to_latent = Layer((flat, latent), rngs)
        self.from_latent = Layer((latent, flat), rngs)
        self.up = nnx.List([Layer((kernel, a, b), rngs) for a, b in pairwise((filters[-1], *filters[::-1]))])
        self.out = Layer((1, filters[0], 1), rngs)

    def encode(self, x: jax.Array) -> jax.Array:
        """Latents of spectra."""
        layers = [layer.cast(self._dtype, 3) for layer in self.down]

        def convolved(x: jax.Array) -> jax.Array:
            for kernel, bias in layers:
                # The larger of two values stays the larger one under bias and LeakyReLU, which so have half the work.
                x = _leaky(self._forms.convolve_pool(x, kernel) + bias)
            return x

        x = self._forms.in_blocks(convolved, x.astype(self._dtype)[..., None])
        kernel, bias = self.to_latent.cast(self._dtype, 2)
        return _leaky(x.reshape(x.shape[0], -1) @ kernel + bias).astype(jnp.float32)

    def decode(self, z: jax.Array) -> jax.Array:
        """Spectra of latents."""
        kernel, bias = self.from_latent.cast(self._dtype, 2)
        x = _leaky(z.astype(self._dtype) @ kernel + bias).reshape(-1, *self._deepest)
        *layers, (out, out_bias) = [layer.cast(self._dtype, 3) for layer in (*self.up, self.out)]

        def convolved(x: jax.Array) -> jax.Array:
            for kernel, bias in layers:
                x = _leaky(self._forms.upsample_convolve(x, kernel) + bias)
            return (convolve(x, out) + out_bias)[..., 0]

        return self._forms.in_blocks(convolved, x).astype(jnp.float32)


class FingerprintAutoencoder(nnx.Module):
    """The published network: fingerprints, shape (n, rows, columns), to latents, shape (n, latent), and back.

    Encoder: convolution, ReLU, dense. Decoder: dense, ReLU, convolution, ReLU, convolution of one place. Input and
    output are float32.

    Parameters
    ----------
    architecture : FingerprintArchitecture
    precision : {"float32", "bfloat16"}
        What the layers compute with.
    rngs : nnx.Rngs
    """

    def __init__(self, architecture: FingerprintArchitecture, precision: str, rngs: nnx.Rngs) -> None:
        rows, columns, filters, kernel, latent = architecture
        self._dtype, self._shape = jnp.dtype(precision), (rows, columns, filters)
        flat = rows * columns * filters
        self.down = Layer((kernel, kernel, 1, filters), rngs)
        self.to_latent = Layer((flat, latent), rngs)
        self.from_latent = Layer((latent, flat), rngs)
        self.up = Layer((kernel, kernel, filters, filters), rngs)
        self.out = Layer((1, 1, filters, 1), rngs)

    def encode(self, x: jax.Array) -> jax.Array:
        """Latents of fingerprints."""
        x = jax.nn.relu(self._convolve(x.astype(self._dtype)[..., None], self.down))
        kernel, bias = self.to_latent.cast(self._dtype, 2)
        return (x.reshape(x.shape[0], -1) @ kernel + bias).astype(jnp.float32)

    def decode(self, z: jax.Array) -> jax.Array:
        """Fingerprints of latents."""
        kernel, bias = self.from_latent.cast(self._dtype, 2)
        x = jax.nn.relu(z.astype(self._dtype) @ kernel + bias).reshape(-1, *self._shape)
        x = jax.nn.relu(self._convolve(x, self.up))
        return self._convolve(x, self.out)[..., 0].astype(jnp.float32)

    def _convolve(self, x: jax.Array, layer: Layer) -> jax.Array:
        kernel, bias = layer.cast(self._dtype, 4)
        return (
            jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias
        )


def _leaky(x: jax.Array) -> jax.Array:
    return jax.nn.leaky_relu(x, _SLOPE)
