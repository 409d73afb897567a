"""What a network sees of a spectrum or a fingerprint, and the way back to the flux."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

FLUX, ASINH, STANDARD, BALANCED = "flux", "asinh", "standard", "balanced"
#: Standard deviations beyond which the standardised flux grows as a logarithm, so that a few strong lines do not rule.
_LINEAR = 3.0
#: Least standard deviation, a share of the median one.
_LEAST = 0.05


class InputScale(NamedTuple):
    """The scale of a network's input and output.

    Attributes
    ----------
    kind : {"flux", "asinh", "standard", "balanced"}
        The normalised flux as it is (published); its asinh, less the mean one, over one scatter for all wavelengths;
        its deviation from the mean spectrum in standard deviations per wavelength, linear up to 3 and logarithmic
        beyond; or that deviation over the square root of the standard deviation, so that lines, which vary most,
        count more than the continuum but do not rule.
    mean, std : ndarray of float32, shape of one input
        Of the flux, or of its asinh, over the training rows; unused by ``flux``.
    """

    kind: str
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> "InputScale":
        """The flux as it is."""
        return cls(FLUX, np.zeros(shape, np.float32), np.ones(shape, np.float32))

    @classmethod
    def of(cls, kind: str, flux: np.ndarray, masked: np.ndarray) -> "InputScale":
        """That of training rows.

        Parameters
        ----------
        kind : {"flux", "asinh", "standard", "balanced"}
        flux : ndarray, shape (n, ...)
        masked : ndarray of bool, shape (n, ...)
            Values that do not count; where none does, mean and variance are interpolated.
        """
        if kind == FLUX:
            return cls.none(flux.shape[1:])
        values, n_good = np.arcsinh(flux) if kind == ASINH else flux, (~masked).sum(axis=0)
        count = np.maximum(n_good, 1)
        mean = np.where(masked, 0, values).sum(axis=0, dtype=float) / count
        variance = (np.where(masked, 0, values - mean.astype(np.float32)) ** 2).sum(axis=0, dtype=float) / count
        mean, variance = (_across_gaps(value, n_good > 0) for value in (mean, variance))
        std, overall = np.sqrt(variance), np.sqrt(variance.mean())
        std = {ASINH: np.full_like(std, overall), STANDARD: std, BALANCED: np.sqrt(std * overall)}[kind]
        std = np.maximum(std, _LEAST * np.median(std) + np.finfo(np.float32).tiny)
        return cls(kind, mean.astype(np.float32), std.astype(np.float32))

    def forward(self, flux: jax.Array) -> jax.Array:
        """What the network sees of fluxes, shape (n, ...)."""
        mean, std = jnp.asarray(self.mean)[None], jnp.asarray(self.std)[None]
        if self.kind == ASINH:
            return (jnp.arcsinh(flux) - mean) / std
        if self.kind == STANDARD:
            return _LINEAR * jnp.arcsinh((flux - mean) / (_LINEAR * std))
        return (flux - mean) / std if self.kind == BALANCED else flux

    def backward(self, seen: jax.Array) -> jax.Array:
        """Fluxes of what the network gives, shape (n, ...)."""
        mean, std = jnp.asarray(self.mean)[None], jnp.asarray(self.std)[None]
        if self.kind == ASINH:
            return jnp.sinh(mean + std * seen)
        if self.kind == STANDARD:
            return mean + _LINEAR * std * jnp.sinh(seen / _LINEAR)
        return mean + std * seen if self.kind == BALANCED else seen


def _across_gaps(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values, and between the known ones what lies on the line from one to the next, along the flattened axes."""
    if not known.any():
        return values
    place = np.arange(values.size)
    return np.interp(place, place[known.ravel()], values[known]).reshape(values.shape)
