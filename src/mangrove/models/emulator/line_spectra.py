"""Add emission lines to a continuum: Gaussians of given equivalent width. Pure and differentiable."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from mangrove.errors import ModelError
from mangrove.models.emulator.emission_lines import LINES, PARTS, rest_wave
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM, linear_edges


def add_lines(
    wave: np.ndarray,
    continuum: jax.Array,
    ew: jax.Array,
    resolving_power,
    *,
    lines: Sequence[str] = LINES,
    velocity=0.0,
    sigma=0.0,
) -> jax.Array:
    """Spectra with lines, whose profiles are integrated over the pixels.

    A line has the flux EW times the continuum at its rest wavelength; its width is that of the resolving power and of
    the gas, in quadrature. Parts of a line beyond the spectrum are lost. The [OII] doublet is two lines.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Rest wavelengths of the pixels' centres, vacuum, Angstrom, ascending; fixed, never traced.
    continuum : Array, shape (..., n_wave)
        Flux density per Angstrom.
    ew : Array, shape (..., n_line)
        Rest-frame equivalent widths, Angstrom, emission positive.
    resolving_power : float or Array, shape (...)
        lambda over FWHM.
    lines : sequence of str
        Names of the lines of ``ew``; by default all ten of the emulator.
    velocity, sigma : float or Array, shape (...)
        Of the gas, km/s: shift, and dispersion before the instrument.

    Returns
    -------
    Array, shape (..., n_wave)

    Raises
    ------
    ModelError
        If a line is unknown, or the shapes do not fit.
    """
    _check(np.shape(wave), np.shape(continuum), np.shape(ew), lines)
    wave = np.asarray(wave, float)
    parts = [(i, rest_wave(name), share) for i, line in enumerate(lines) for name, share in PARTS[line].items()]
    of_line, rest, share = (np.array(column) for column in zip(*parts, strict=True))
    continuum, ew = jnp.asarray(continuum, jnp.float32), jnp.asarray(ew, jnp.float32)
    lead = jnp.broadcast_shapes(continuum.shape[:-1], ew.shape[:-1])
    continuum = jnp.broadcast_to(continuum, (*lead, wave.size)).reshape(-1, wave.size)
    ew = jnp.broadcast_to(ew, (*lead, len(lines))).reshape(-1, len(lines))
    shift, width = (_per_row(x, lead) / np.float32(C_KMS) for x in (velocity, sigma))
    width = jnp.sqrt(width**2 + (1 / (_per_row(resolving_power, lead) * np.float32(SIGMA_TO_FWHM))) ** 2)
    flux = ew[:, of_line] * jnp.asarray(share, jnp.float32)[None, :] * _at(wave, continuum, rest)

    edges = linear_edges(wave)
    # Relative to each line in float64 first: near the line, float32 is then precise.
    from_line = jnp.asarray(np.log(edges[None, :] / rest[:, None]), jnp.float32)
    share_below = ndtr((from_line[None] - shift[:, None, None]) / width[:, None, None])
    density = jnp.diff(share_below, axis=-1) / jnp.asarray(np.diff(edges), jnp.float32)[None, None, :]
    return (continuum + jnp.einsum("np,npw->nw", flux, density)).reshape(*lead, wave.size)


def _check(wave, continuum, ew, lines) -> None:
    unknown = [line for line in lines if line not in PARTS]
    if unknown:
        raise ModelError(f"unknown line(s) {', '.join(unknown)}; known are {', '.join(LINES)}.")
    if len(wave) != 1 or continuum[-1:] != wave:
        raise ModelError(
            f"the continuum has shape {continuum}, the wavelengths {wave}: the last axis must be the same."
        )
    if ew[-1:] != (len(lines),):
        raise ModelError(f"ew has shape {ew}; its last axis must hold the {len(lines)} lines {', '.join(lines)}.")


def _per_row(value, lead: tuple[int, ...]) -> jax.Array:
    """A number per spectrum, shape (n,)."""
    return jnp.broadcast_to(jnp.asarray(value, jnp.float32), lead).reshape(-1)


def _at(wave: np.ndarray, continuum: jax.Array, rest: np.ndarray) -> jax.Array:
    """Continuum at the lines, shape (n, n_part), by straight lines between pixels; 0 beyond the spectrum."""
    right = np.clip(np.searchsorted(wave, rest), 1, wave.size - 1)
    weight = (rest - wave[right - 1]) / (wave[right] - wave[right - 1])
    inside = (weight >= 0) & (weight <= 1)
    low, high = (jnp.asarray(np.where(inside, w, 0), jnp.float32)[None, :] for w in (1 - weight, weight))
    return continuum[:, right - 1] * low + continuum[:, right] * high
