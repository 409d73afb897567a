"""Labels of the co-added template of each node of the map of spectra, by the fit of the survey's baxels."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.codes import FitStatus, LabelFlag
from mangrove.data_model import LABEL
from mangrove.spectra.fit.engines import fit_all
from mangrove.spectra.fit.galaxy import as_columns, prepare_galaxy
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.labels.table import label_columns

log = logging.getLogger(__name__)

#: Redshift at which the templates are fitted, the median of MaNGA's galaxies: it sets the age of the oldest population.
#: No label depends on it otherwise; those that would are left out.
NOMINAL_Z = 0.03
#: Labels per area on the sky, of which a mean of normalised spectra knows nothing.
PER_AREA = ("log_sfr_density", "log_mass_density")
#: A scatter of fewer spectra says little: it is at least the median of the other nodes.
_FEW = 10
#: Smallest error over the flux, or over the template's median flux: to no more than that do models follow spectra whose
#: lines many velocities have broadened. It gives templates of the simulated survey a reduced chi2 near 1.
_LEAST_ERROR = 0.02


def template_errors(flux, scatter, count) -> np.ndarray:
    """Standard errors of co-added templates, shape (n_node, n_wave): scatter over the root of the number of spectra.

    Never below 2 % of the flux and of the node's median flux, and with the median scatter of all nodes at a wavelength, if that is
    larger, where fewer than ten spectra make the template; NaN where it has none.

    Parameters
    ----------
    flux, scatter : ndarray, shape (n_node, n_wave)
    count : ndarray of int, shape (n_node, n_wave)
    """
    known = np.isfinite(flux)
    typical = _finite_median(np.where(count > 1, scatter, np.nan), axis=0)[None, :]
    scatter = np.where(count < _FEW, np.fmax(scatter, typical), scatter)
    floor = _LEAST_ERROR * np.fmax(np.abs(flux), np.abs(_finite_median(flux, axis=1))[:, None])
    return np.where(known, np.fmax(scatter / np.sqrt(np.maximum(count, 1)), floor), np.nan)


def fit_templates(map_path, params: Mapping[str, Any], threads: int = 1) -> tuple[dict[str, np.ndarray], dict]:
    """Datasets and attributes of the artefact 'template_labels'.

    Templates are rest-frame spectra: no sky line is masked, no Galactic extinction removed. They are as broad as the
    velocities of their galaxies have made them, so no kinematics are kept.

    Parameters
    ----------
    map_path : path-like
        The artefact 'desom_map'.
    params : mapping
        Those of the rule: the settings of the fit, engine, templates, seed.
    threads : int
        Processes.

    Raises
    ------
    ArtefactError
        If the map is missing, damaged or of another kind.
    TemplateError
        If the library does not exist or does not cover the range.
    """
    names = ["node_row", "node_column", "wave", "lsf", "template_flux", "template_scatter", "template_count"]
    found = artefacts.read(map_path, "desom_map", names)
    attrs = {name: found.attrs[name] for name in ("rows", "columns", "status", "reason")}
    attrs["templates"] = params["templates"]
    data = {name: found[name] for name in ("node_row", "node_column")}
    data["label"] = np.array(list(LABEL))
    flux = found["template_flux"]
    error = template_errors(flux, found["template_scatter"], found["template_count"])
    if not len(flux):
        return data | _no_node(), attrs
    settings = FitSettings.from_params(params)._replace(sky_half_width=0.0)
    spectra = _as_extract(found["wave"], found["lsf"], flux, error)
    galaxy, ready = prepare_galaxy(spectra, NOMINAL_Z, 0.0, params["templates"], settings, params["seed"])
    snr = _finite_median(np.abs(flux) / error, axis=1)
    columns = as_columns(fit_all(params["engine"], galaxy, ready, threads), galaxy, snr)
    counts = np.bincount(columns["status"].astype(int), minlength=len(FitStatus))
    log.info("templates: %s", {FitStatus(i).word: int(n) for i, n in enumerate(counts) if n})
    about = settings._asdict() | {"z": NOMINAL_Z, "pixel_scale": 1.0, "templates": params["templates"]}
    data |= {name: columns[name] for name in ("status", "chi2_reduced", "snr")}
    return data | _stacked(label_columns(Artefact("fit", columns, about, ""))), attrs


def _as_extract(wave, lsf, flux, error) -> Artefact:
    """The templates as baxels of a galaxy at the nominal redshift."""
    good = np.isfinite(flux) & np.isfinite(error)
    known = np.where(good, error, 1.0)
    spread = np.where(np.isfinite(lsf), lsf, 0.0) * (1.0 + NOMINAL_Z)
    data = {
        "wave": wave * (1.0 + NOMINAL_Z),
        "flux": np.where(good, flux, 0.0),
        "ivar": np.where(good, 1.0 / known**2, 0.0),
        "mask": np.where(good, 0, 1),
        "lsf": np.broadcast_to(spread, flux.shape),
    }
    return Artefact("extract", data, {"plateifu": "templates of nodes"}, "")


def _stacked(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values, errors and flags of all labels, shape (n_node, n_label); those per area are missing."""
    value, error, flag = (np.stack([labels[f"{name}{end}"] for name in LABEL], axis=1) for end in ("", "_err", "_flag"))
    of_area = np.isin(list(LABEL), PER_AREA)
    flag = flag | np.where(of_area, np.uint32(LabelFlag.NO_AREA), np.uint32(0))
    return {"value": np.where(of_area, np.nan, value), "error": np.where(of_area, np.nan, error), "flag": flag}


def _no_node() -> dict[str, np.ndarray]:
    nothing = np.empty((0, len(LABEL)))
    return dict.fromkeys(("status", "chi2_reduced", "snr"), np.empty(0)) | dict.fromkeys(
        ("value", "error", "flag"), nothing
    )


def _finite_median(values, axis: int) -> np.ndarray:
    """Median of the finite values along an axis; NaN without any."""
    masked = np.ma.median(np.ma.masked_invalid(values), axis=axis)
    return np.ma.filled(masked, np.nan)
