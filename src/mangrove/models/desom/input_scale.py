"""What a network sees of a spectrum or a fingerprint, and the way back to the flux."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

FLUX, ASINH, STANDARD = "flux", "asinh", "standard"
#: Where asinh turns from linear to logarithmic: the mean normalised flux.
_SOFT = 1.0
#: Standard deviations beyond which the standardised flux grows as a logarithm, so that a few strong lines do not rule.
_LINEAR = 3.0
#: Least standard deviation, a share of the median one.
_LEAST = 0.05


class InputScale(NamedTuple):
    """The scale of a network's input and output.

    Attributes
    ----------
    kind : {"flux", "asinh", "standard"}
        The normalised flux as it is (published); its asinh; or its deviation from the mean spectrum of the training
        in standard deviations per wavelength, linear up to 3 and logarithmic beyond.
    mean, std : ndarray of float32, shape of one input
        Used by ``standard`` alone.
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
        kind : {"flux", "asinh", "standard"}
        flux : ndarray, shape (n, ...)
        masked : ndarray of bool, shape (n, ...)
            Values that do not count.
        """
        if kind != STANDARD:
            return cls.none(flux.shape[1:])._replace(kind=kind)
        count = np.maximum((~masked).sum(axis=0), 1)
        mean = np.where(masked, 0, flux).sum(axis=0, dtype=float) / count
        std = np.sqrt((np.where(masked, 0, flux - mean) ** 2).sum(axis=0, dtype=float) / count)
        std = np.maximum(std, _LEAST * np.median(std) + np.finfo(np.float32).tiny)
        return cls(kind, mean.astype(np.float32), std.astype(np.float32))

    def forward(self, flux: jax.Array) -> jax.Array:
        """What the network sees of fluxes, shape (n, ...)."""
        if self.kind == ASINH:
            return jnp.arcsinh(flux / _SOFT)
        if self.kind == STANDARD:
            return _LINEAR * jnp.arcsinh(
                (flux - jnp.asarray(self.mean)[None]) / (_LINEAR * jnp.asarray(self.std)[None])
            )
        return flux

    def backward(self, seen: jax.Array) -> jax.Array:
        """Fluxes of what the network gives, shape (n, ...)."""
        if self.kind == ASINH:
            return _SOFT * jnp.sinh(seen)
        if self.kind == STANDARD:
            return jnp.asarray(self.mean)[None] + _LINEAR * jnp.asarray(self.std)[None] * jnp.sinh(seen / _LINEAR)
        return seen
