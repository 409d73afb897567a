"""Ages, metallicities and mass-to-light ratios from the weights of templates."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mangrove.codes import LabelFlag
from mangrove.errors import TemplateError
from mangrove.physics.photometry import r_weights
from mangrove.spectra.labels.label import Label, flag_where
from mangrove.ssp.library import SspLibrary

#: Rest-frame band, Angstrom, whose mean flux makes light weights.
LIGHT_BAND = (5000.0, 6000.0)
#: Labels that a library without masses refuses.
MASS_LABELS = ("log_age_mw", "metallicity_mw", "log_ml_r")

_SAME = 1e-6


class TemplateTable(NamedTuple):
    """What labels need to know of each template, in the order of a fit's weights.

    Attributes
    ----------
    log_age, metallicity : ndarray, shape (n_template,)
        log10(age/yr); [M/H], dex.
    light : ndarray, shape (n_template,)
        Mean flux over :data:`LIGHT_BAND`, in the library's unit.
    r_light : ndarray, shape (n_template,)
        Photon-weighted mean flux density in SDSS r, in the library's unit.
    ml_r, mass_fraction : ndarray, shape (n_template,)
        Mass of stars and remnants over r luminosity, solar units, and per mass formed; NaN if the library has no masses.
    imf, isochrones : str
        What the masses assume.
    """

    log_age: np.ndarray
    metallicity: np.ndarray
    light: np.ndarray
    r_light: np.ndarray
    ml_r: np.ndarray
    mass_fraction: np.ndarray
    imf: str
    isochrones: str

    @property
    def has_masses(self) -> bool:
        """Whether labels that need a mass exist."""
        return bool(np.all(np.isfinite(self.ml_r)))


def template_table(library: SspLibrary, age=None, metallicity=None) -> TemplateTable:
    """The table of a library's templates, metallicity-major as the templates of a fit.

    Parameters
    ----------
    age, metallicity : ndarray, shape (n_template,), optional
        Gyr and dex of the templates that were fitted (``template_age``, ``template_metallicity`` of the artefact
        'fit'); all of the library if not given.

    Raises
    ------
    TemplateError
        If the library lacks a fitted template: it is another library, or another version of it.
    """
    grid_metallicity, grid_age = (a.ravel() for a in np.meshgrid(library.metallicity, library.age, indexing="ij"))
    band = (library.wave > LIGHT_BAND[0]) & (library.wave < LIGHT_BAND[1])
    light = np.average(library.flux[..., band], axis=-1, weights=np.gradient(library.wave)[band]).ravel()
    r_light = (library.flux @ r_weights(library.wave)[0]).ravel()
    unknown = np.full(grid_age.size, np.nan)
    masses = (unknown if a is None else a.ravel() for a in (library.ml_r, library.mass_fraction))
    columns = (np.log10(grid_age) + 9.0, grid_metallicity, light, r_light, *masses)
    if age is not None:
        rows = _rows(library, grid_age, grid_metallicity, np.asarray(age), np.asarray(metallicity))
        columns = tuple(c[rows] for c in columns)
    return TemplateTable(*columns, library.imf, library.isochrones)


def population_values(weights, table: TemplateTable) -> dict[str, np.ndarray]:
    """Means over stellar populations from the weights of templates.

    - ``log_age_lw``, ``metallicity_lw``: means weighted by light, w_i times the template's mean flux at 5000-6000.
    - ``log_age_mw``, ``metallicity_mw``: means weighted by mass formed, w_i r_i (M/L)_i / f_i, with r_i the
      template's r flux and f_i its surviving mass fraction; for a library in units of a mass formed this is w_i.
    - ``log_ml_r``: log10 of sum(w_i r_i (M/L)_i) / sum(w_i r_i), solar units, stars and remnants, before dust.

    Parameters
    ----------
    weights : ndarray or jax.Array, shape (..., n_template)
        In the unit of the library's spectra, before dust. JAX differentiates the values of a single spectrum
        (:mod:`mangrove.spectra.labels.solution_labels`).

    Returns
    -------
    dict of the same kind of array, shape (...)
        NaN where no weight is positive or one is not finite.
    """
    xp = weights.__array_namespace__() if hasattr(weights, "__array_namespace__") else np
    weights = xp.asarray(weights, dtype=float)
    weights = xp.where(_known(weights)[..., None], weights, xp.nan)
    light, red = weights * table.light, weights * table.r_light
    mass = red * table.ml_r
    formed = mass / table.mass_fraction
    return {
        "log_age_lw": light @ table.log_age / light.sum(-1),
        "metallicity_lw": light @ table.metallicity / light.sum(-1),
        "log_age_mw": formed @ table.log_age / formed.sum(-1),
        "metallicity_mw": formed @ table.metallicity / formed.sum(-1),
        "log_ml_r": xp.log10(mass.sum(-1) / red.sum(-1)),
    }


def population_labels(weights, repeats: Mapping, table: TemplateTable) -> dict[str, Label]:
    """The values of :func:`population_values` with errors and flags.

    Parameters
    ----------
    weights : ndarray, shape (n, n_template)
    repeats : mapping of str to ndarray, shape (n, n_draw)
        :func:`population_values` of fits to noisy copies of each spectrum; their scatter is the error.

    Returns
    -------
    dict of Label
        Missing with NO_WEIGHTS, or with NO_MASSES those of :data:`MASS_LABELS` for a library without masses.
    """
    values = population_values(weights, table)
    none = flag_where(~_known(np.asarray(weights, float)), LabelFlag.NO_WEIGHTS)
    no_mass = np.uint32(0 if table.has_masses else LabelFlag.NO_MASSES)
    return {
        name: Label(value, scatter(repeats[name]), none | (no_mass if name in MASS_LABELS else np.uint32(0)))
        for name, value in values.items()
    }


def scatter(draws) -> np.ndarray:
    """Standard deviation of the finite draws of each spectrum, shape (n, n_draw); NaN with fewer than two."""
    draws = np.asarray(draws, float)
    known = np.isfinite(draws)
    n = known.sum(axis=-1)
    mean = np.where(known, draws, 0.0).sum(axis=-1) / np.maximum(n, 1)
    square = np.where(known, (draws - mean[..., None]) ** 2, 0.0).sum(axis=-1)
    return np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.nan)


def _known(weights) -> np.ndarray:
    return (weights > 0).any(-1) & (abs(weights).max(-1) < np.inf)


def _rows(library, grid_age, grid_metallicity, age, metallicity) -> np.ndarray:
    """Index of each fitted template in the grid."""
    off = np.abs(np.log(age[:, None] / grid_age)) + np.abs(metallicity[:, None] - grid_metallicity)
    rows = np.argmin(off, axis=1)
    missing = off[np.arange(rows.size), rows] > _SAME
    if missing.any():
        first = np.flatnonzero(missing)[0]
        raise TemplateError(
            f"template library '{library.name}' has no population of {age[first]:g} Gyr and "
            f"[M/H] {metallicity[first]:g}, which the fit used: labels need the library of the fit (fit.templates). "
            "Fit again, or set fit.templates to that library."
        )
    return rows
