"""Spectra of a batch with their solutions, models, and the columns of the models."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import BatchLayout, Galaxies, Lines, Solutions, Spectra
from mangrove.spectra.fit.component_names import MAIN
from mangrove.spectra.fit.shape import ROUNDING


class FittedBatch(NamedTuple):
    """What the measurements of a batch start from.

    Attributes
    ----------
    galaxy : Galaxies
        That of each spectrum, arrays over the spectra.
    lines, spectra : Lines, Spectra
    solution : Solutions
        Kinematics of components that a spectrum does not have are those of the first.
    present : array of bool, shape (n, n_component)
        Components of the gas that a spectrum has, of those of the layout: the first, and others with light.
    inside : array of bool, shape (n, n_wave)
        Whether a pixel is none of the padding.
    stellar_continuum, emission : array, shape (n, n_wave)
        In the units of the data.
    residual : array, shape (n, n_wave)
        Data minus model over the errors; 0 where a pixel is not good.
    columns : array, shape (n, n_column, n_wave)
        Derivatives of the model over the errors, in the order of :class:`ColumnPlaces`; 0 where a pixel is not good.
    products : array, shape (n, n_column, n_column)
        Of the columns with each other.
    """

    galaxy: Galaxies
    lines: Lines
    spectra: Spectra
    solution: Solutions
    present: jax.Array
    inside: jax.Array
    stellar_continuum: jax.Array
    emission: jax.Array
    residual: jax.Array
    columns: jax.Array
    products: jax.Array

    @property
    def step(self) -> jax.Array:
        """Step in ln(wavelength), shape (n,)."""
        return self.galaxy.pixel / C_KMS

    @property
    def v_gas(self) -> jax.Array:
        """Velocity of the first component of the gas, km/s, shape (n,)."""
        return self.solution.kinematics[:, 1, 0]


class ColumnPlaces(NamedTuple):
    """Where the columns of a model are.

    Attributes
    ----------
    shape : slice
        E(B-V) and the coefficients of the polynomial.
    stars, gas : slice
        The weights.
    gas_motion, star_motion : slice
        Velocity and square of the dispersion of each component of the gas, and of the stars.
    """

    shape: slice
    stars: slice
    gas: slice
    gas_motion: slice
    star_motion: slice


def places(layout: BatchLayout, n_star: int) -> ColumnPlaces:
    """Places of the columns for so many stellar templates."""
    sizes = (1 + layout.degree, n_star, len(layout.gas_line), 2 * len(layout.components), 2)
    ends = np.cumsum(sizes).tolist()
    return ColumnPlaces(*(slice(end - size, end) for end, size in zip(ends, sizes, strict=True)))


def fitted(
    layout: BatchLayout, galaxies: Galaxies, lines: Lines, spectra: Spectra, solutions: Solutions
) -> FittedBatch:
    """Models of solutions and their columns."""
    present = _present(layout, solutions)
    moving = jnp.where(present[..., None], solutions.kinematics[:, 1:], solutions.kinematics[:, 1:2])
    solution = solutions._replace(kinematics=jnp.concatenate([solutions.kinematics[:, :1], moving], axis=1))
    transforms = model.gas_transforms(layout, galaxies, lines, spectra)
    continuum = model.stellar_continuum(
        layout, galaxies, spectra, solution.weights, solution.kinematics, solution.theta
    )
    emission = model.emission(layout, galaxies, spectra, transforms, solution.gas, solution.kinematics)
    residual = (spectra.flux - continuum - emission) / spectra.error
    columns = _columns(layout, galaxies, spectra, transforms, solution)
    return FittedBatch(
        galaxy=jax.tree.map(lambda values: values[spectra.galaxy], galaxies),
        lines=lines,
        spectra=spectra,
        solution=solution,
        present=present,
        inside=jnp.arange(layout.n_wave, dtype=jnp.int32)[None] < spectra.n_wave[:, None],
        stellar_continuum=jnp.where(jnp.abs(continuum) < ROUNDING * spectra.norm[:, None], 0.0, continuum),
        emission=emission,
        residual=jnp.where(spectra.good, residual, 0.0),
        columns=columns,
        products=jnp.einsum("niw,njw->nij", columns, columns),
    )


def _present(layout: BatchLayout, solutions: Solutions) -> jax.Array:
    lit = [jnp.any(solutions.gas[:, layout.gas_place == k] > 0, axis=-1) for k in range(len(layout.components))]
    always = np.array(layout.components) == MAIN
    return jnp.stack(lit, axis=-1) | always[None]


def _columns(layout: BatchLayout, galaxies: Galaxies, spectra: Spectra, transforms, solution: Solutions) -> jax.Array:
    weight = jnp.where(spectra.good, 1.0 / spectra.error, 0.0)[:, None]
    shape = model.shape(galaxies, spectra, solution.theta)[:, None]
    stars = model.star_columns(layout, galaxies, spectra, solution.kinematics) * shape
    gas = model.gas_columns(layout, galaxies, spectra, transforms, solution.kinematics)
    by_all_else = model.jacobian(layout, galaxies, spectra, transforms, solution)
    n_motion = 2 + 2 * len(layout.components)
    by_shape, by_stars, by_gas = by_all_else[:, n_motion:], by_all_else[:, :2], by_all_else[:, 2:n_motion]
    return jnp.concatenate([by_shape, stars, gas, by_gas, by_stars], axis=1) * weight
