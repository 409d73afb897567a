"""Labels as differentiable functions of the solutions of a batch (docs/derivatives.md)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.physics.wavelengths import C_KMS
from mangrove.spectra.fit.batched import model
from mangrove.spectra.fit.batched.batch import Batch, BatchLayout, Galaxies, Lines, Solutions, Spectra
from mangrove.spectra.fit.batched.line_fluxes import pixels_at_lines
from mangrove.spectra.fit.batched.r_band import r_flux, r_weights
from mangrove.spectra.fit.batched.star_ebv import star_ebv
from mangrove.spectra.fit.bounds import SIGMA_STAR_BOUND
from mangrove.spectra.labels.populations import MASS_LABELS, TemplateTable, population_values


def solution_labels(batch: Batch, solutions: Solutions, table: TemplateTable, correction) -> dict[str, jax.Array]:
    """Labels of solutions with the definitions of docs/labels.md.

    They are for :func:`mangrove.spectra.fit.batched.derivatives.derivatives`.

    - Those of :func:`mangrove.spectra.labels.populations.population_values`, those of the masses only where the library
      has masses; ``ebv_star``.
    - ``v_star``, ``sigma_star``, ``v_gas``, ``sigma_gas`` (of the first component), km/s.
    - ``line_flux``, shape (n, n_line), in the unit of the data times Angstrom; 0 where a line is not in use.
    - ``chi2``, of data and priors.

    Parameters
    ----------
    table : TemplateTable
        Of the templates of all these spectra.
    correction : array, shape (n,)
        ``sigma_star_correction`` of the fits, km2/s2, which is taken as it is.

    Returns
    -------
    dict of array, shape (n, ...)
    """
    stars, gas = solutions.kinematics[:, 0], solutions.kinematics[:, 1]
    weights = solutions.weights[:, : len(table.light)]
    labels = jax.vmap(lambda one: population_values(one, table))(weights)
    if not table.has_masses:
        labels = {name: value for name, value in labels.items() if name not in MASS_LABELS}
    variance = jnp.maximum(stars[:, 1] ** 2 + correction, SIGMA_STAR_BOUND[0] ** 2)
    return labels | {
        "ebv_star": _ebv_star(batch, solutions.theta),
        "v_star": stars[:, 0],
        "sigma_star": jnp.sqrt(variance),
        "v_gas": gas[:, 0],
        "sigma_gas": gas[:, 1],
        "line_flux": _line_flux(batch, solutions),
        "chi2": solutions.chi2,
    }


def r_band_label(batch: Batch, solutions: Solutions) -> dict[str, jax.Array]:
    """``r_flux``, shape (n,): mean flux density of the stars in r, in the unit of the data; NaN where r is not covered.

    It takes the whole model, which the other labels need not wait for.
    """
    return {"r_flux": _r_flux(batch.layout, batch.galaxies, batch.lines, batch.spectra, solutions)}


@partial(jax.jit, static_argnums=0)
def _r_flux(layout: BatchLayout, galaxies: Galaxies, lines: Lines, spectra: Spectra, solutions: Solutions) -> jax.Array:
    kinematics, theta, weights, gas, *_ = solutions
    transforms = model.gas_transforms(layout, galaxies, lines, spectra)
    continuum = model.stellar_continuum(layout, galaxies, spectra, weights, kinematics, theta)
    emission = model.emission(layout, galaxies, spectra, transforms, gas, kinematics)
    return r_flux(r_weights(galaxies, spectra), spectra, continuum, emission)


def _ebv_star(batch: Batch, theta) -> jax.Array:
    layout, galaxies, _, spectra = batch
    curve, legendre = (jnp.asarray(values)[spectra.galaxy] for values in (galaxies.curve, galaxies.legendre))
    inside = jnp.arange(layout.n_wave, dtype=jnp.int32)[None] < jnp.asarray(spectra.n_wave)[:, None]
    return star_ebv(layout, curve, legendre, inside, theta[:, None])[:, 0]


def _line_flux(batch: Batch, solutions: Solutions) -> jax.Array:
    """Flux of each line, all its components together, shape (n, n_line)."""
    layout, galaxies, lines, spectra = batch
    z, pixel = (jnp.asarray(values)[spectra.galaxy] for values in (galaxies.z, galaxies.pixel))
    width = pixels_at_lines(layout, lines.wave, z, pixel / C_KMS, solutions.kinematics)
    of_line = jnp.asarray(np.array(layout.gas_line)[:, None] == np.arange(len(lines.wave)), width.dtype)
    free = (solutions.gas * width) @ of_line
    return free[:, lines.partner] * jnp.asarray(lines.ratio)[None]
