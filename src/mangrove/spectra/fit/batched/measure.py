"""Numbers, errors and status of the solutions of a batch, all columns of a result at once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mangrove.codes import FitStatus, GasModel, LineStatus
from mangrove.physics.constants import LN10
from mangrove.physics.dust import calzetti
from mangrove.spectra.fit.batched.batch import BatchLayout, Galaxies, Solutions
from mangrove.spectra.fit.batched.covariances import Covariances, covariances, is_fixed
from mangrove.spectra.fit.batched.dispersion import lsf_correction
from mangrove.spectra.fit.batched.draws import DrawnCompositions, draw_compositions, drawn_continua
from mangrove.spectra.fit.batched.fitted import FittedBatch, fitted, places
from mangrove.spectra.fit.batched.line_fluxes import equivalent_widths, line_fluxes, line_status
from mangrove.spectra.fit.batched.line_shapes import line_shapes
from mangrove.spectra.fit.batched.quality import quality
from mangrove.spectra.fit.batched.r_band import r_flux, r_weights
from mangrove.spectra.fit.batched.star_ebv import star_ebv
from mangrove.spectra.fit.bounds import GAS_DETECTED, NEAR_BOUND, NEARLY, SIGMA_GAS_BOUND, SIGMA_STAR_BOUND
from mangrove.spectra.fit.results import GAS_MODEL
from mangrove.spectra.fit.shape import PIVOT

#: Optical depth per E(B-V) at :data:`PIVOT`.
_DEPTH = float(0.4 * LN10 * calzetti(PIVOT))


@partial(jax.jit, static_argnums=(0, 5))
def measurements(
    layout: BatchLayout, galaxies, lines, spectra, solutions: Solutions, n_draw: int
) -> dict[str, jax.Array]:
    """The results of solutions.

    Parameters
    ----------
    spectra : Spectra
        Pixels that were left out as outliers are not good.
    n_draw : int
        Noisy copies of each model.

    Returns
    -------
    dict
        Arrays over the spectra, one for each field of :class:`mangrove.spectra.fit.results.FitResult` but those that only the
        way to the solution knows (n_clipped, gas_bic_gain). Where a solution is not finite the status is NOT_CONVERGED, and
        the numbers mean nothing.
    """
    fit = fitted(layout, galaxies, lines, spectra, solutions)
    how_well = quality(layout, fit)
    factor = how_well.factor
    known = covariances(layout, fit)
    draws = draw_compositions(layout, fit, factor, n_draw)
    kinematics = _kinematics(layout, fit, known, factor)
    of_lines = _lines(layout, fit, known.gas * factor[:, None, None] ** 2, how_well.rms, draws)
    detected = jnp.any(of_lines["line_flux"] > GAS_DETECTED * of_lines["line_flux_err"], axis=-1)
    return {
        "status": _status(layout, fit, kinematics, detected),
        **how_well.columns,
        **kinematics,
        **of_lines,
        **_populations(layout, fit, draws),
        **_r_band(galaxies, fit, factor),
        "v_gas_other": solutions.v_gas_other,
    }


def _kinematics(layout: BatchLayout, fit: FittedBatch, known: Covariances, factor) -> dict[str, jax.Array]:
    kinematics = fit.solution.kinematics
    variances = known.motion.reshape(*kinematics.shape) * factor[:, None, None] ** 2
    errors = _motion_errors(kinematics, variances)
    guide = fit.spectra.guide
    star_errors = jnp.where(is_fixed(fit)[:, None], guide[:, 1:4:2], errors[:, 0])
    sigma_fit, correction = kinematics[:, 0, 1], lsf_correction(layout, fit)
    sigma = jnp.sqrt(jnp.maximum(sigma_fit**2 + correction, SIGMA_STAR_BOUND[0] ** 2))
    return {
        "v_star": kinematics[:, 0, 0],
        "v_star_err": star_errors[:, 0],
        "sigma_star": sigma,
        "sigma_star_err": star_errors[:, 1] * sigma_fit / sigma,
        "sigma_star_fit": sigma_fit,
        "sigma_star_correction": correction,
        "v_gas": kinematics[:, 1, 0],
        "v_gas_err": errors[:, 1, 0],
        "sigma_gas": kinematics[:, 1, 1],
        "sigma_gas_err": errors[:, 1, 1],
        **_components(layout, fit, errors[:, 1:]),
    }


def _motion_errors(kinematics, variances) -> jax.Array:
    """Errors of velocities and dispersions from variances of velocities and squared dispersions, shape (n, k, 2).

    That of a dispersion is that of the linear formula, as pPXF's; where the dispersion vanishes, which makes it infinite, no
    more than the dispersion whose square is the error of the square.
    """
    v, square = jnp.sqrt(variances[..., 0]), jnp.sqrt(variances[..., 1])
    sigma = kinematics[..., 1]
    return jnp.stack([v, jnp.minimum(0.5 * square / sigma, jnp.sqrt(square))], axis=-1)


def _components(layout: BatchLayout, fit: FittedBatch, errors) -> dict[str, jax.Array]:
    """Kinematics of the components of the gas, NaN of those that a spectrum does not have."""
    place, n = np.array(layout.components), layout.n_component
    empty = jnp.full((errors.shape[0], n), jnp.nan)
    has = jnp.zeros(empty.shape, bool).at[:, place].set(fit.present)

    def column(values):
        return jnp.where(has, empty.at[:, place].set(values), jnp.nan)

    model = jnp.full(errors.shape[0], int(GasModel.NONE))
    for components, code in GAS_MODEL.items():
        exactly = np.isin(np.arange(n), components)
        is_it = jnp.all(has == exactly[None], axis=-1) & (max(components) < n)
        model = jnp.where(is_it, int(code), model)
    v, sigma = (fit.solution.kinematics[:, 1:, i] for i in range(2))
    return {
        "gas_model": model,
        "component_v": column(v),
        "component_v_err": column(errors[..., 0]),
        "component_sigma": column(sigma),
        "component_sigma_err": column(errors[..., 1]),
    }


def _lines(layout: BatchLayout, fit: FittedBatch, covariance, rms, draws: DrawnCompositions) -> dict[str, jax.Array]:
    status = line_status(layout, fit)
    seen = status == int(LineStatus.OK)
    fluxes = line_fluxes(layout, fit, covariance)
    total, error = (jnp.where(seen, values, jnp.nan) for values in (fluxes.total, fluxes.error))
    fluxes = fluxes._replace(total=total, error=error)
    stars = fit.columns[:, places(layout, fit.solution.weights.shape[1]).stars]
    return {
        "component_flux": fluxes.parts,
        "component_flux_err": fluxes.part_errors,
        "line_status": status,
        "line_flux": total,
        "line_flux_err": error,
        **equivalent_widths(fit, seen, fluxes, drawn_continua(fit, stars, draws)),
        **line_shapes(layout, fit, rms, seen, fluxes),
    }


def _populations(layout: BatchLayout, fit: FittedBatch, draws: DrawnCompositions) -> dict[str, jax.Array]:
    """Weights and dust, and those of noisy copies of the model."""
    theta = fit.solution.theta
    of_shape = partial(star_ebv, layout, fit.galaxy.curve, fit.galaxy.legendre, fit.inside)
    ebv, drawn = of_shape(theta[:, None])[:, 0], of_shape(draws.theta)
    scale = fit.galaxy.scale
    return {
        "weights": fit.solution.weights * (jnp.exp(_DEPTH * ebv) / scale)[:, None],
        "ebv_star": ebv,
        "ebv_polynomial": ebv - theta[:, 0],
        "polynomial": theta[:, 1:],
        "weights_draw": draws.weights * (jnp.exp(_DEPTH * drawn) / scale[:, None])[..., None],
        "ebv_draw": drawn,
    }


def _r_band(galaxies: Galaxies, fit: FittedBatch, factor) -> dict[str, jax.Array]:
    """Flux density in r and its error (:func:`mangrove.physics.photometry.r_band_flux`)."""
    weight = r_weights(galaxies, fit.spectra)
    error = jnp.where(fit.spectra.good, fit.spectra.error * factor[:, None], 0.0)
    return {
        "r_flux": r_flux(weight, fit.spectra, fit.stellar_continuum, fit.emission),
        "r_flux_err": jnp.sqrt(jnp.sum((weight * error) ** 2, axis=-1)),
    }


def _status(layout: BatchLayout, fit: FittedBatch, kinematics: dict[str, jax.Array], detected) -> jax.Array:
    """Why the numbers of a solution cannot be trusted, the first reason that holds; shape (n,)."""
    s, guide, bound = fit.solution, fit.spectra.guide, fit.galaxy.velocity_bound
    finite = jnp.all(jnp.isfinite(s.kinematics), axis=(1, 2)) & jnp.all(jnp.isfinite(s.weights), axis=-1)
    v_star, sigma = kinematics["v_star"], kinematics["sigma_star_fit"]
    gas_at_bound = jnp.abs(kinematics["v_gas"]) > NEAR_BOUND * bound
    # Of a guide that is not there, or fixes both, nothing is larger than NaN.
    reach = NEAR_BOUND * jnp.where(guide[:, 4] > 0, guide[:, 4], jnp.nan)
    reasons = [
        (~finite, FitStatus.NOT_CONVERGED),
        (~jnp.any(s.weights > 0, axis=-1), FitStatus.NO_STELLAR_CONTINUUM),
        # A stellar continuum that does not tell its velocity within the bounds is none.
        (kinematics["v_star_err"] > bound, FitStatus.NO_STELLAR_CONTINUUM),
        (NEARLY * jnp.abs(v_star) > NEAR_BOUND * bound, FitStatus.VELOCITY_AT_BOUND),
        (gas_at_bound & detected, FitStatus.VELOCITY_AT_BOUND),
        (jnp.abs(v_star - guide[:, 0]) > reach, FitStatus.VELOCITY_AT_BOUND),
        (jnp.abs(sigma - guide[:, 2]) > reach, FitStatus.SIGMA_STAR_AT_BOUND),
        (sigma > NEAR_BOUND * SIGMA_STAR_BOUND[1], FitStatus.SIGMA_STAR_AT_BOUND),
        # All labels depend on it, on what comes below few.
        (~s.converged, FitStatus.STOPPED_EARLY),
        (jnp.abs(kinematics["sigma_star_correction"]) > sigma**2, FitStatus.SIGMA_BELOW_LSF),
        # Without lines the kinematics of the gas are noise, which says nothing about the stars.
        (kinematics["sigma_gas"] > NEAR_BOUND * SIGMA_GAS_BOUND[1], FitStatus.GAS_AT_BOUND),
        (gas_at_bound, FitStatus.GAS_AT_BOUND),
    ]
    holds, codes = zip(*reasons, strict=True)
    return jnp.select(list(holds), [jnp.full(v_star.shape, int(code)) for code in codes], int(FitStatus.OK))
