"""Distributions of asinh(EW): mixtures of Gaussians cut at EW = 0, one per line. Pure and differentiable."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr, logsumexp

_LOG_ROOT_2PI = 0.9189385332046727
#: Range of asinh(EW) that quantiles are sought in.
_HIGHEST, _HALVINGS = 14.0, 32


class LineMixture(NamedTuple):
    """Mixtures cut at zero, one per line.

    Attributes
    ----------
    log_weight, mean, scatter : Array, shape (..., n_component, n_line)
        Weights of the components before the cut (their sum is 1), and the components in asinh(EW / Angstrom).
    """

    log_weight: jax.Array
    mean: jax.Array
    scatter: jax.Array

    def log_density(self, y: jax.Array) -> jax.Array:
        """Log of the density at y >= 0, shape (..., n_line) as y."""
        pull = (y[..., None, :] - self.mean) / self.scatter
        density = logsumexp(self.log_weight - 0.5 * pull**2 - jnp.log(self.scatter), axis=-2) - _LOG_ROOT_2PI
        return density - self._log_above(jnp.zeros_like(y))

    def cdf(self, y: jax.Array) -> jax.Array:
        """Probability below y >= 0, shape (..., n_line) as y."""
        return -jnp.expm1(self._log_above(y) - self._log_above(jnp.zeros_like(y)))

    def quantile(self, probability: jax.Array) -> jax.Array:
        """Where the cdf reaches a probability, shape (..., n_line) as ``probability``; differentiable."""

        def halve(_, bounds):
            low, high = bounds
            middle = 0.5 * (low + high)
            above = self.cdf(middle) > probability
            return jnp.where(above, low, middle), jnp.where(above, middle, high)

        start = jnp.zeros_like(probability), jnp.full_like(probability, _HIGHEST)
        low, high = jax.lax.stop_gradient(jax.lax.fori_loop(0, _HALVINGS, halve, start))
        y = 0.5 * (low + high)
        # One step of Newton carries the derivative, which the halving does not.
        density = jax.lax.stop_gradient(jnp.exp(self.log_density(y)))
        return y - (self.cdf(y) - probability) / jnp.maximum(density, 1e-6)

    def median(self) -> jax.Array:
        """Median, shape (..., n_line)."""
        return self.quantile(jnp.full_like(self.mean[..., 0, :], 0.5))

    def interval(self, content: float = 0.68) -> tuple[jax.Array, jax.Array]:
        """Lower and upper bound of the central interval of a given content, shape (..., n_line) each."""
        low = jnp.full_like(self.mean[..., 0, :], 0.5 - 0.5 * content)
        return self.quantile(low), self.quantile(1 - low)

    def measured(self, ew_error: jax.Array) -> "LineMixture":
        """Distribution of a measurement that noise has widened and that is listed only if positive.

        An error of the EW is one of asinh(EW) divided by sqrt(1 + EW^2). The EW here is that of the component's mean:
        at the measured EW, downward scatter would count as more precise than upward scatter.

        Parameters
        ----------
        ew_error : Array, shape (..., n_line)
            Angstrom.
        """
        error = ew_error[..., None, :] / jnp.cosh(jnp.maximum(self.mean, 0.0))
        return self._replace(scatter=jnp.hypot(self.scatter, error))

    def variance(self) -> jax.Array:
        """Variance before the cut at zero, shape (..., n_line)."""
        weight = jnp.exp(self.log_weight)
        mean = (weight * self.mean).sum(axis=-2, keepdims=True)
        return (weight * (self.scatter**2 + (self.mean - mean) ** 2)).sum(axis=-2)

    def _log_above(self, y: jax.Array) -> jax.Array:
        return logsumexp(self.log_weight + log_ndtr((self.mean - y[..., None, :]) / self.scatter), axis=-2)


def pooled(members: LineMixture) -> LineMixture:
    """One mixture of the mixtures of an ensemble: shape (n_member, n, n_component, n_line) to (n, all, n_line)."""
    log_weight = members.log_weight - jnp.log(jnp.float32(members.mean.shape[0]))
    return LineMixture(*(jnp.concatenate(list(x), axis=-2) for x in (log_weight, members.mean, members.scatter)))
