"""The fits of a galaxy on disk: from the artefact 'extract' to the artefact 'fit'."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Artefact, Provenance
from mangrove.codes import FitStatus, SpaxelStatus
from mangrove.data_model import PLACE
from mangrove.spectra.fit.galaxy import GalaxyFit, as_columns, prepare_galaxy
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.two_steps import GuidedFits

_SPECTRA = ("wave", "flux", "ivar", "mask", "lsf", "snr")
#: What a fit takes over from the extract.
_ABOUT = ("status", "reason", "plateifu", "mangaid", "instrument", "pixel_scale")
#: What it says of its making, besides the settings.
_CHOSEN = ("z", "ebv_scale", "templates", "seed", "engine")

logger = logging.getLogger("mangrove.fit")


class ReadyGalaxy(NamedTuple):
    """A galaxy's baxels, ready to fit.

    Attributes
    ----------
    extract : Artefact
        Of kind 'extract', with what a fit needs of it.
    galaxy : GalaxyFit
    spectra : sequence of Spectrum
        One per baxel.
    """

    extract: Artefact
    galaxy: GalaxyFit
    spectra: Sequence[Spectrum]


def read_ready(path, params: Mapping[str, Any]) -> ReadyGalaxy:
    """Read an artefact 'extract' and prepare its baxels.

    Parameters
    ----------
    path : path-like
    params : mapping
        Those of the rule: settings of the fit, z, ebv, ebv_scale, templates, seed.

    Raises
    ------
    ArtefactError
        If the file is missing or damaged.
    TemplateError
        If the library does not exist or does not cover the range.
    """
    extract = artefacts.read(path, "extract", [*_SPECTRA, *PLACE, "spaxel_status"])
    ebv, settings = params["ebv"] * params["ebv_scale"], FitSettings.from_params(params)
    prepared = prepare_galaxy(extract, params["z"], ebv, params["templates"], settings, params["seed"])
    return ReadyGalaxy(extract, *prepared)


def write_fits(path, ready: ReadyGalaxy, fits: GuidedFits, prov: Provenance) -> None:
    """Write the artefact 'fit' of a galaxy, and its counts of statuses to the log.

    Parameters
    ----------
    path : path-like
        Of the new artefact.
    prov : Provenance
        Its params as for :func:`read_ready`.
    """
    extract, galaxy = ready.extract, ready.galaxy
    data = as_columns(fits.results, galaxy, extract["snr"]) | {name: extract[name] for name in PLACE}
    data["guided_by"] = fits.guided_by
    data["spaxel_count"] = np.bincount(extract["spaxel_status"].ravel(), minlength=len(SpaxelStatus))
    counts = np.bincount(data["status"].astype(int), minlength=len(FitStatus))
    logger.info("%s: %s", extract.attrs["plateifu"], {FitStatus(i).word: int(n) for i, n in enumerate(counts) if n})
    attrs = {key: extract.attrs[key] for key in _ABOUT} | galaxy.settings._asdict()
    attrs |= {key: prov.params[key] for key in _CHOSEN} | {"ebv_galactic": prov.params["ebv"]}
    artefacts.write(path, "fit", data, prov, attrs)
