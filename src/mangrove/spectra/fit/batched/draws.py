"""Compositions of noisy copies of the best models of a batch (parametric bootstrap)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.covariances import factor, hold
from mangrove.spectra.fit.batched.fitted import FittedBatch, places
from mangrove.spectra.fit.batched.pivots import nonnegative_near
from mangrove.spectra.fit.bounds import MAX_EBV
from mangrove.spectra.fit.component_names import COMPONENTS
from mangrove.spectra.fit.shape import POLYNOMIAL_FLOOR

#: Added to the squared lengths of templates: some are mixtures of others to within rounding, which else would say which of them a
#: draw takes. It holds no weight nearer than some ten times the whole light at a signal to noise of 50.
_TIES = 1e-9


class DrawnCompositions(NamedTuple):
    """Compositions of noisy copies, as those of :class:`mangrove.spectra.fit.batched.batch.Solutions`.

    Attributes
    ----------
    weights, theta : array, shape (n, n_draw, n_star), (n, n_draw, 1 + degree)
    """

    weights: jax.Array
    theta: jax.Array


def draw_compositions(layout: BatchLayout, fit: FittedBatch, scale, n_draw: int) -> DrawnCompositions:
    """Solutions for noisy copies of the best model, linear about it.

    Noise enters by its products with the columns alone. Their covariance is the matrix of the products of the columns with
    each other, so no noise of single pixels is drawn. The centre of the polynomial's prior is drawn as well. E(B-V) is one
    of the unknowns that are not negative, counted from the nearer of its bounds.

    Parameters
    ----------
    scale : array, shape (n,)
        Noise in units of the errors.
    """
    s, degree = fit.solution, layout.degree
    unknown = slice(0, places(layout, s.weights.shape[1]).gas.stop)
    products = fit.products[:, unknown, unknown]
    if not layout.attenuation:
        products = products.at[:, 0].set(0.0).at[:, :, 0].set(0.0)
    # The step of the shape that solves the copy without noise is none.
    best = jnp.concatenate([jnp.zeros_like(s.theta), s.weights, s.gas], axis=-1)
    noise, centre = _noise(layout, fit, products, n_draw)
    right = jnp.einsum("nij,nj->ni", products, best)[:, None] + scale[:, None, None] * noise
    held = hold(layout, fit, products.shape[1])
    right = right.at[:, :, 1 : 1 + degree].add(jnp.sqrt(held[:, 1 : 1 + degree])[:, None] * centre)
    products = products + jnp.eye(held.shape[1])[None] * held[:, None]
    stars = places(layout, s.weights.shape[1]).stars
    products = products.at[:, stars, stars].add(fit.galaxy.roughness / fit.spectra.norm[:, None, None] ** 2)
    each = np.arange(stars.start, stars.stop)
    products = products.at[:, each, each].multiply(1.0 + _TIES)
    return _solved(fit, products, right)


def drawn_continua(fit: FittedBatch, star_columns, draws: DrawnCompositions) -> jax.Array:
    """Stellar continua of draws on the good pixels, 0 on others, in the units of the data, shape (n, n_draw, n_wave).

    Parameters
    ----------
    star_columns : array, shape (n, n_star, n_wave)
        Those of ``fit.columns``, with the shape of the best model.
    """
    mixture = jnp.einsum("nks,nsw->nkw", draws.weights, star_columns) * fit.spectra.error[:, None]
    best, theta = fit.solution.theta[:, None], draws.theta
    dust = jnp.exp(-(theta[..., :1] - best[..., :1]) * fit.galaxy.curve[:, None])
    polynomials = (polynomial(fit.galaxy.legendre, values[..., 1:]) for values in (theta, best))
    drawn, of_best = polynomials
    return mixture * dust * drawn / of_best


def polynomial(legendre, coefficients) -> jax.Array:
    """Multiplicative polynomials of coefficients of shape (n, k, degree), shape (n, k, n_wave)."""
    return jnp.maximum(1.0 + jnp.einsum("nkd,ndw->nkw", coefficients, legendre), POLYNOMIAL_FLOOR)


def _noise(layout: BatchLayout, fit: FittedBatch, products, n_draw: int) -> tuple[jax.Array, jax.Array]:
    """Products of noise with the columns, and the drawn centre of the prior in units of its width.

    Shapes (n, n_draw, n_column) and (n, n_draw, degree). They depend on the seed of a spectrum and on its own columns, not
    on how many others a batch has room for.
    """
    n_shape, n_star, n_line = fit.solution.theta.shape[1], fit.solution.weights.shape[1], fit.lines.wave.shape[0]
    # The stars are last and draws are counted by the last axis: numbers of one column stay what they are when others follow.
    sizes = (n_shape, n_shape - 1, len(COMPONENTS) * n_line, n_star)
    ends = np.cumsum(sizes).tolist()

    def of_seed(seed) -> jax.Array:
        return jax.random.normal(jax.random.wrap_key_data(seed), (ends[-1], n_draw), float)

    of_shape, centre, of_gas, of_stars = jnp.split(jax.vmap(of_seed)(fit.spectra.seed), ends[:-1], axis=1)
    of_gas = of_gas[:, np.array(layout.gas_component) * n_line + np.array(layout.gas_line)]
    white = jnp.concatenate([of_shape, of_stars, of_gas], axis=1)
    length = jnp.sqrt(jnp.diagonal(products, axis1=-2, axis2=-1))
    lower = factor(products, length, length > 0, _TIES) * length[..., None]
    return jnp.einsum("nij,njk->nki", lower, white), jnp.swapaxes(centre, 1, 2)


def _solved(fit: FittedBatch, products, right) -> DrawnCompositions:
    """Solutions of normal equations whose first unknowns are steps of the shape, and the others weights."""
    s = fit.solution
    degree, ebv = s.theta.shape[1] - 1, s.theta[:, 0]
    upper = ebv > 0.5 * MAX_EBV
    bound, sign = jnp.where(upper, MAX_EBV, 0.0), jnp.where(upper, -1.0, 1.0)
    right = right - (products[:, 0] * (bound - ebv)[:, None])[:, None]
    # E(B-V) follows the polynomial, which has no sign.
    order = np.array([*range(1, 1 + degree), 0, *range(1 + degree, right.shape[2])])
    turned = jnp.ones((s.theta.shape[0], order.size)).at[:, degree].set(sign)
    products = products[:, order][:, :, order] * turned[:, :, None] * turned[:, None]
    right = right[..., order] * turned[:, None]
    of_shape = jnp.concatenate([jnp.ones((ebv.size, degree)), (sign * (ebv - bound))[:, None]], axis=-1)
    found = nonnegative_near(products, right, degree, jnp.concatenate([of_shape, s.weights, s.gas], axis=-1) > 0)
    drawn = jnp.clip(bound[:, None] + sign[:, None] * found[..., degree], 0.0, MAX_EBV)
    # Without a stellar continuum the data do not tell E(B-V).
    drawn = jnp.where(jnp.any(s.weights > 0, axis=-1, keepdims=True), drawn, ebv[:, None])
    theta = jnp.concatenate([drawn[..., None], s.theta[:, None, 1:] + found[..., :degree]], axis=-1)
    return DrawnCompositions(found[..., degree + 1 : degree + 1 + s.weights.shape[1]], theta)
