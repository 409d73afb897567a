"""A map's network: autoencoder, prototypes and the scale of the latents, as one state that training and use share."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from mangrove.models.desom.autoencoders import (
    FLOAT32,
    FingerprintArchitecture,
    FingerprintAutoencoder,
    SpectrumArchitecture,
    SpectrumAutoencoder,
)
from mangrove.models.desom.grid import SomGrid
from mangrove.models.desom.input_scale import InputScale
from mangrove.models.desom.linear import LinearPath

NONE, LAYER, WHITEN = "none", "layer", "whiten"
_LEAST_VARIANCE = 1e-6
#: Least variance of a latent as a share of the mean one, and for latents that do not vary at all.
_LEAST_SHARE, _TINY = 1e-2, 1e-20


class MapDesign(NamedTuple):
    """What a map is, without its weights.

    Attributes
    ----------
    architecture : SpectrumArchitecture or FingerprintArchitecture
    grid : SomGrid
    latent_scale : {"none", "layer", "whiten"}
        The latents whose Euclidean distances the map uses: as they are (published); each spectrum's latents less
        their mean, over their scatter; each component less its mean over the spectra, over its scatter.
    """

    architecture: SpectrumArchitecture | FingerprintArchitecture
    grid: SomGrid
    latent_scale: str = NONE


class MapModule(nnx.Module):
    """The parameters: of the autoencoder, the prototypes, and the running mean and variance of each latent.

    Beside a linear path also the autoencoder's share in the latents and in the reconstruction. It is 0 at first, so that
    training starts from the principal components (Bachlechner et al. 2021, "ReZero is all you need").
    """

    def __init__(self, design: MapDesign, precision: str, linear: bool, seed: int) -> None:
        rngs = nnx.Rngs(seed)
        n_latent = design.architecture.latent
        spectra = isinstance(design.architecture, SpectrumArchitecture)
        self.autoencoder = (SpectrumAutoencoder if spectra else FingerprintAutoencoder)(
            design.architecture, precision, rngs
        )
        if linear:
            self.autoencoder_share = nnx.Param(jnp.zeros((2,), jnp.float32))
        self.prototypes = nnx.Param(jnp.zeros((design.grid.n_node, n_latent), jnp.float32))
        self.latent_mean = nnx.Param(jnp.zeros((n_latent,), jnp.float32))
        self.latent_variance = nnx.Param(jnp.ones((n_latent,), jnp.float32))


class MapNetwork:
    """A map without its weights, which are a state of its own: pure, for training and for use.

    Parameters
    ----------
    design : MapDesign
    scale : InputScale
    precision : {"float32", "bfloat16"}
        What the layers compute with.
    linear : LinearPath, optional
        Runs beside the autoencoder: its coordinates are the first latents, to which the autoencoder adds, as it does to
        the reconstruction. Training leaves it as it is.
    """

    def __init__(
        self, design: MapDesign, scale: InputScale, precision: str = FLOAT32, linear: LinearPath | None = None
    ) -> None:
        self.design, self.scale, self.linear = design, scale, linear
        self._build = partial(MapModule, design, precision, linear is not None)
        self._graph, self.abstract_state = nnx.split(nnx.eval_shape(lambda: self._build(0)))

    def first_state(self, seed: int) -> nnx.State:
        """Weights before training; all prototypes 0."""
        return jax.jit(lambda: nnx.split(self._build(seed))[1])()

    def encode(self, state: nnx.State, seen: jax.Array) -> jax.Array:
        """Latents, shape (n, n_latent), of inputs on the network's scale, shape (n, ...)."""
        z = nnx.merge(self._graph, state).autoencoder.encode(seen)
        if self.linear is None:
            return z
        place = self.linear.encode(seen)
        return jnp.pad(place, ((0, 0), (0, z.shape[1] - place.shape[1]))) + state["autoencoder_share"][...][0] * z

    def decode(self, state: nnx.State, z: jax.Array) -> jax.Array:
        """Reconstructions on the network's scale, shape (n, ...), of latents, shape (n, n_latent)."""
        seen = nnx.merge(self._graph, state).autoencoder.decode(z)
        if self.linear is None:
            return seen
        return self.linear.decode(z[:, : len(self.linear.axes)]) + state["autoencoder_share"][...][1] * seen

    def som_space(self, state: nnx.State, z: jax.Array) -> jax.Array:
        """The latents (or prototypes) whose Euclidean distances the map uses, shape (n, n_latent)."""
        return compared_latents(self.design.latent_scale, z, state["latent_mean"][...], state["latent_variance"][...])


def compared_latents(latent_scale: str, z: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    """Latents (or prototypes), shape (n, n_latent), as the map compares them.

    Parameters
    ----------
    latent_scale : {"none", "layer", "whiten"}
        See :class:`MapDesign`.
    z : Array, shape (n, n_latent)
    mean, variance : Array, shape (n_latent,)
        Of each latent over the spectra, for ``whiten``.
    """
    if latent_scale == LAYER:
        deviation = z - z.mean(axis=1, keepdims=True)
        return deviation * jax.lax.rsqrt((deviation**2).mean(axis=1, keepdims=True) + _LEAST_VARIANCE)
    if latent_scale == WHITEN:
        # Latents that hardly vary are not blown up to the others' scale.
        return (z - mean[None, :]) * jax.lax.rsqrt(variance + _LEAST_SHARE * variance.mean() + _TINY)[None, :]
    return z
