"""What the line spread of the templates leaves to correct in the dispersion of the stars."""

import jax
import jax.numpy as jnp

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.covariances import factor, free_columns
from mangrove.spectra.fit.batched.factors import RIDGE, solve_factored
from mangrove.spectra.fit.batched.fitted import FittedBatch, places


def lsf_correction(layout: BatchLayout, fit: FittedBatch) -> jax.Array:
    """sigma_template^2 - sigma_instrument^2, km2/s2, as the fit sees it, shape (n,).

    The mean over good pixels, each weighted by what it tells about the dispersion: the square of the model's
    derivative by sigma^2, less what templates, dust and polynomial can mimic, over the variance. Most of that is in the
    blue; a mean weighted by inverse variance alone is off by hundreds of km2/s2. 0 without a stellar continuum.
    """
    place = places(layout, fit.solution.weights.shape[1])
    difference = (fit.galaxy.template_lsf**2 - fit.spectra.lsf**2) * (C_KMS / fit.galaxy.wave) ** 2
    derivative = fit.columns[:, place.star_motion.stop - 1]
    continuum = slice(0, place.stars.stop)
    free = free_columns(layout, fit)[:, continuum]
    products = fit.products[:, continuum, continuum]
    length = jnp.sqrt(jnp.diagonal(products, axis1=-2, axis2=-1))
    known = free & (length > 0)
    scale = jnp.where(known, 1.0 / jnp.where(known, length, 1.0), 0.0)
    by_columns = fit.products[:, continuum, place.star_motion.stop - 1] * scale
    mimic = solve_factored(factor(products, length, known, RIDGE), by_columns[..., None])[..., 0] * scale

    def weighted(values) -> jax.Array:
        """Sum of values by weights: the derivative times what of it the columns cannot mimic."""
        left = derivative * values
        along = jnp.einsum("ncw,nw->nc", fit.columns[:, continuum], left)
        return jnp.sum(left * derivative, axis=-1) - jnp.sum(along * mimic, axis=-1)

    total = weighted(jnp.ones_like(difference))
    return jnp.where(total > 0, weighted(difference) / jnp.where(total > 0, total, 1.0), 0.0)
