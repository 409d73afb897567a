"""Reconstructions of line cubes without a network, by principal components, and errors of reconstructions."""

from typing import NamedTuple, Protocol

import numpy as np

from mangrove.models.convlstm.cubes import Cubes
from mangrove.models.convlstm.units import mean_absolute_flux

_CUBE = (1, 2, 3, 4)


class Reconstructing(Protocol):
    """What gives line cubes back from few numbers: an autoencoder or principal components."""

    def reconstruct(self, cubes: Cubes) -> np.ndarray:
        """Fluxes, shape (n, line, pixel, y, x)."""


class ComponentModel:
    """Principal components of cubes over their mean absolute flux, in place of an autoencoder of as many latents.

    Parameters
    ----------
    mean : ndarray, shape (line, pixel, y, x)
    direction : ndarray, shape (component, line, pixel, y, x)
        Of unit length each, or 0.
    """

    def __init__(self, mean: np.ndarray, direction: np.ndarray) -> None:
        self._mean = mean
        self._axes = direction.reshape(len(direction), -1)

    def reconstruct(self, cubes: Cubes) -> np.ndarray:
        """Fluxes of the components, shape (n, line, pixel, y, x); what is not valid counts as the mean."""
        scale = mean_absolute_flux(cubes.flux, cubes.valid)[:, None, None, None, None]
        units = cubes.flux / np.where(scale > 0, scale, 1.0)
        deviation = np.where(cubes.valid, units - self._mean, 0.0).reshape(len(units), -1)
        found = deviation @ self._axes.T @ self._axes
        return ((self._mean + found.reshape(units.shape)) * scale).astype(np.float32)


class CubeErrors(NamedTuple):
    """Squared errors of reconstructions over the squared flux, over valid values, shape (n,) each.

    Attributes
    ----------
    noisy : ndarray
        Against the observed flux.
    excess : ndarray
        The same less what the noise alone gives: (sum of residual^2 - 1 / ivar) / (sum of flux^2 - 1 / ivar). Below 0
        where the noise is fitted as well.
    true : ndarray
        Against the flux without noise.
    """

    noisy: np.ndarray
    excess: np.ndarray
    true: np.ndarray


def reconstruction_errors(cubes: Cubes, reconstruction: np.ndarray, noiseless: np.ndarray) -> CubeErrors:
    """Of reconstructions against cubes and what these were before noise, all of shape (n, line, pixel, y, x)."""

    def squares(values: np.ndarray) -> np.ndarray:
        return (np.where(cubes.valid, values, 0.0).astype(float) ** 2).sum(axis=_CUBE)

    noise = np.where(cubes.valid, 1.0 / np.where(cubes.valid, cubes.ivar, 1.0), 0.0).sum(axis=_CUBE, dtype=float)
    residual, flux = squares(cubes.flux - reconstruction), squares(cubes.flux)
    return CubeErrors(
        residual / flux, (residual - noise) / (flux - noise), squares(noiseless - reconstruction) / squares(noiseless)
    )
