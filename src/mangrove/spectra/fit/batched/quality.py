"""How well the models of a batch fit, and the factor on the errors that follows from it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.covariances import is_fixed
from mangrove.spectra.fit.batched.fitted import FittedBatch
from mangrove.spectra.fit.batched.residuals import robust_rms


class FitQuality(NamedTuple):
    """Columns of the quality, and what the errors of the data are multiplied by; shape (n,) each."""

    columns: dict[str, jax.Array]
    factor: jax.Array
    rms: jax.Array


def quality(layout: BatchLayout, fit: FittedBatch) -> FitQuality:
    """Reduced chi2, the scale of the noise, and what is free."""
    s, n_pixel = fit.solution, jnp.sum(fit.spectra.good, axis=-1)
    rms = robust_rms(fit.residual, fit.spectra.good)
    noise_scale = jnp.where(fit.galaxy.rescale_noise, jnp.maximum(rms, 1.0), 1.0)
    n_weight = jnp.sum(s.weights > 0, axis=-1) + jnp.sum(s.gas > 0, axis=-1)
    n_motion = 2 * (jnp.sum(fit.present, axis=-1) + jnp.where(is_fixed(fit), 0, 1))
    n_shape = layout.degree + layout.attenuation
    n_free = n_weight + n_motion + n_shape
    chi2 = jnp.sum(fit.residual**2, axis=-1) / (n_pixel - n_free).astype(float) / noise_scale**2
    columns = {
        "chi2_reduced": chi2,
        "noise_scale": noise_scale,
        "residual_rms": rms / noise_scale,
        "n_pixel": n_pixel,
        "n_free": n_free,
    }
    return FitQuality(columns, jnp.sqrt(chi2) * noise_scale, rms)
