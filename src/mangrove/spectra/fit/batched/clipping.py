"""Outliers: pixels whose residual is noise of no kind."""

import jax
import jax.numpy as jnp

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.batch import Batch, Solutions
from mangrove.spectra.fit.batched.model import emission, gas_transforms, stellar_continuum
from mangrove.spectra.fit.batched.residuals import robust_rms
from mangrove.spectra.fit.bounds import CLIP_FROM_LINE


def outliers(batch: Batch, solutions: Solutions) -> jax.Array:
    """Good pixels away from emission lines whose residual is beyond a limit in robust standard deviations, shape (n, n_wave)."""
    spectra = batch.spectra
    limit = jnp.asarray(batch.galaxies.clip_sigma)[spectra.galaxy][:, None]
    residual = residuals(batch, solutions)
    scale = jnp.maximum(robust_rms(residual, spectra.good), 1.0)
    far = distance_to_lines(batch, jnp.zeros(len(residual))) > CLIP_FROM_LINE
    return spectra.good & (jnp.abs(residual) > limit * scale[:, None]) & far & (limit > 0)


def residuals(batch: Batch, solutions: Solutions) -> jax.Array:
    """Data minus model over the errors, 0 where pixels are not good, shape (n, n_wave)."""
    layout, galaxies, lines, spectra = batch
    s, transforms = solutions, gas_transforms(layout, galaxies, lines, spectra)
    stars = stellar_continuum(layout, galaxies, spectra, s.weights, s.kinematics, s.theta)
    gas = emission(layout, galaxies, spectra, transforms, s.gas, s.kinematics)
    return jnp.where(spectra.good, (spectra.flux - stars - gas) / spectra.error, 0.0)


def distance_to_lines(batch: Batch, velocity) -> jax.Array:
    """Distance, km/s, of the pixels to the nearest line that moves with a velocity, shape (n, n_wave).

    Parameters
    ----------
    velocity : array, shape (n,)
        km/s.
    """
    wave = jnp.asarray(batch.galaxies.wave)[batch.spectra.galaxy]

    def nearer(nearest, line):
        return jnp.minimum(nearest, jnp.abs(C_KMS * jnp.log(wave / line) - velocity[:, None])), None

    return jax.lax.scan(nearer, jnp.full_like(wave, jnp.inf), jnp.asarray(batch.lines.wave))[0]
