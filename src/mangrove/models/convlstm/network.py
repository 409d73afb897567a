"""The autoencoders of line cubes: slices through convolutions and convolutional LSTMs to latents, and back."""

from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from mangrove.models.convlstm.cell import ConvLstm
from mangrove.models.convlstm.convolution import convolve, forms, pool
from mangrove.models.convlstm.design import CODED, FLOAT32, LAYER, NATIVE, PUBLISHED, VAE, CubeDesign
from mangrove.models.convlstm.linear import LinearPart
from mangrove.models.convlstm.units import log_scale, mean_absolute_flux, to_flux, to_units
from mangrove.models.training.layer import Layer

_LEAST_VARIANCE = 1e-3
#: Bounds of the logarithm of a latent's variance: what a float32 can still hold of its exponential.
_LOG_VARIANCE = (-20.0, 20.0)


class Encoded(NamedTuple):
    """Latents of cubes.

    Attributes
    ----------
    mean : array of float32, shape (n, latent)
        The latents; of the variational network, the means of their distributions.
    log_variance : array of float32, shape (n, latent), or None
        Logarithms of the variances of these; only the variational network has any.
    flux_scale : array of float32, shape (n,)
        Mean absolute flux over valid values.
    """

    mean: jax.Array
    log_variance: jax.Array | None
    flux_scale: jax.Array


class Norm(nnx.Module):
    """Layer normalisation over the channels, with a gain and an offset of each."""

    def __init__(self, n_channel: int) -> None:
        self.gain = nnx.Param(jnp.ones((n_channel,), jnp.float32))
        self.offset = nnx.Param(jnp.zeros((n_channel,), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalised, shape (..., n_channel); computed in float32."""
        wide = x.astype(jnp.float32)
        deviation = wide - wide.mean(axis=-1, keepdims=True)
        scaled = deviation * jax.lax.rsqrt((deviation**2).mean(axis=-1, keepdims=True) + _LEAST_VARIANCE)
        gain, offset = (v[...].reshape((1,) * (x.ndim - 1) + (-1,)) for v in (self.gain, self.offset))
        return (scaled * gain + offset).astype(x.dtype)


class SliceConvolution(nnx.Module):
    """A convolution of single slices, (n, y, x, n_in) to (n, y, x, n_out), with layer normalisation if asked for."""

    def __init__(self, n_in: int, n_out: int, kernel: int, norm: bool, rngs: nnx.Rngs) -> None:
        self.layer = Layer((kernel, kernel, n_in, n_out), rngs)
        self.norm = Norm(n_out) if norm else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Computed in the precision of ``x``."""
        kernel, bias = self.layer.cast(x.dtype, 4)
        x = convolve(x, kernel) + bias
        return x if self.norm is None else self.norm(x)


class RecurrentBlock(nnx.Module):
    """A convolutional LSTM over the slices, then 2 x 2 maxima: (n, slice, y, x, n_in) to (n, slice, y/2, x/2, n_out)."""

    def __init__(self, n_in: int, n_out: int, kernel: int, norm: bool, rngs: nnx.Rngs) -> None:
        self.lstm = ConvLstm(n_in, n_out, kernel, rngs=rngs)
        self.norm = Norm(n_out) if norm else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """Computed in the precision of ``x``."""
        n, n_slice = x.shape[:2]
        x = self.lstm(x)
        x = pool(x.reshape(n * n_slice, *x.shape[2:]))
        x = x if self.norm is None else self.norm(x)
        return x.reshape(n, n_slice, *x.shape[1:])


class CubeAutoencoder(nnx.Module):
    """The network, on cubes in its own units (:mod:`mangrove.models.convlstm.units`).

    Encoder: convolutions of each slice, per entry of ``filters`` [ConvLSTM over the slices, 2 x 2 maxima], dense, latents;
    before the latents the logarithm of the flux scale joins, unless fluxes are native. Decoder: dense, dense, per entry
    [upsample 2, convolution]. All layers are linear, as published, but for the ELU of a coded decoder's hidden layers
    and of the published decoder's last one. Where principal components run beside it, the layers that give the latents
    and the reconstruction start at zero: the network starts as these components.

    Parameters
    ----------
    design : CubeDesign
    precision : {"float32", "bfloat16"}
        What the layers compute with; latents and reconstructions are float32.
    seed : int
    """

    def __init__(self, design: CubeDesign, precision: str, seed: int) -> None:
        rngs, norm, width = nnx.Rngs(seed), design.norm == LAYER, design.kernel
        self._design, self._dtype = design, jnp.dtype(precision)
        flat = design.deepest[0] * design.deepest[1] * design.deepest[2]
        inner = (1, *design.input_filters)
        self.slices = nnx.List([SliceConvolution(a, b, width, norm, rngs) for a, b in pairwise(inner)])
        self.blocks = nnx.List(
            [RecurrentBlock(a, b, width, norm, rngs) for a, b in pairwise((inner[-1], *design.filters))]
        )
        self.to_hidden = Layer((design.n_slice * flat, design.dense), rngs)
        n_seen = design.dense + (design.flux != NATIVE)
        self.to_latent = Layer((n_seen, design.latent), rngs)
        self.from_latent = Layer((design.latent, design.dense), rngs)
        coded = design.decoder == CODED
        self.code = nnx.Param(rngs.params.normal((design.n_slice, design.slice_code))) if coded else None
        self.from_code = Layer((design.slice_code, design.dense), rngs) if coded else None
        self.from_hidden = Layer((design.dense, flat), rngs)
        outer = tuple(pairwise((*design.filters[::-1], 1)))
        self.up = nnx.List(
            [SliceConvolution(a, b, width, norm and i + 1 < len(outer), rngs) for i, (a, b) in enumerate(outer)]
        )
        # Drawn last: both networks of a seed start from the same weights.
        self.to_log_variance = Layer((n_seen, design.latent), rngs) if design.network == VAE else None
        self.linear = LinearPart(design.n_component, design.shape) if design.n_component else None
        if self.linear is not None:
            heads = [self.to_latent, self.up[-1].layer, *([self.to_log_variance] if design.network == VAE else [])]
            for head in heads:
                head.kernel[...] = jnp.zeros_like(head.kernel[...])

    def encode(self, units: jax.Array, valid: jax.Array, log_flux: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        """Means and logarithms of variances of the latents, both (n, latent), of cubes (n, line, pixel, y, x)."""
        design, n = self._design, units.shape[0]
        x = units.astype(self._dtype).reshape(n * design.n_slice, design.side, design.side, 1)
        for convolution in self.slices:
            x = convolution(x)
        x = x.reshape(n, design.n_slice, *x.shape[1:])
        # The form of the LSTM for a CPU has a gradient of its own, which keeps less than the compiler's would.
        again = design.rematerialise and forms().hoisted
        for block in self.blocks:
            x = nnx.remat(RecurrentBlock.__call__)(block, x) if again else block(x)
        hidden = _dense(self.to_hidden, x.reshape(n, -1)).astype(jnp.float32)
        if design.flux != NATIVE:
            hidden = jnp.concatenate([hidden, log_flux[:, None]], axis=1)
        mean = _dense(self.to_latent, hidden)
        if self.linear is not None:
            mean = mean + self.linear.encode(units, valid, design.latent)
        if self.to_log_variance is None:
            return mean, None
        return mean, jnp.clip(_dense(self.to_log_variance, hidden), *_LOG_VARIANCE)

    def decode(self, z: jax.Array) -> jax.Array:
        """Cubes (n, line, pixel, y, x) of latents (n, latent)."""
        design, n = self._design, z.shape[0]
        hidden = _dense(self.from_latent, z.astype(self._dtype))[:, None]
        if design.decoder == CODED:
            hidden = jax.nn.elu(hidden + _dense(self.from_code, self.code[...].astype(self._dtype))[None])
        x = _dense(self.from_hidden, hidden.reshape(-1, design.dense)).reshape(-1, *design.deepest)
        # Without a code all slices are equal: one is computed, and stands for all.
        for i, convolution in enumerate(self.up):
            inner = i + 1 < len(self.up)
            x = x if design.decoder == PUBLISHED else jax.nn.elu(x)
            x = convolution(jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2))
            if design.decoder == PUBLISHED and not inner:
                x = jax.nn.elu(x)
        x = x.astype(jnp.float32).reshape(n, -1, design.side, design.side)
        x = jnp.broadcast_to(x, (n, design.n_slice, design.side, design.side)).reshape(n, *design.shape)
        return x if self.linear is None else x + self.linear.decode(z)


class CubeNetwork:
    """An autoencoder without its weights, which are a state of its own: pure, for training and for use.

    Parameters
    ----------
    design : CubeDesign
    precision : {"float32", "bfloat16"}
        What the layers compute with.
    """

    def __init__(self, design: CubeDesign, precision: str = FLOAT32) -> None:
        self.design = design
        self._build = partial(CubeAutoencoder, design, precision)
        self._graph, self.abstract_state = nnx.split(nnx.eval_shape(lambda: self._build(0)))

    def first_state(self, seed: int) -> nnx.State:
        """Weights before training; principal components, where there are any, all 0."""
        return jax.jit(lambda: nnx.split(self._build(seed))[1])()

    def units(self, flux: jax.Array, valid: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Cubes (n, line, pixel, y, x) in the network's units, and their flux scales, shape (n,)."""
        flux_scale = mean_absolute_flux(flux, valid)
        return to_units(self.design.flux, flux, valid, flux_scale), flux_scale

    def encode_units(self, state: nnx.State, units: jax.Array, valid: jax.Array, flux_scale: jax.Array) -> Encoded:
        """Latents of cubes in the network's units."""
        return Encoded(*nnx.merge(self._graph, state).encode(units, valid, log_scale(flux_scale)), flux_scale)

    def decode_units(self, state: nnx.State, z: jax.Array) -> jax.Array:
        """Cubes in the network's units, shape (n, line, pixel, y, x), of latents, shape (n, latent)."""
        return nnx.merge(self._graph, state).decode(z)

    def encode(self, state: nnx.State, flux: jax.Array, valid: jax.Array) -> Encoded:
        """Latents of fluxes and of where they are data, both (n, line, pixel, y, x)."""
        units, flux_scale = self.units(flux, valid)
        return self.encode_units(state, units, valid, flux_scale)

    def decode(self, state: nnx.State, z: jax.Array, flux_scale: jax.Array) -> jax.Array:
        """Fluxes, shape (n, line, pixel, y, x), of latents, shape (n, latent), and flux scales, shape (n,)."""
        return to_flux(self.design.flux, self.decode_units(state, z), flux_scale)


def _dense(layer: Layer, x: jax.Array) -> jax.Array:
    kernel, bias = layer.cast(x.dtype, 2)
    return x @ kernel + bias
