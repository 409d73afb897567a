"""All labels of a galaxy's baxels from its stored fit (docs/labels.md)."""

from collections.abc import Mapping

import numpy as np

from mangrove.codes import BptClass, FitStatus, LabelFlag, LineShape, LineStatus
from mangrove.physics.bpt import BPT_LINES, MIN_LINE_SNR, bpt_class, bpt_ratios, d_bpt_class
from mangrove.spectra.fit.bounds import GAS_DETECTED, MAX_EBV, SIGMA_GAS_BOUND
from mangrove.spectra.labels.balmer_decrement import gas_ebv
from mangrove.spectra.labels.d_bpt import d_bpt
from mangrove.spectra.labels.label import MAX_ERROR, MAX_KINEMATICS_ERROR, Label, flag_where, undetermined, with_flag
from mangrove.spectra.labels.populations import TemplateTable, population_labels, population_values, scatter
from mangrove.spectra.labels.surface_densities import (
    mass_surface_density,
    r_attenuation,
    sfr_surface_density,
    specific_sfr,
)

#: Reduced chi2 from which on a fit is poor, as published.
MAX_CHI2 = 2.0

_BALMER = ("Halpha_6565", "Hbeta_4863")
#: Lines that the labels of the gas use.
_LINES_OF = dict.fromkeys(("ebv_gas", "log_sfr_density", "log_ssfr"), _BALMER) | {"d_bpt": BPT_LINES}
_LINE_COLUMNS = ("line_flux", "line_flux_err")
_BOUNDS = (FitStatus.VELOCITY_AT_BOUND, FitStatus.SIGMA_STAR_AT_BOUND)
#: Labels from emission lines; faint lines at a bound affect these, and not the labels of the stars.
_OF_GAS = ("ebv_gas", "log_sfr_density", "log_ssfr", "d_bpt")
_OF_GAS_ALONE = ("ebv_gas", "log_sfr_density", "d_bpt")
_OF_YOUNG_STARS = ("log_sfr_density", "log_ssfr")
#: Classes whose Halpha is not from young stars alone.
_OTHER_SOURCE = (BptClass.COMPOSITE, BptClass.SEYFERT, BptClass.LINER)
_NOT_FITTED = (FitStatus.TOO_FEW_PIXELS, FitStatus.ALL_MASKED, FitStatus.NOT_CONVERGED)


def baxel_labels(fit: Mapping, table: TemplateTable, z: float, pixel_scale: float) -> dict[str, Label]:
    """Labels of every baxel, keys as in :data:`mangrove.data_model.LABEL`.

    A flag of 0 means a value with an error of at most :data:`mangrove.spectra.labels.label.MAX_ERROR`: beyond, LOW_SNR.

    Parameters
    ----------
    fit : mapping of str to ndarray
        The artefact 'fit': status, chi2_reduced, weights, weights_draw (n_baxel, n_draw, n_template), ebv_star,
        ebv_draw (n_baxel, n_draw), r_flux, r_flux_err, line, line_flux, line_flux_err, line_shape, v_gas_other.
    table : TemplateTable
        Of the templates that were fitted, in their order.
    z : float
        Catalogue redshift.
    pixel_scale : float
        Side of a spaxel, arcsec.
    """
    repeats = population_values(fit["weights_draw"], table)
    labels = population_labels(fit["weights"], repeats, table)
    labels["ebv_star"] = _star_ebv(fit)
    balmer = balmer_lines(fit)
    labels["ebv_gas"] = gas_ebv(*balmer)
    labels["log_sfr_density"] = sfr_surface_density(*balmer, z, pixel_scale)
    observed = _observed_ml(fit, labels["log_ml_r"], repeats["log_ml_r"])
    labels["log_mass_density"] = mass_surface_density(observed, fit["r_flux"], fit["r_flux_err"], z, pixel_scale)
    labels["log_ssfr"] = specific_sfr(labels["log_sfr_density"], labels["log_mass_density"])
    labels["d_bpt"] = d_bpt(fit["line_flux"], fit["line_flux_err"], fit["line"])
    kind = bpt_classes(fit, labels["d_bpt"])["bpt_class"]
    other_source = flag_where(np.isin(kind, _OTHER_SOURCE), LabelFlag.NOT_STAR_FORMING)
    common = fit_flag(fit["status"], fit["chi2_reduced"])
    gas = _gas_flag(fit)
    dark = _dark(fit["status"])
    for name, label in labels.items():
        flag = label.flag | common | (gas if name in _OF_GAS else 0) | (other_source if name in _OF_YOUNG_STARS else 0)
        label = label._replace(flag=flag) if name in _OF_GAS_ALONE else _without(label._replace(flag=flag), dark)
        labels[name] = with_flag(label, undetermined(label.value, label.error, MAX_ERROR), LabelFlag.LOW_SNR)
    for name, lines in _LINES_OF.items():
        labels[name] = with_flag(labels[name], _odd_line(fit, lines), LabelFlag.NOT_ONE_GAUSSIAN)
    return labels


def balmer_lines(fit: Mapping) -> list[np.ndarray]:
    """Flux and error of Halpha and of Hbeta of every baxel: four arrays of shape (n,)."""
    return [fit[name][:, _index(fit, line)] for line in _BALMER for name in _LINE_COLUMNS]


def bpt_classes(fit: Mapping, d_bpt: Label) -> dict[str, np.ndarray]:
    """Classes of every baxel, int8: ``bpt_class`` (codes of BptClass) and ``d_bpt_class`` (codes of DBptClass).

    Both are NONE where ``d_bpt`` has the flag LOW_SNR or no value.
    """
    ratios = bpt_ratios(fit["line_flux"], fit["line_flux_err"], fit["line"], 0.0)
    low = (d_bpt.flag & np.uint32(LabelFlag.LOW_SNR)) > 0
    classes = {"bpt_class": bpt_class(*ratios), "d_bpt_class": d_bpt_class(*ratios)}
    return {name: np.where(low, BptClass.NONE, kind).astype(np.int8) for name, kind in classes.items()}


def fit_flag(status, chi2_reduced) -> np.ndarray:
    """What the outcome of a fit means for every label of it, uint32 bits of LabelFlag.

    Parameters
    ----------
    status : ndarray, shape (n,)
        Codes of :class:`mangrove.codes.FitStatus`.
    chi2_reduced : ndarray, shape (n,)
    """
    flag = flag_where(np.isin(status, _NOT_FITTED), LabelFlag.NO_FIT)
    flag |= flag_where(np.isin(status, _BOUNDS), LabelFlag.AT_BOUND)
    flag |= flag_where(np.equal(status, FitStatus.STOPPED_EARLY), LabelFlag.STOPPED_EARLY)
    return flag | flag_where(np.asarray(chi2_reduced) >= MAX_CHI2, LabelFlag.POOR_FIT)


def dispersion_flag(status) -> np.ndarray:
    """Flags of sigma_star besides :func:`fit_flag`: BELOW_LSF; NO_WEIGHTS where no stellar continuum constrains it."""
    return _dark(status) | flag_where(np.equal(status, FitStatus.SIGMA_BELOW_LSF), LabelFlag.BELOW_LSF)


def kinematics_flags(fit: Mapping) -> dict[str, np.ndarray]:
    """Flags of v_star, sigma_star, v_gas and sigma_gas of every baxel, uint32 bits of LabelFlag, by name.

    Beyond :func:`fit_flag`: NO_WEIGHTS where no stellar continuum tells those of the stars; BELOW_LSF (sigma_star);
    LOW_SNR where no line is above 5 sigma (gas) or an error is unknown or above
    :data:`mangrove.spectra.labels.label.MAX_KINEMATICS_ERROR`; AT_BOUND of the gas, for sigma_gas at its lower end too;
    OTHER_MINIMUM where gas at another velocity fits as well; LINE_MISSING where there is no line at all.

    Parameters
    ----------
    fit : mapping of str to ndarray
        The artefact 'fit': status, chi2_reduced, line_flux, line_flux_err, v_gas_other, and the four with their errors.
    """
    status, common = fit["status"], fit_flag(fit["status"], fit["chi2_reduced"])
    gas = _gas_flag(fit) | _faint_gas(fit)
    beyond = {
        "v_star": _dark(status),
        "sigma_star": dispersion_flag(status),
        "v_gas": gas,
        "sigma_gas": gas | flag_where(fit["sigma_gas"] <= SIGMA_GAS_BOUND[0], LabelFlag.AT_BOUND),
    }
    return {name: common | flag | _large_error(fit, name) for name, flag in beyond.items()}


def _dark(status) -> np.ndarray:
    """NO_WEIGHTS where the fit found no stellar continuum."""
    return flag_where(np.equal(status, FitStatus.NO_STELLAR_CONTINUUM), LabelFlag.NO_WEIGHTS)


def _gas_flag(fit: Mapping) -> np.ndarray:
    """What the fit means for all that its gas tells: AT_BOUND, OTHER_MINIMUM."""
    flag = flag_where(np.equal(fit["status"], FitStatus.GAS_AT_BOUND), LabelFlag.AT_BOUND)
    return flag | flag_where(np.isfinite(fit["v_gas_other"]), LabelFlag.OTHER_MINIMUM)


def _faint_gas(fit: Mapping) -> np.ndarray:
    flux, error = fit["line_flux"], fit["line_flux_err"]
    measured = np.any(np.isfinite(flux), axis=1)
    faint = measured & ~np.any(flux > GAS_DETECTED * error, axis=1)
    return flag_where(faint, LabelFlag.LOW_SNR) | flag_where(~measured, LabelFlag.LINE_MISSING)


def _large_error(fit: Mapping, name: str) -> np.ndarray:
    return flag_where(undetermined(fit[name], fit[f"{name}_err"], MAX_KINEMATICS_ERROR), LabelFlag.LOW_SNR)


def line_flag(line_status, line_continuum, line_shape) -> np.ndarray:
    """Flags of line fluxes and equivalent widths, shape (n, n_line).

    LINE_MISSING, ZERO_CONTINUUM (widths only), NOT_ONE_GAUSSIAN, DOUBLET_RATIO_REJECTED.
    """
    line_status, line_continuum, line_shape = map(np.asarray, (line_status, line_continuum, line_shape))
    missing = line_status != LineStatus.OK
    flag = flag_where(missing, LabelFlag.LINE_MISSING)
    flag |= flag_where(line_shape & LineShape.NOT_ONE_GAUSSIAN, LabelFlag.NOT_ONE_GAUSSIAN)
    flag |= flag_where(line_shape & LineShape.DOUBLET_RATIO_REJECTED, LabelFlag.DOUBLET_RATIO_REJECTED)
    return flag | flag_where(~missing & ~(line_continuum > 0), LabelFlag.ZERO_CONTINUUM)


def width_flag(fit: Mapping) -> np.ndarray:
    """LOW_SNR where a line is above 2 sigma and its equivalent width is not, shape (n, n_line).

    The stellar continuum about the line is then undetermined: a width of 5000 +- 40000 Angstrom is no measurement.
    """
    lines = fit["line_flux"] > MIN_LINE_SNR * fit["line_flux_err"]
    widths = np.isfinite(fit["line_ew"]) & ~(fit["line_ew"] > MIN_LINE_SNR * fit["line_ew_err"])
    return flag_where(lines & widths, LabelFlag.LOW_SNR)


def _without(label: Label, flag: np.ndarray) -> Label:
    """The label, missing where a flag is set."""
    value, error = (np.where(flag > 0, np.nan, part) for part in (label.value, label.error))
    return Label(value, error, label.flag | flag)


def _odd_line(fit: Mapping, lines) -> np.ndarray:
    """Whether one of some lines has not the profile that was fitted, shape (n,)."""
    shape = np.asarray(fit["line_shape"])[:, [_index(fit, line) for line in lines]]
    return np.any(shape & LineShape.NOT_ONE_GAUSSIAN, axis=1)


def _index(fit: Mapping, line: str) -> int:
    return [str(name) for name in fit["line"]].index(line)


def _star_ebv(fit: Mapping) -> Label:
    value = np.asarray(fit["ebv_star"], float)
    label = Label(value, scatter(fit["ebv_draw"]), np.zeros(value.shape, np.uint32))
    return with_flag(label, value >= MAX_EBV, LabelFlag.AT_BOUND)


def _observed_ml(fit: Mapping, log_ml_r: Label, repeats: np.ndarray) -> Label:
    """log M/L_r of the light as observed; M/L and dust share their draws, so their errors are not independent."""
    draws = repeats + r_attenuation(fit["ebv_draw"])
    return Label(log_ml_r.value + r_attenuation(fit["ebv_star"]), scatter(draws), log_ml_r.flag)
