"""How the labels of one spectrum depend on each of its pixels (docs/derivatives.md)."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from astropy import units as u

from mangrove.data_model import FIT, LABEL
from mangrove.errors import SpectrumError
from mangrove.notebook.as_observed import fitted_range
from mangrove.notebook.inputs import FLUX_UNIT
from mangrove.notebook.spectrum_fit import FitInputs, SpectrumFit, unit_of
from mangrove.spectra.fit.batched.arrays import galaxies_of, layout_of, lines_of, spectra_of
from mangrove.spectra.fit.batched.batch import Batch, Solutions, double_precision
from mangrove.spectra.fit.batched.clipping import outliers
from mangrove.spectra.fit.batched.derivatives import ByData, derivatives
from mangrove.spectra.fit.batched.devices import keep_compiled
from mangrove.spectra.fit.batched.solve import Start, solve
from mangrove.spectra.fit.results import GAS_MODEL
from mangrove.spectra.labels.combined import PARTS, combined_slopes
from mangrove.spectra.labels.solution_labels import r_band_label, solution_labels
from mangrove.spectra.labels.table import fitted_templates

_LINES, _R_FLUX = "line_flux", "r_flux"


class LabelGradient(NamedTuple):
    """How a label depends on the data.

    Attributes
    ----------
    by_flux : Quantity, shape (n_wave,)
        Derivative by the observed flux of each pixel of ``fit.spectrum``; 0 where a pixel was not used.
    noise_error, calibration_error : Quantity
        Errors that follow from the errors of the pixels, and from those of the calibration (``calibration_error``, the
        prior of the polynomial).
    """

    by_flux: u.Quantity
    noise_error: u.Quantity
    calibration_error: u.Quantity


def label_gradients(fit: SpectrumFit) -> dict[str, LabelGradient]:
    """Derivatives of the labels of a fit by the flux of each pixel, and errors that follow without draws.

    The spectrum is solved once more from the fit, in JAX. Weights that are zero and what is at a limit stay as they are.

    Parameters
    ----------
    fit : SpectrumFit
        Of :func:`mangrove.notebook.spectrum_fit.fit_spectrum`.

    Returns
    -------
    dict of LabelGradient
        By the names of the labels that the fit has and of the lines (their flux), and 'chi2'
        (:func:`mangrove.spectra.labels.solution_labels.solution_labels`,
        :func:`mangrove.spectra.labels.combined.combined_values`).

    Raises
    ------
    SpectrumError
        If the spectrum has no fit.
    """
    if not np.isfinite(fit.stored["v_star"][0]):
        raise SpectrumError(f"a spectrum without a fit (status '{fit.status}') has no gradients.")
    keep_compiled()
    by_name = _by_solution(fit)
    by_name |= _combined(fit, by_name)
    return {name: _gradient(fit, name, by_data) for name, by_data in by_name.items() if name != _R_FLUX}


def _by_solution(fit: SpectrumFit) -> dict[str, ByData]:
    """Derivatives of the labels that are functions of the solution, of the lines, and of the flux in r."""
    batch, solutions = _solved(fit.inputs)
    labels = partial(
        solution_labels,
        table=fitted_templates(fit.inputs.artefact),
        correction=np.asarray(fit.stored["sigma_star_correction"], float),
    )
    found = derivatives(batch, solutions, labels) | derivatives(batch, solutions, r_band_label)
    of_lines = found.pop(_LINES)
    by_name = {name: ByData(*(values[0] for values in by_data)) for name, by_data in found.items()}
    for i in np.flatnonzero(batch.spectra.use[0]):
        by_name[fit.inputs.galaxy.lines.name[i]] = ByData(*(values[0, i] for values in of_lines))
    return by_name


def _combined(fit: SpectrumFit, by_name: Mapping[str, ByData]) -> dict[str, ByData]:
    """Derivatives of the labels that are made of others and of several lines, by the chain rule."""
    stored, attrs = fit.stored, fit.inputs.artefact.attrs
    lines = dict(zip(stored["line"], stored[_LINES][0], strict=True))
    parts = {name: float(lines[name] if name in lines else stored[name][0]) for name in PARTS}
    slopes = combined_slopes(parts, attrs["z"], attrs["pixel_scale"])
    there = [name for name in slopes if name in fit.labels and np.isfinite(fit.labels[name].value)]
    return {name: _sum(slopes[name], by_name) for name in there}


def _sum(slopes: Mapping[str, float], by_name: Mapping[str, ByData]) -> ByData:
    """Derivatives of parts times slopes, together."""
    parts = [[slope * values for values in by_name[part]] for part, slope in slopes.items()]
    return ByData(*(sum(values) for values in zip(*parts, strict=True)))


def _solved(inputs: FitInputs) -> tuple[Batch, Solutions]:
    """The spectrum as a batch of one, solved from its fit, without the pixels that are outliers."""
    galaxy, prepared, fit = [inputs.galaxy], [inputs.prepared], inputs.artefact
    (components,) = (parts for parts, code in GAS_MODEL.items() if code == fit["gas_model"][0])
    layout = layout_of(galaxy, prepared, components)
    spectra = spectra_of(layout, galaxy, [0], prepared, [None])
    batch = Batch(layout, galaxies_of(layout, galaxy, prepared), lines_of(layout, galaxy[0].lines), spectra)
    start = _start(inputs, components)
    solutions = solve(batch, start)
    if fit["n_clipped"][0]:
        with double_precision():
            good = batch.spectra.good & ~np.asarray(outliers(batch, solutions))
        batch = batch._replace(spectra=batch.spectra._replace(good=good))
        solutions = solve(batch, start)
    return batch, solutions


def _start(inputs: FitInputs, components) -> Start:
    """The solution that is stored."""
    fit = inputs.artefact
    stars = fit["v_star"], fit["sigma_star_fit"]
    pairs = [stars, *((fit["component_v"][:, c], fit["component_sigma"][:, c]) for c in components)]
    theta = np.column_stack([fit["ebv_star"] - fit["ebv_polynomial"], fit["polynomial"]])
    return Start(np.array(pairs, float).transpose(2, 0, 1), theta.astype(float))


def _gradient(fit: SpectrumFit, name: str, by_data: ByData) -> LabelGradient:
    galaxy, prepared, transmission, _ = fit.inputs
    inside, n = fitted_range(fit.spectrum["wave"].value, galaxy.z, prepared), prepared.wave.size
    by_flux = np.zeros(len(fit.spectrum))
    # The fit sees the flux without the dust of the Milky Way.
    by_flux[inside] = by_data.flux[:n] / transmission[inside]
    noise = np.linalg.norm(by_data.flux[:n] * prepared.error)
    calibration = galaxy.settings.continuum.calibration_error * np.linalg.norm(by_data.centre)
    unit = _unit(name, galaxy.lines.name)
    return LabelGradient(by_flux * unit / FLUX_UNIT, noise * unit, calibration * unit)


def _unit(name: str, lines) -> u.UnitBase:
    """Of differences of a label."""
    if name == "chi2":
        return u.dimensionless_unscaled
    if name in LABEL:
        return u.dex if LABEL[name][0].startswith("dex") else u.Unit(LABEL[name][0])
    return unit_of(FIT.fields[_LINES if name in lines else name].unit)
