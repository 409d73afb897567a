"""The table of all baxels: labels of one galaxy from its artefacts, and galaxies put together."""

from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.data_model import LABEL, LABELS
from mangrove.physics.cosmology import universe_age
from mangrove.spectra.labels.galaxy_labels import (
    balmer_lines,
    baxel_labels,
    bpt_classes,
    kinematics_flags,
    line_flag,
    width_flag,
)
from mangrove.spectra.labels.populations import TemplateTable, template_table
from mangrove.spectra.labels.surface_densities import sfr_upper_limit
from mangrove.ssp.loading import load_library, younger_than

_WEIGHTS = ("weights", "weights_draw", "ebv_star", "ebv_draw", "r_flux", "r_flux_err", "line_continuum", "line_shape")
_WEIGHTS += ("v_gas_other",)
#: One value per galaxy.
_OF_GALAXY = ("spaxel_count",)
_TEMPLATES = ("template_age", "template_metallicity")


class GalaxyLabels(NamedTuple):
    """One galaxy: attributes for the table of galaxies, and columns over its baxels."""

    about: dict
    columns: dict[str, np.ndarray]


def galaxy_labels(fit_path) -> GalaxyLabels:
    """Place, fit and labels of a galaxy's baxels.

    Parameters
    ----------
    fit_path : path-like
        Artefact of kind 'fit'.

    Raises
    ------
    ArtefactError
        If it cannot be read.
    TemplateError
        If the library of the fit is not there any more, or is another one.
    """
    taken = set(artefacts.declared_names("fit")) - {*LABEL, *_OF_GALAXY}
    fitted = [name for name in LABELS.fields if name in taken]
    fit = artefacts.read(fit_path, "fit", [*fitted, *_WEIGHTS, *_TEMPLATES, *_OF_GALAXY])
    about = {name: fit.attrs[name] for name in ("plateifu", "mangaid", "z", "status", "reason", "templates")}
    about["spaxel_count"] = fit["spaxel_count"]
    return GalaxyLabels(about, {name: fit[name] for name in fitted} | label_columns(fit))


def fitted_templates(fit: artefacts.Artefact) -> TemplateTable:
    """What labels need to know of the templates of a fit.

    Parameters
    ----------
    fit : Artefact
        Of kind 'fit'; of its attributes: z, templates, age_limit.

    Raises
    ------
    TemplateError
        If the library of the fit is not there any more, or is another one.
    """
    library = load_library(fit.attrs["templates"])
    if fit.attrs["age_limit"]:
        library = younger_than(library, universe_age(fit.attrs["z"]))
    return template_table(library, fit["template_age"], fit["template_metallicity"])


def label_columns(fit: artefacts.Artefact) -> dict[str, np.ndarray]:
    """Labels of the baxels of a fit with their errors and flags, named as in the artefact 'labels'.

    Parameters
    ----------
    fit : Artefact
        Of kind 'fit'; of its attributes: z, pixel_scale, templates, age_limit.
    """
    z, pixel_scale = fit.attrs["z"], fit.attrs["pixel_scale"]
    labels = baxel_labels(fit.data, fitted_templates(fit), z, pixel_scale)
    columns = {}
    for name, label in labels.items():
        columns |= {name: label.value, f"{name}_err": label.error, f"{name}_flag": label.flag}
    columns["log_sfr_density_limit"] = sfr_upper_limit(*balmer_lines(fit.data)[:2], z, pixel_scale)
    columns |= {f"{name}_flag": flag for name, flag in kinematics_flags(fit.data).items()}
    of_lines = line_flag(fit["line_status"], fit["line_continuum"], fit["line_shape"])
    columns["line_flag"] = of_lines | width_flag(fit.data)
    columns |= bpt_classes(fit.data, labels["d_bpt"])
    return columns


def merge(galaxies: list[GalaxyLabels]) -> dict[str, np.ndarray]:
    """The datasets of the artefact 'labels': rows galaxy by galaxy."""
    counts = np.array([g.columns["status"].size for g in galaxies])
    data = {name: np.array([g.about[name] for g in galaxies]) for name in ("plateifu", "mangaid", "z", "spaxel_count")}
    data |= {f"galaxy_{name}": np.array([g.about[name] for g in galaxies]) for name in ("status", "reason")}
    data["n_baxel_of_galaxy"] = counts
    data["galaxy"] = np.repeat(np.arange(len(galaxies)), counts)
    data["baxel"] = np.concatenate([np.arange(n) for n in counts])
    shared = {name: galaxies[0].columns[name] for name in ("line", "line_wave")}
    per_baxel = [name for name in galaxies[0].columns if name not in shared]
    return data | shared | {name: np.concatenate([g.columns[name] for g in galaxies]) for name in per_baxel}
