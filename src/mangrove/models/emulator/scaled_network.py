"""The network of an emulator between features and lines in their own units: what training and prediction share."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mangrove.models.emulator.network import Architecture, LineNetwork, NetworkOutput, in_asinh_ew

#: Standardised features are bent towards this limit, so that odd input cannot blow up the network.
_FEATURE_LIMIT = 8.0


class Normalisation(NamedTuple):
    """What inputs and outputs are scaled with, and the ranges of the training.

    Attributes
    ----------
    feature_median, feature_std : ndarray of float32, shape (n_feature,)
    feature_low, feature_high : ndarray of float32, shape (n_feature,)
        Range of the training; features are the colours and, as the last one, the log luminosity where it is used.
    line_mean, line_std : ndarray of float32, shape (n_line,)
        Of asinh(EW).
    """

    feature_median: np.ndarray
    feature_std: np.ndarray
    feature_low: np.ndarray
    feature_high: np.ndarray
    line_mean: np.ndarray
    line_std: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, asinh_ew: np.ndarray) -> "Normalisation":
        """That of training rows.

        Parameters
        ----------
        features : ndarray of float32, shape (n, n_feature)
        asinh_ew : ndarray of float32, shape (n, n_line)
            NaN where not measured.
        """
        scales = {
            "feature_median": np.median(features, 0),
            "feature_std": features.std(0),
            "feature_low": features.min(0),
            "feature_high": features.max(0),
            "line_mean": np.nanmean(asinh_ew, 0),
            "line_std": np.nanstd(asinh_ew, 0),
        }
        return cls(**{name: values.astype(np.float32) for name, values in scales.items()})


class ScaledNetwork:
    """A network without its weights, which are a state of its own: pure, for training and for use.

    Parameters
    ----------
    architecture : Architecture
    normalisation : Normalisation
        Its lengths are the numbers of features and lines.
    """

    def __init__(self, architecture: Architecture, normalisation: Normalisation) -> None:
        self.architecture, self.normalisation = architecture, normalisation
        self.n_feature, self.n_line = len(normalisation.feature_median), len(normalisation.line_mean)
        self._build = partial(_network, architecture, self.n_feature, self.n_line)
        self._graph, self.abstract_state = nnx.split(nnx.eval_shape(lambda: self._build(0)))

    def first_state(self, seed: int) -> nnx.State:
        """Weights before training."""
        return jax.jit(lambda: nnx.split(self._build(seed))[1])()

    def output(self, state: nnx.State, features: jax.Array) -> NetworkOutput:
        """Output of every member in asinh(EW), from features before scaling, shape (n, n_feature)."""
        scaled = (features - self.row("feature_median")) / self.row("feature_std")
        network = nnx.merge(self._graph, state)
        bent = _FEATURE_LIMIT * jnp.tanh(scaled / _FEATURE_LIMIT)
        line_mean, line_std = jnp.asarray(self.normalisation.line_mean), jnp.asarray(self.normalisation.line_std)
        return in_asinh_ew(network(bent), line_mean, line_std)

    def row(self, name: str) -> jax.Array:
        """An array of the normalisation as one row, shape (1, n)."""
        return jnp.asarray(getattr(self.normalisation, name))[None, :]


def noise_factor(state: nnx.State) -> np.ndarray:
    """Error of each line over the stated one, as the training found it, shape (n_line,)."""
    return np.exp(np.asarray(state["log_noise_factor"][...]))


def _network(architecture: Architecture, n_feature: int, n_line: int, seed: int) -> LineNetwork:
    return LineNetwork(architecture, n_feature, n_line, nnx.Rngs(seed))
