"""Model spectra of a batch, and their derivatives: what :mod:`mangrove.spectra.fit.spectrum` does one by one.

Templates are transformed once. Velocity, dispersion and the place of the first pixel of the data multiply the transform
(Cappellari 2017, section 2.2), and what comes back lies on the pixels of the data, where the shape multiplies it. Results
are in the units of the data on ``layout.n_wave`` pixels, of which the padding means nothing.

Kinematics, shape (n, 1 + n_component, 2), are the velocity and dispersion of the stars and of each component of the gas in km/s;
theta, shape (n, 1 + degree), is E(B-V) and the coefficients of the polynomial.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr

from mangrove.spectra.fit.batched.batch import BatchLayout, Galaxies, Lines, Spectra
from mangrove.spectra.fit.shape import POLYNOMIAL_FLOOR

#: Least line spread, pixels, as in templates.gas_templates.
_LEAST_WIDTH = 0.1
_TINY = 1e-300


def star_transforms(galaxies: Galaxies, spectra: Spectra) -> jax.Array:
    """Fourier transforms of the stellar templates of each spectrum over their scale, shape (n, n_star, n_freq)."""
    return jnp.asarray(galaxies.transform)[spectra.galaxy]


def star_mixture(galaxies: Galaxies, spectra: Spectra, weights) -> jax.Array:
    """Fourier transform of the stellar templates times weights, shape (n, n_freq)."""
    return _weighed("ns,nsf->nf", weights, star_transforms(galaxies, spectra))


def gas_transforms(layout: BatchLayout, galaxies: Galaxies, lines: Lines, spectra: Spectra) -> jax.Array:
    """Fourier transforms of the templates of the gas at the line spread of each spectrum.

    As :func:`mangrove.spectra.fit.templates.gas_templates` makes them, shape (n, n_gas, n_freq); zero where a line is not
    in use.
    """
    place = jnp.asarray(galaxies.line_place)[spectra.galaxy]
    wave = jnp.asarray(galaxies.wave)[spectra.galaxy]
    step = jnp.log(wave[:, 1:2] / wave[:, :1])
    at_line = jax.vmap(jnp.interp, (None, 0, 0))(jnp.asarray(lines.wave), wave, spectra.lsf)
    # The line spread includes the pixel: a Gaussian without it, integrated over pixels, has the right shape.
    width = jnp.sqrt(jnp.maximum((at_line / jnp.asarray(lines.wave)[None] / step) ** 2 - 1.0 / 12.0, _LEAST_WIDTH**2))
    first = jnp.round(place).astype(jnp.int32) - layout.line_window
    pixel = first[..., None] + jnp.arange(2 * layout.line_window + 1, dtype=jnp.int32)[None, None]
    from_line = pixel.astype(place.dtype) - place[..., None]
    edge = jnp.concatenate([from_line - 0.5, from_line[..., -1:] + 0.5], axis=-1)
    profile = jnp.diff(ndtr(edge / width[..., None]), axis=-1)
    total = jnp.where(spectra.use, jnp.maximum(jnp.sum(profile, axis=-1), _TINY), jnp.inf)
    profile = profile / total[..., None]
    n, n_line = place.shape
    row, line = jnp.arange(n)[:, None, None], jnp.arange(n_line)[None, :, None]
    light = jnp.zeros((n, n_line, layout.n_fft)).at[row, line, pixel].add(profile, mode="drop")
    return jnp.fft.rfft(jnp.einsum("nlw,lg->ngw", light, lines.tie), axis=-1)


def broadening(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, velocity, variance) -> jax.Array:
    """What broadens, shifts and places transforms on the pixels of the data, shape (n, n_freq) of complex.

    Parameters
    ----------
    velocity, variance : array, shape (n,)
        km/s; square of the dispersion, km2/s2.
    """
    pixel, offset = (jnp.asarray(values)[spectra.galaxy][:, None] for values in (galaxies.pixel, galaxies.offset))
    frequency = jnp.asarray(_frequency(layout), pixel.dtype)[None]
    damping = jnp.exp(-0.5 * (frequency / pixel) ** 2 * variance[:, None])
    phase = frequency * (offset - velocity[:, None] / pixel)
    return jax.lax.complex(damping * jnp.cos(phase), damping * jnp.sin(phase))


def on_data(layout: BatchLayout, transforms) -> jax.Array:
    """Back from transforms, shape (..., n_freq), to the pixels of the data, shape (..., n_wave)."""
    return jnp.fft.irfft(transforms, layout.n_fft, axis=-1)[..., : layout.n_wave]


def star_columns(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, kinematics) -> jax.Array:
    """Stellar templates over their scale, moved but without shape, shape (n, n_star, n_wave)."""
    kernel = broadening(layout, galaxies, spectra, *_first(kinematics))
    return on_data(layout, star_transforms(galaxies, spectra) * kernel[:, None])


def gas_columns(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, transforms, kinematics) -> jax.Array:
    """Templates of the gas, each moved with its component, shape (n, n_gas, n_wave).

    Parameters
    ----------
    transforms : array, shape (n, n_gas, n_freq)
        Of :func:`gas_transforms`.
    """
    return on_data(layout, transforms * _gas_kernels(layout, galaxies, spectra, kinematics)[:, layout.gas_place])


def shape(galaxies: Galaxies, spectra: Spectra, theta) -> jax.Array:
    """Attenuation relative to the pivot times polynomial (:mod:`mangrove.spectra.fit.shape`), shape (n, n_wave)."""
    dust, polynomial = _dust_and_polynomial(galaxies, spectra, theta)
    return dust * jnp.maximum(polynomial, POLYNOMIAL_FLOOR)


def stellar_continuum(
    layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, weights, kinematics, theta
) -> jax.Array:
    """Starlight, shape (n, n_wave).

    Parameters
    ----------
    weights : array, shape (n, n_star)
        Of the templates over their scale.
    """
    moved = star_mixture(galaxies, spectra, weights) * broadening(layout, galaxies, spectra, *_first(kinematics))
    return on_data(layout, moved) * shape(galaxies, spectra, theta)


def emission(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, transforms, gas, kinematics) -> jax.Array:
    """All lines, shape (n, n_wave).

    Parameters
    ----------
    transforms : array, shape (n, n_gas, n_freq)
        Of :func:`gas_transforms`.
    gas : array, shape (n, n_gas)
        Their weights.
    """
    kernels = _gas_kernels(layout, galaxies, spectra, kinematics)
    return on_data(layout, jnp.sum(_of_components(layout, transforms, gas) * kernels, axis=1))


def jacobian(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, transforms, solution) -> jax.Array:
    """Derivatives of the model by all that is not a weight, shape (n, 2 + 2 n_component + 1 + degree, n_wave).

    By velocity (km/s) and *variance* (km2/s2) of the stars and of each component of the gas in turn, then by theta. By the
    dispersion it is twice the dispersion times that, which vanishes at zero.

    Parameters
    ----------
    transforms : array, shape (n, n_gas, n_freq)
        Of :func:`gas_transforms`.
    solution : Solutions
        Or any object with its kinematics, theta, weights and gas.
    """
    dust, polynomial = _dust_and_polynomial(galaxies, spectra, solution.theta)
    whole = dust * jnp.maximum(polynomial, POLYNOMIAL_FLOOR)
    star = star_mixture(galaxies, spectra, solution.weights)
    star = star * broadening(layout, galaxies, spectra, *_first(solution.kinematics))
    lines = _of_components(layout, transforms, solution.gas)
    moved = jnp.concatenate(
        [star[:, None], lines * _gas_kernels(layout, galaxies, spectra, solution.kinematics)], axis=1
    )
    by_kinematics = on_data(layout, moved[:, :, None] * _derivatives(layout, galaxies, spectra)[:, None])
    by_kinematics = by_kinematics.at[:, 0].multiply(whole[:, None])
    mixture = on_data(layout, star)
    by_ebv = -jnp.asarray(galaxies.curve)[spectra.galaxy] * mixture * whole
    scale = jnp.where(polynomial > POLYNOMIAL_FLOOR, mixture * dust, 0.0)
    by_polynomial = scale[:, None] * jnp.asarray(galaxies.legendre)[spectra.galaxy]
    flat = by_kinematics.reshape(by_kinematics.shape[0], -1, layout.n_wave)
    return jnp.concatenate([flat, by_ebv[:, None], by_polynomial], axis=1)


def _frequency(layout: BatchLayout) -> np.ndarray:
    return 2.0 * np.pi * np.fft.rfftfreq(layout.n_fft)


def _first(kinematics):
    """Velocity and variance of the stars."""
    return kinematics[:, 0, 0], kinematics[:, 0, 1] ** 2


def _gas_kernels(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, kinematics) -> jax.Array:
    """Of each component of the gas, shape (n, n_component, n_freq)."""
    moved = jax.vmap(broadening, (None, None, None, 1, 1), 1)
    return moved(layout, galaxies, spectra, kinematics[:, 1:, 0], kinematics[:, 1:, 1] ** 2)


def _derivatives(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra) -> jax.Array:
    """Of a transform by velocity and variance over itself, shape (n, 2, n_freq) of complex."""
    pixel = jnp.asarray(galaxies.pixel)[spectra.galaxy][:, None]
    frequency = jnp.asarray(_frequency(layout), pixel.dtype)[None] / pixel
    by_velocity = jax.lax.complex(jnp.zeros_like(frequency), -frequency)
    by_variance = jax.lax.complex(-0.5 * frequency**2, jnp.zeros_like(frequency))
    return jnp.stack([by_velocity, by_variance], axis=1)


def _of_components(layout: BatchLayout, transforms, gas) -> jax.Array:
    """Transform of the lines of each component times weights, shape (n, n_component, n_freq)."""
    component = layout.gas_place
    member = np.arange(len(layout.components))[:, None] == component
    return _weighed("nkg,ngf->nkf", jnp.where(member[None], gas[:, None], 0.0), transforms)


def _weighed(sum_, weights, transforms) -> jax.Array:
    parts = (jnp.einsum(sum_, weights, part) for part in (jnp.real(transforms), jnp.imag(transforms)))
    return jax.lax.complex(*parts)


def _dust_and_polynomial(galaxies: Galaxies, spectra: Spectra, theta) -> tuple[jax.Array, jax.Array]:
    """Attenuation relative to the pivot, and the polynomial without its floor."""
    curve, legendre = (jnp.asarray(values)[spectra.galaxy] for values in (galaxies.curve, galaxies.legendre))
    dust = jnp.exp(-theta[:, :1] * curve)
    return dust, 1.0 + jnp.einsum("nk,nkw->nw", theta[:, 1:], legendre)
