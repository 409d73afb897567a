"""Emission lines of a batch: status, flux, equivalent width, and their errors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.codes import LineStatus
from mangrove.physics.lines import EW_HALF_WIDTH
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.fitted import FittedBatch
from mangrove.spectra.fit.line_coverage import LINE_MARGIN, MIN_COVERED, pixel_width

_TINY = 1e-300


class LineFluxes(NamedTuple):
    """Fluxes and errors, NaN where a fit has no template.

    Attributes
    ----------
    parts, part_errors : array, shape (n, n_component, n_line)
        Of each component for which a result has room.
    total, error : array, shape (n, n_line)
        Of each line.
    """

    parts: jax.Array
    part_errors: jax.Array
    total: jax.Array
    error: jax.Array


def line_status(layout: BatchLayout, fit: FittedBatch) -> jax.Array:
    """Status of each line where the gas is (:func:`mangrove.spectra.fit.line_coverage.line_status_of`), shape (n, n_line)."""
    velocity, sigma = fit.solution.kinematics[:, 1, :1], fit.solution.kinematics[:, 1, 1:]
    step = fit.step[:, None]
    centre = fit.lines.wave[None] * jnp.exp(velocity / C_KMS)
    width = jnp.hypot(sigma / C_KMS, lsf_at(fit, centre) / centre)
    offset = jnp.log(fit.galaxy.wave)[:, None] - jnp.log(centre)[..., None]
    profile = jnp.exp(-0.5 * (offset / jnp.maximum(width, step)[..., None]) ** 2)
    whole, seen = (jnp.einsum("nlw,nw->nl", profile, use.astype(float)) for use in (fit.inside, fit.spectra.good))
    status = jnp.where(seen >= MIN_COVERED * jnp.maximum(whole, _TINY), LineStatus.OK, LineStatus.MASKED)
    place = jnp.log(centre / fit.galaxy.wave[:, :1]) / step
    last = (fit.spectra.n_wave - 1)[:, None].astype(float)
    outside = (place < LINE_MARGIN) | (place > last - LINE_MARGIN)
    # A line that is tied to another is measured through it; what had no template has no flux: it was masked, or its partner
    # seemed to lie outside.
    has_none = ~fit.spectra.use[:, fit.lines.partner]
    outside |= outside[:, fit.lines.partner] | (has_none & (status == LineStatus.OK))
    return jnp.where(outside, LineStatus.OUTSIDE_RANGE, status).astype(jnp.int8)


def pixels_at_lines(layout: BatchLayout, wave, z, step, kinematics) -> jax.Array:
    """Width of the observed pixel at the line of each template of the gas, Angstrom, shape (n, n_gas).

    By :func:`mangrove.spectra.fit.line_coverage.pixel_width`.

    Parameters
    ----------
    wave : array, shape (n_line,)
        Of the line list.
    z, step : array, shape (n,)
        Redshift of the galaxy, and the step in ln(wavelength).
    """
    velocity = kinematics[:, 1:, 0][:, layout.gas_place]
    at_rest = jnp.asarray(wave)[np.array(layout.gas_line)][None]
    return pixel_width(at_rest, z[:, None], velocity, step[:, None])


def line_fluxes(layout: BatchLayout, fit: FittedBatch, covariance) -> LineFluxes:
    """Fluxes of the lines and of their components.

    Parameters
    ----------
    covariance : array, shape (n, n_gas, n_gas)
        Of the weights of the lines.
    """
    free, component = np.array(layout.gas_line), layout.gas_place
    pixel = pixels_at_lines(layout, fit.lines.wave, fit.galaxy.z, fit.step, fit.solution.kinematics)
    known = fit.present[:, component] & fit.spectra.use[:, free]
    n, shape = known.shape[0], (layout.n_component, fit.lines.wave.shape[0])
    empty = jnp.full((n, *shape), jnp.nan)
    at = np.array(layout.gas_component), free
    flux = jnp.where(known, fit.solution.gas * pixel, jnp.nan)
    variance = jnp.diagonal(covariance, axis1=-2, axis2=-1) * pixel**2
    parts = empty.at[:, *at].set(flux)
    part_errors = empty.at[:, *at].set(jnp.where(known, jnp.sqrt(variance), jnp.nan))
    of_line = free[:, None] == np.arange(shape[1])
    has = jnp.any(known[:, :, None] & of_line[None], axis=1)
    together = jnp.where(known, pixel, 0.0)[:, :, None] * of_line[None].astype(float)
    total = jnp.where(has, jnp.nansum(parts, axis=1), jnp.nan)
    unknown = jnp.any(known[:, :, None] & of_line[None] & jnp.isinf(variance)[:, :, None], axis=1)
    error = jnp.sqrt(jnp.einsum("nil,nij,njl->nl", together, jnp.nan_to_num(covariance, posinf=0.0), together))
    error = jnp.where(has, jnp.where(unknown, jnp.inf, error), jnp.nan)
    partner, ratio = fit.lines.partner, fit.lines.ratio
    parts, part_errors = (values[..., partner] * ratio[None, None] for values in (parts, part_errors))
    return LineFluxes(parts, part_errors, total[:, partner] * ratio[None], error[:, partner] * ratio[None])


def equivalent_widths(fit: FittedBatch, seen, fluxes: LineFluxes, draws) -> dict[str, jax.Array]:
    """Continua and equivalent widths of the lines that are seen, and their errors; shape (n, n_line) each.

    Parameters
    ----------
    draws : array, shape (n, n_draw, n_wave)
        Stellar continua of noisy copies of the model on the good pixels, in the units of the data.
    """
    windows = _windows(fit)
    continuum = jnp.where(seen, _means(windows, fit.stellar_continuum[:, None])[:, 0], jnp.nan)
    # Both widths are in the observed frame until divided by 1 + z; a continuum of zero has no equivalent width.
    per_width = jnp.where(continuum > 0, continuum * (1.0 + fit.galaxy.z)[:, None], jnp.nan)
    width = fluxes.total / per_width
    drawn = _means(windows & fit.spectra.good[:, None], draws)
    level = jnp.mean(drawn, axis=1)
    scatter = jnp.std(drawn, axis=1, ddof=1) / jnp.where(level > 0, level, jnp.nan)
    error = jnp.hypot(fluxes.error / per_width, width * scatter)
    return {"line_ew": width, "line_ew_err": error, "line_continuum": continuum}


def lsf_at(fit: FittedBatch, wave) -> jax.Array:
    """Line spread of the data at wavelengths of shape (n, n_line), Angstrom."""
    return jax.vmap(jnp.interp)(wave, fit.galaxy.wave, fit.spectra.lsf)


def _windows(fit: FittedBatch) -> jax.Array:
    """Pixels within :data:`EW_HALF_WIDTH` of each line, shape (n, n_line, n_wave)."""
    centre = jnp.log(fit.lines.wave)[None] + fit.v_gas[:, None] / C_KMS
    near = jnp.abs(jnp.log(fit.galaxy.wave)[:, None] - centre[..., None]) < EW_HALF_WIDTH / C_KMS
    return near & fit.inside[:, None]


def _means(windows, values) -> jax.Array:
    """Means of values, shape (n, k, n_wave), over windows, shape (n, k, n_line); 0 over an empty one."""
    n = jnp.maximum(jnp.sum(windows, axis=-1), 1).astype(values.dtype)
    return jnp.einsum("nlw,nkw->nkl", windows.astype(values.dtype), values) / n[:, None]
