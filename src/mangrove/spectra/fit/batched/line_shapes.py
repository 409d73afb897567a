"""Whether the lines of a batch have the profile that was fitted (:mod:`mangrove.spectra.fit.ppxf.line_profiles`)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaincc

from mangrove.codes import LineShape
from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched.batch import BatchLayout
from mangrove.spectra.fit.batched.fitted import FittedBatch
from mangrove.spectra.fit.batched.line_fluxes import LineFluxes, lsf_at
from mangrove.spectra.fit.batched.residuals import median_of_absolute, scatter_of_sums
from mangrove.spectra.fit.component_names import BROAD
from mangrove.spectra.fit.line_judgement import (
    DETECTED,
    FLUX_FLOOR,
    LEAST_HALF_WIDTH,
    LEAST_SUM_HALF_WIDTH,
    MAX_RATIO_RESIDUAL,
    MAX_RESIDUAL,
    MIN_PROBABILITY,
    PROFILE_FLOOR,
    WIDE_HALF_WIDTHS,
    WINDOW_SIGMA,
)


class _LineResiduals(NamedTuple):
    """Data minus model, and where it tells the noise; shape (n, n_wave) each.

    Attributes
    ----------
    value, error : array
        In the units of the data; 0 and finite where a pixel is not good.
    width : array
        Of the pixels in the frame of the fluxes, Angstrom.
    away : array, shape (n, n_line, n_wave)
        Distance from each line where the gas is, km/s, signed.
    free : array of bool
        Good pixels without lines.
    """

    value: jax.Array
    error: jax.Array
    width: jax.Array
    away: jax.Array
    free: jax.Array

    def sums(self, use) -> tuple[jax.Array, jax.Array]:
        """Flux of the residual in windows of good pixels, shape (n, n_line, n_wave), and its error, shape (n, n_line)."""
        total = _over(use, self.value * self.width)
        variance = _over(use, (self.error * self.width) ** 2)
        sizes = jnp.sum(use, axis=-1)
        typical = jnp.nan_to_num(median_of_absolute(sizes.astype(float), sizes > 0), nan=1.0)
        return total, jnp.sqrt(variance) * self.scatter(typical.astype(int)[:, None])

    def scatter(self, size) -> jax.Array:
        """Scatter of sums over so many pixels without lines over what their errors say, shape (n, k) as ``size``."""
        shape = (*size.shape, self.value.shape[-1])
        residual, free = (jnp.broadcast_to(x[:, None], shape) for x in (self.value / self.error, self.free))
        return scatter_of_sums(residual, free, size)


def line_shapes(layout: BatchLayout, fit: FittedBatch, rms, seen, fluxes: LineFluxes) -> dict[str, jax.Array]:
    """What the residuals about each line say, shape (n, n_line) each; NaN, and no bit, where a line is not seen.

    Parameters
    ----------
    rms : array, shape (n,)
        Of the residuals over the errors.
    seen : array of bool, shape (n, n_line)
        Lines with a flux.

    Returns
    -------
    dict
        ``line_flux_sum`` (the flux without its profile: data minus all else over the good pixels of the window, the profile in the
        others) and its error, ``line_residual`` (that minus the flux over the error), ``line_chi2`` (mean square of the
        residual over the error) and ``line_shape``, bits of :class:`mangrove.codes.LineShape`.
    """
    data, flux, good = _residuals(fit, rms), fluxes.total, fit.spectra.good[:, None]
    core, whole, *wide = (window & good for window in _windows(layout, fit, data.away))
    excess, error = data.sums(whole)
    error_of_flux = jnp.hypot(error, FLUX_FLOOR * flux)
    is_line = seen & (flux + excess > DETECTED * error)
    # The lines of which the profile is known to a part of themselves only.
    chi2 = _over(core, data.value**2 / (data.error**2 + (PROFILE_FLOOR * fit.emission) ** 2))
    n_pixel = jnp.sum(core, axis=-1).astype(float)
    probability = jnp.where(n_pixel > 0, gammaincc(0.5 * jnp.maximum(n_pixel, 1.0), 0.5 * chi2), 1.0)
    odd = (jnp.abs(excess) > MAX_RESIDUAL * error_of_flux) | (probability < MIN_PROBABILITY)
    for window in wide:
        wings, wings_error = data.sums(window)
        odd |= jnp.abs(wings) > MAX_RESIDUAL * jnp.hypot(wings_error, FLUX_FLOOR * flux)
    rejected = _rejected_ratios(layout, fit, data, fluxes) & is_line[:, fit.lines.partner]
    bits = jnp.where(odd & is_line, int(LineShape.NOT_ONE_GAUSSIAN), 0)
    bits += jnp.where(rejected, int(LineShape.DOUBLET_RATIO_REJECTED), 0)
    columns = {
        "line_flux_sum": flux + excess,
        "line_flux_sum_err": error,
        "line_residual": excess / error_of_flux,
        "line_chi2": chi2 / jnp.maximum(n_pixel, 1.0),
    }
    columns = {name: jnp.where(seen, values, jnp.nan) for name, values in columns.items()}
    return columns | {"line_shape": bits.astype(jnp.uint8)}


def _residuals(fit: FittedBatch, rms) -> _LineResiduals:
    good = fit.spectra.good
    away = (
        C_KMS * (jnp.log(fit.galaxy.wave)[:, None] - jnp.log(fit.lines.wave)[None, :, None]) - fit.v_gas[:, None, None]
    )
    return _LineResiduals(
        value=jnp.where(good, fit.spectra.flux - fit.stellar_continuum - fit.emission, 0.0),
        # Formal errors that are too small for the continuum are so for the lines.
        error=fit.spectra.error * jnp.maximum(rms, 1.0)[:, None],
        width=fit.galaxy.wave * ((1.0 + fit.galaxy.z) * fit.step)[:, None],
        away=away,
        free=good & (jnp.min(jnp.abs(away), axis=1) > LEAST_SUM_HALF_WIDTH),
    )


def _windows(layout: BatchLayout, fit: FittedBatch, away) -> list[jax.Array]:
    """Pixels about each line for chi2 and for the sum, and far about those that may be broad, shape (n, n_line, n_wave)."""
    spread = C_KMS * lsf_at(fit, jnp.broadcast_to(fit.lines.wave, fit.spectra.use.shape)) / fit.lines.wave[None]
    half = jnp.zeros_like(spread)
    for k, component in enumerate(layout.components):
        v, sigma = fit.solution.kinematics[:, 1 + k, :1], fit.solution.kinematics[:, 1 + k, 1:]
        reach = jnp.abs(v - fit.v_gas[:, None]) + WINDOW_SIGMA * jnp.hypot(sigma, spread)
        half = jnp.where(fit.present[:, k, None] & (component != BROAD), jnp.maximum(half, reach), half)
    away = jnp.abs(away)
    near = [away < jnp.maximum(half, least)[..., None] for least in (LEAST_HALF_WIDTH, LEAST_SUM_HALF_WIDTH)]
    return near + [fit.lines.broad[None, :, None] & (away < width) for width in WIDE_HALF_WIDTHS]


def _rejected_ratios(layout: BatchLayout, fit: FittedBatch, data: _LineResiduals, fluxes: LineFluxes) -> jax.Array:
    """Whether the lines of a doublet ask for another ratio than the one that ties them, shape (n, n_line)."""
    n_line = fit.lines.wave.shape[0]
    weak = np.setdiff1d(np.arange(n_line), layout.gas_line)
    strong, ratio = fit.lines.partner[weak], fit.lines.ratio[weak][None]
    low, low_err = _missing(layout, fit, data, fluxes.parts, weak)
    high, high_err = _missing(layout, fit, data, fluxes.parts, strong)
    flux = fluxes.total[:, weak]
    error = jnp.sqrt(low_err**2 + (ratio * high_err) ** 2 + (FLUX_FLOOR * flux) ** 2)
    rejected = (flux > 0) & (jnp.abs(low - ratio * high) > MAX_RATIO_RESIDUAL * error)
    number = np.arange(n_line, dtype=np.int32)[None]
    of_both = (number == weak[:, None]) | (number == strong[:, None])
    return jnp.any(rejected[:, :, None] & of_both[None], axis=1)


def _missing(layout: BatchLayout, fit: FittedBatch, data: _LineResiduals, parts, line) -> tuple[jax.Array, jax.Array]:
    """Flux of the profiles of lines in the residual, and its error, shape (n, n_line of them)."""
    spread = C_KMS * lsf_at(fit, jnp.broadcast_to(fit.lines.wave[line], (parts.shape[0], line.shape[0])))
    spread = spread / fit.lines.wave[line][None]
    velocity = data.away[:, line] + fit.v_gas[:, None, None]
    profile = jnp.zeros_like(velocity)
    for k, component in enumerate(layout.components):
        v, sigma = fit.solution.kinematics[:, 1 + k, 0], fit.solution.kinematics[:, 1 + k, 1]
        width = jnp.hypot(sigma[:, None], spread)
        height = jnp.nan_to_num(parts[:, component][:, line]) / width
        profile += height[..., None] * jnp.exp(-0.5 * ((velocity - v[:, None, None]) / width[..., None]) ** 2)
    profile = jnp.where(fit.inside[:, None], profile, 0.0)
    profile /= _or_one(jnp.sum(profile * data.width[:, None], axis=-1, keepdims=True))
    weight = jnp.where(fit.spectra.good, 1.0 / data.error**2, 0.0)[:, None] * profile
    information = jnp.sum(weight * profile, axis=-1)
    found = jnp.sum(weight * data.value[:, None], axis=-1) / _or_one(information)
    size = jnp.sum(profile, axis=-1) ** 2 / _or_one(jnp.sum(profile**2, axis=-1))
    error = data.scatter(jnp.maximum(size.astype(int), 1)) / jnp.sqrt(_or_one(information))
    return found, jnp.where(information > 0, error, jnp.inf)


def _over(windows, values) -> jax.Array:
    """Sums of values, shape (n, n_wave), over windows, shape (n, n_line, n_wave)."""
    return jnp.einsum("nlw,nw->nl", windows.astype(values.dtype), values)


def _or_one(values) -> jax.Array:
    return jnp.where(values != 0, values, 1.0)
