"""Small artefacts 'extract' of given spectra, and the params of the rule that merges them."""

import numpy as np
from attributes import attributes_of
from small_export import random_data

from mangrove import artefacts
from mangrove.config_files import validate


def write_extract(path, wave, spectra, **about):
    """Write an artefact.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
    spectra : mapping of ndarray, shape (n_baxel, ...)
        Datasets given, 'flux' among them; the others are made up.
    about : keywords
        Attributes.
    """
    given = {"snr": np.full(len(spectra["flux"]), 50.0), **spectra, "wave": wave}
    data = random_data("extract", {"baxel": len(spectra["flux"]), "wave": wave.size}, **given)
    of_galaxy = {"plateifu": "1-1901", "mangaid": "1-1", "z": 0.03, "ebv_galactic": 0.0}
    artefacts.write(path, "extract", data, artefacts.Provenance(), attributes_of("extract", **of_galaxy | about))


def params_of_training(**chosen):
    """Params of the rule training_spectra, without the percentile cuts if they are not among those chosen."""
    config = validate({"run": "small"})
    defaults = config.training_spectra.model_dump() | config.split.model_dump()
    return defaults | {"ebv_scale": 1.0, "sky_half_width": 8.0, "seed": 1, "cut_percentile": 0.0} | chosen
