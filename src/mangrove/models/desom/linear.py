"""A linear path beside a network: principal components, as many as predict best what they do not see."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.utils.extmath import randomized_svd

#: Numbers of components that are tried.
_NUMBERS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256)
#: Parts of a spectrum that are left out in turn: every fourth run of so many bins, wider than the noise is correlated.
_N_PART, _RUN = 4, 16


class LinearPath(NamedTuple):
    """Principal components of what a network sees.

    Attributes
    ----------
    mean : ndarray of float32, shape (n_wave,)
    axes : ndarray of float32, shape (n_component, n_wave)
        Orthonormal, the one along which the spectra vary most first.
    """

    mean: np.ndarray
    axes: np.ndarray

    def encode(self, seen: jax.Array) -> jax.Array:
        """Coordinates, shape (n, n_component), of spectra, (n, n_wave).

        Over the root of the number of bins: their Euclidean distances are the root mean square differences of the
        spectra that :meth:`decode` gives.
        """
        return (seen - jnp.asarray(self.mean)[None]) @ jnp.asarray(self.axes).T / self._root

    def decode(self, z: jax.Array) -> jax.Array:
        """Spectra, shape (n, n_wave), of coordinates, (n, n_component)."""
        return jnp.asarray(self.mean)[None] + (z * self._root) @ jnp.asarray(self.axes)

    @property
    def _root(self) -> np.float32:
        return np.sqrt(np.float32(len(self.mean)))

    @classmethod
    def of(
        cls, seen: np.ndarray, weight: np.ndarray, held_out: np.ndarray, masked: np.ndarray, most: int, seed: int
    ) -> "LinearPath":
        """The components of spectra, in the number that is best for others.

        Best is the number whose components, placed by three quarters of the bins of a held-out spectrum, predict the
        others with the least square error: noise that components follow predicts nothing (cross-validation of Wold 1978,
        Technometrics 20, 397).

        Parameters
        ----------
        seen : ndarray, shape (n, n_wave)
            To learn from.
        weight : ndarray, shape (n,)
            Of each in the sum of squares that the components make least.
        held_out : ndarray, shape (n_held_out, n_wave)
            Of other galaxies.
        masked : ndarray of bool, shape (n_held_out, n_wave)
            Where these are not data.
        most : int
            Components at most.
        seed : int
            Of the search for the components.
        """
        weight = weight / weight.sum()
        mean = (weight[:, None] * seen).sum(axis=0)
        most = min(most, max(_NUMBERS), *(size - 1 for size in seen.shape))
        weighted = np.sqrt(weight)[:, None] * (seen - mean)
        axes = randomized_svd(weighted, most, random_state=seed)[2]
        numbers = [n for n in _NUMBERS if n <= most]
        errors = [_prediction_error(axes[:n], held_out - mean, ~masked) for n in numbers]
        best = numbers[int(np.argmin(errors))]
        return cls(mean.astype(np.float32), axes[:best].astype(np.float32))


def _prediction_error(axes: np.ndarray, deviation: np.ndarray, good: np.ndarray) -> float:
    """Sum of squares of what is left out minus its prediction, over all parts of the spectra."""
    part, error = np.arange(axes.shape[1]) // _RUN % _N_PART, 0.0
    for left_out in (part == one for one in range(_N_PART)):
        within, beyond = axes[:, ~left_out], axes[:, left_out]
        place = np.linalg.lstsq(within.T, deviation[:, ~left_out].T, rcond=None)[0].T
        error += ((deviation[:, left_out] - place @ beyond) ** 2)[good[:, left_out]].sum(dtype=float)
    return error
