"""The loss of a map: reconstruction plus the pull of the prototypes, whose neighbourhood shrinks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.models.desom.cooling import temperature
from mangrove.models.desom.network import MapNetwork, compared_latents
from mangrove.models.desom.settings import BATCH, GRADIENT, IVAR, MapTraining
from mangrove.models.desom.som import (
    batch_rule,
    descend_along,
    encodings_in_turn,
    map_loss,
    neighbourhood,
    squared_distances,
)

#: S/N from which on a spectrum's weight grows no more.
_MOST_SNR = 50.0


def snr_weights(settings: MapTraining, snr: np.ndarray):
    """A function from the S/N of spectra, shape (n,), to their weights in the loss, which are 1 on average.

    Parameters
    ----------
    settings : MapTraining
    snr : ndarray, shape (n_train,)
        Of all training spectra.
    """
    if settings.loss_weights != IVAR:
        return jnp.ones_like
    mean = float(np.mean(np.clip(snr, 0, _MOST_SNR) ** 2))
    return lambda snr: jnp.clip(snr, 0.0, _MOST_SNR) ** 2 / mean


def map_training_loss(network: MapNetwork, settings: MapTraining, weights_of):
    """Loss for :func:`mangrove.models.training.loop.train`: reconstruction plus gamma times the map's part.

    Rows without an S/N are held out: theirs is the reconstruction alone, unweighted, which does not depend on the
    temperature. Recorded are the parts, ``reconstruction`` (weighted) and ``som`` (before gamma), and the unweighted
    ``mse``. The batch rule and the running mean and variance of the latents enter as gradients of terms that are zero.

    Parameters
    ----------
    network : MapNetwork
    settings : MapTraining
    weights_of : callable
        See :func:`snr_weights`.
    """
    grid = jnp.asarray(network.design.grid.distances())

    def loss(params, batch, key, step):
        flux = batch["flux"]
        if settings.input_noise and "snr" in batch:
            row = (-1,) + (1,) * (flux.ndim - 1)
            flux = flux + settings.input_noise * flux / batch["snr"].reshape(row) * jax.random.normal(key, flux.shape)
        z = network.encode(params, network.scale.forward(flux))
        mse = _masked_mse(network.decode(params, z) - network.scale.forward(batch["flux"]), batch["mask"] == 0)
        if "snr" not in batch:
            return mse.mean(), {"mse": mse.mean()}
        som, rules = _map_part(network.design.latent_scale, settings, grid, params, z, step)
        reconstruction = (weights_of(batch["snr"]) * mse).mean()
        value = reconstruction + settings.gamma * som + rules
        return value, {"reconstruction": reconstruction, "mse": mse.mean(), "som": som}

    return loss


def _map_part(latent_scale: str, settings: MapTraining, grid: jax.Array, params, z: jax.Array, step: jax.Array):
    """The map's part of the loss, before gamma, and a zero whose gradient moves what follows rules of its own."""
    with_map, prototypes = step >= settings.pretraining, params["prototypes"][...]
    # Scaled by the batch's own mean and variance, whose gradients count: by running ones the map would shrink the
    # latents for ever.
    mean, variance = z.mean(axis=0), z.var(axis=0)
    compared = partial(compared_latents, latent_scale, mean=mean, variance=variance)
    # The batch rule alone moves the prototypes; the encoder feels the loss either way.
    pulling = prototypes if settings.update == GRADIENT else jax.lax.stop_gradient(prototypes)
    distances = squared_distances(compared(z), compared(pulling))
    weights = neighbourhood(grid[distances.argmin(axis=1)], _temperature(settings, step))
    moves = settings.step * batch_rule(prototypes, z, weights) if settings.update == BATCH else 0.0
    rules = descend_along(prototypes, jnp.where(with_map, moves, encodings_in_turn(prototypes, z, step)))
    for name, value in (("latent_mean", mean), ("latent_variance", variance)):
        rules = rules + descend_along(params[name][...], params[name][...] - value)
    return jnp.where(with_map, map_loss(distances, weights), 0.0), rules


def _temperature(settings: MapTraining, step: jax.Array) -> jax.Array:
    cooled = partial(temperature, first=settings.temperature_start, last=settings.temperature_end)
    return cooled(step - settings.pretraining, n_step=settings.cooling_iterations)


def _masked_mse(residual: jax.Array, good: jax.Array) -> jax.Array:
    """Mean square over the good values of each row, shape (n,)."""
    within = tuple(range(1, residual.ndim))
    count = jnp.maximum(good.sum(axis=within), 1).astype(jnp.float32)
    return (jnp.where(good, residual, 0.0) ** 2).sum(axis=within) / count
