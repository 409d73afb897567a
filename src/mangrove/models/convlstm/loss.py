"""The loss of the autoencoders of line cubes: masked reconstruction, and the divergence of the variational one."""

import jax
import jax.numpy as jnp

from mangrove.models.convlstm.augmentation import augmented
from mangrove.models.convlstm.copies import Copy
from mangrove.models.convlstm.design import VAE
from mangrove.models.convlstm.network import CubeNetwork, Encoded
from mangrove.models.convlstm.settings import MAE, CubeTraining


def reconstruction_error(kind: str, residual: jax.Array, valid: jax.Array) -> jax.Array:
    """Mean square (``mse``) or absolute (``mae``) residual of each cube over its valid values, shape (n,).

    0 for a cube without any. Of residuals in the network's units: with scaled fluxes, over the cube's mean absolute flux.
    """
    axes = (1, 2, 3, 4)
    residual = jnp.where(valid, residual, 0.0)
    total = (jnp.abs(residual) if kind == MAE else residual**2).sum(axis=axes)
    return total / jnp.maximum(valid.sum(axis=axes), 1).astype(jnp.float32)


def divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence of N(mean, variance) from N(0, 1), **mean** over latents, shape (n,); Kingma & Welling
    (2014, arXiv:1312.6114, appendix B).

    Latents and values of a cube are both averaged over, so that the weight between them does not hang on how many there
    are: as published, a sum over 128 latents beside a mean over 194,560 values, the divergence outweighs all that the
    latents can win, and they lose all information.
    """
    return 0.5 * (mean**2 + jnp.exp(log_variance) - log_variance - 1.0).mean(axis=1)


def cube_loss(network: CubeNetwork, settings: CubeTraining, noise_scale: float, warmup_steps: int):
    """Loss for :func:`mangrove.models.training.loop.train`: mean over cubes of the reconstruction error, plus the
    divergence times its weight.

    A training row is a copy of a cube (it has the fields of :class:`Copy`), made here, in the compiled step; latents of
    the variational network are drawn, and the weight of the divergence rises over ``warmup_steps``. Held-out rows are
    cubes as they are, their latents the means, the weight in full. Recorded are ``reconstruction`` and ``divergence``.

    Parameters
    ----------
    network : CubeNetwork
    settings : CubeTraining
    noise_scale : float
        See :func:`mangrove.models.convlstm.augmentation.augmented`.
    warmup_steps : int
    """

    def loss(params, batch, key, step):
        training = "flip" in batch
        flux, valid = batch["flux"], batch["valid"].astype(bool)
        if training:
            copy = Copy(**{name: batch[name] for name in Copy._fields})
            flux, _, valid = augmented(flux, batch["ivar"], valid, copy, noise_scale)
        units, flux_scale = network.units(flux, valid)
        encoded = network.encode_units(params, units, valid, flux_scale)
        z = _drawn(encoded, key) if training else encoded.mean
        error = reconstruction_error(settings.loss, network.decode_units(params, z) - units, valid).mean()
        if network.design.network != VAE:
            return error, {"reconstruction": error}
        from_prior = divergence(encoded.mean, encoded.log_variance).mean()
        weight = settings.kl_weight * (_risen(step, warmup_steps) if training else 1.0)
        return error + weight * from_prior, {"reconstruction": error, "divergence": from_prior}

    return loss


def _drawn(encoded: Encoded, key: jax.Array) -> jax.Array:
    """Latents drawn from their distributions; as they are where they have none."""
    if encoded.log_variance is None:
        return encoded.mean
    deviate = jax.random.normal(key, encoded.mean.shape, jnp.float32)
    return encoded.mean + jnp.exp(0.5 * encoded.log_variance) * deviate


def _risen(step: jax.Array, warmup_steps: int) -> jax.Array:
    return jnp.minimum(step.astype(jnp.float32) / max(warmup_steps, 1), 1.0) if warmup_steps else jnp.float32(1.0)
