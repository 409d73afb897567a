"""Networks from features to distributions of lines."""

from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mangrove.errors import ModelError
from mangrove.models.emulator.distribution import LineMixture

#: Hidden layers of the published networks, one per line.
PUBLISHED_HIDDEN = (64, 128, 64)
SHARED, PER_LINE = "shared", "per_line"
_MEAN_RANGE = (-6.0, 9.0)
_LOG_SCATTER_RANGE = (-4.0, 2.0)
_FIRST_LOG_SCATTER = -0.7


class Architecture(NamedTuple):
    """Shape of a network.

    Attributes
    ----------
    kind : {"shared", "per_line"}
        One network for all lines, or the published form: one SELU network per line with one output, whose scatter is
        a number per line.
    hidden : tuple of int
    n_component : int
        Gaussians per line; 1 for ``per_line``.
    n_member : int
        Networks of the ensemble.
    """

    kind: str = SHARED
    hidden: tuple[int, ...] = (128, 128)
    n_component: int = 2
    n_member: int = 1

    @classmethod
    def published(cls) -> "Architecture":
        """That of the paper."""
        return cls(PER_LINE, PUBLISHED_HIDDEN, n_component=1)


class NetworkOutput(NamedTuple):
    """What a network says, in units of each line's standard deviation about its mean.

    Attributes
    ----------
    observed : Array, shape (n_member, n, n_line)
        asinh(EW) as the training catalogue would list it.
    mixture : LineMixture of shape (n_member, n, n_component, n_line)
        The intrinsic distribution, noise taken out.
    """

    observed: jax.Array
    mixture: LineMixture


class Dense(nnx.Module):
    """A layer of ``n_group`` independent networks: (n_group or 1, n, n_in) to (n_group, n, n_out)."""

    def __init__(self, n_group: int, n_in: int, n_out: int, rngs: nnx.Rngs) -> None:
        kernel = jax.random.normal(rngs.params(), (n_group, n_in, n_out), jnp.float32) / np.float32(np.sqrt(n_in))
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros((n_group, 1, n_out), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = self.kernel[...], self.bias[...]
        # A batched product is several times slower than its parts on a CPU.
        parts = [x[min(g, x.shape[0] - 1)] @ kernel[g] for g in range(kernel.shape[0])]
        return jnp.stack(parts) + bias


class LineNetwork(nnx.Module):
    """An ensemble of networks: features of shape (n, n_feature) to :class:`NetworkOutput`."""

    def __init__(self, architecture: Architecture, n_feature: int, n_line: int, rngs: nnx.Rngs) -> None:
        if architecture.kind not in (SHARED, PER_LINE):
            raise ModelError(f"unknown architecture '{architecture.kind}'; known are {SHARED}, {PER_LINE}")
        self._shape, self._n_line = architecture, n_line
        shared = architecture.kind == SHARED
        groups = architecture.n_member * (1 if shared else n_line)
        n_out = n_line * (1 + 3 * architecture.n_component) if shared else 1
        sizes = (n_feature, *architecture.hidden, n_out)
        self.layers = nnx.List([Dense(groups, a, b, rngs) for a, b in pairwise(sizes)])
        self.log_noise_factor = nnx.Param(jnp.zeros((n_line,), jnp.float32))
        if not shared:
            start = jnp.full((architecture.n_member, 1, 1, n_line), _FIRST_LOG_SCATTER, jnp.float32)
            self.log_scatter = nnx.Param(start)

    @property
    def noise_factor(self) -> jax.Array:
        """By how much the stated errors of each line are to be multiplied, shape (n_line,)."""
        return jnp.exp(self.log_noise_factor[...])

    def __call__(self, features: jax.Array) -> NetworkOutput:
        shared = self._shape.kind == SHARED
        activation = nnx.silu if shared else nnx.selu
        hidden = features[None]
        for layer in self.layers[:-1]:
            hidden = activation(layer(hidden))
        output = self.layers[-1](hidden)
        return self._mixtures(output) if shared else self._points(output)

    def _mixtures(self, output: jax.Array) -> NetworkOutput:
        n_member, n, _ = output.shape
        n_component, n_line = self._shape.n_component, self._n_line
        parts = output[..., n_line:].reshape(n_member, n, 3, n_component, n_line)
        log_weight = jax.nn.log_softmax(parts[:, :, 0], axis=-2)
        # Components start apart, else they would stay alike.
        apart = np.linspace(-0.5, 0.5, n_component) if n_component > 1 else np.zeros(1)
        mean = parts[:, :, 1] + jnp.asarray(apart, jnp.float32)[None, None, :, None]
        log_scatter = jnp.clip(parts[:, :, 2] + _FIRST_LOG_SCATTER, *_LOG_SCATTER_RANGE)
        return NetworkOutput(output[..., :n_line], LineMixture(log_weight, mean, jnp.exp(log_scatter)))

    def _points(self, output: jax.Array) -> NetworkOutput:
        n_member, n_line = self._shape.n_member, self._n_line
        points = jnp.moveaxis(output[..., 0].reshape(n_member, n_line, -1), 1, 2)
        mean = points[:, :, None, :]
        scatter = jnp.broadcast_to(jnp.exp(self.log_scatter[...]), mean.shape)
        return NetworkOutput(points, LineMixture(jnp.zeros_like(mean), mean, scatter))


def in_asinh_ew(output: NetworkOutput, line_mean: jax.Array, line_std: jax.Array) -> NetworkOutput:
    """The output of a network in asinh(EW / Angstrom), rest frame, emission positive.

    Parameters
    ----------
    output : NetworkOutput
        In standard deviations of each line about its mean: ``observed`` of shape (n_member, n, n_line), ``mixture``
        of shape (n_member, n, n_component, n_line).
    line_mean, line_std : Array, shape (n_line,)
        Of asinh(EW / Angstrom) over the training rows.

    Returns
    -------
    NetworkOutput
        Of the same shapes, in asinh(EW / Angstrom).
    """
    mean4, std4 = line_mean[None, None, None, :], line_std[None, None, None, :]
    mixture = output.mixture
    return NetworkOutput(
        output.observed * line_std[None, None, :] + line_mean[None, None, :],
        LineMixture(mixture.log_weight, jnp.clip(mixture.mean * std4 + mean4, *_MEAN_RANGE), mixture.scatter * std4),
    )
