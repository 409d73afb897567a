"""The loss of a map: reconstruction plus the pull of the prototypes, whose neighbourhood shrinks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.models.desom.network import MapNetwork
from mangrove.models.desom.settings import BATCH, GRADIENT, IVAR, MapTraining
from mangrove.models.desom.som import (
    batch_rule,
    descend_along,
    encodings_in_turn,
    map_loss,
    neighbourhood,
    squared_distances,
    temperature,
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

    Rows without an S/N are held out: theirs is the reconstruction alone, which does not depend on the temperature. The
    batch rule and the running mean and variance of the latents enter as gradients of terms that are zero.

    Parameters
    ----------
    network : MapNetwork
    settings : MapTraining
    weights_of : callable
        See :func:`snr_weights`.
    """
    grid = jnp.asarray(network.design.grid.distances())

    def loss(params, batch, key, step):
        seen = network.scale.forward(batch["flux"])
        z = network.encode(params, seen)
        mse = _masked_mse(network.decode(params, z) - seen, batch["mask"] == 0)
        if "snr" not in batch:
            return mse.mean(), {"mse": mse.mean()}
        reconstruction = (weights_of(batch["snr"]) * mse).mean()
        with_map = step >= settings.pretraining
        prototypes = params["prototypes"][...]
        # The batch rule alone moves the prototypes; the encoder feels the loss either way.
        pulling = prototypes if settings.update == GRADIENT else jax.lax.stop_gradient(prototypes)
        distances = squared_distances(network.som_space(params, z), network.som_space(params, pulling))
        weights = neighbourhood(grid[distances.argmin(axis=1)], _temperature(settings, step))
        som = jnp.where(with_map, map_loss(distances, weights), 0.0)
        moves = settings.step * batch_rule(prototypes, z, weights) if settings.update == BATCH else 0.0
        rules = descend_along(prototypes, jnp.where(with_map, moves, encodings_in_turn(prototypes, z, step)))
        for name, value in (("latent_mean", z.mean(axis=0)), ("latent_variance", z.var(axis=0))):
            rules = rules + descend_along(params[name][...], params[name][...] - value)
        return reconstruction + settings.gamma * som + rules, {"mse": mse.mean(), "som": som}

    return loss


def _temperature(settings: MapTraining, step: jax.Array) -> jax.Array:
    cooled = partial(temperature, first=settings.temperature_start, last=settings.temperature_end)
    return cooled(step - settings.pretraining, n_step=settings.cooling_iterations)


def _masked_mse(residual: jax.Array, good: jax.Array) -> jax.Array:
    """Mean square over the good values of each row, shape (n,)."""
    within = tuple(range(1, residual.ndim))
    count = jnp.maximum(good.sum(axis=within), 1).astype(jnp.float32)
    return (jnp.where(good, residual, 0.0) ** 2).sum(axis=within) / count
