"""The emission-line cube of one galaxy: its line windows, cut to a square around its centre."""

import numpy as np

from mangrove.artefacts import Artefact
from mangrove.codes import SpaxelStatus
from mangrove.spectra.linecubes.crop import crop

#: Datasets of the artefact 'extract' that it takes.
DATASETS = ("line", "window_wave", "window_flux", "window_ivar", "spaxel_status")
_ATTRIBUTES = ("plateifu", "mangaid", "z", "pixel_scale", "r_e", "centre_in_field")


def line_cube(extract: Artefact, size: int) -> tuple[dict, dict]:
    """Datasets and attributes of the artefact 'line_cube'.

    Parameters
    ----------
    extract : Artefact
        Of kind 'extract', with :data:`DATASETS`.
    size : int
        Side of the square, spaxels.
    """
    x, y = extract.attrs["x_centre"], extract.attrs["y_centre"]
    flux, ivar = (crop(extract[f"window_{name}"], x, y, size) for name in ("flux", "ivar"))
    data = {
        "flux": flux,
        "ivar": ivar,
        "valid": (ivar > 0).astype(np.int8),
        "window_wave": extract["window_wave"],
        "line": extract["line"],
        "spaxel_status": crop(extract["spaxel_status"], x, y, size, SpaxelStatus.OUTSIDE_FIELD),
    }
    attrs = {key: extract.attrs[key] for key in _ATTRIBUTES}
    attrs["status"], attrs["reason"] = _outcome(data["valid"])
    return data, attrs


def _outcome(valid) -> tuple[str, str]:
    """Status and reason of a line cube."""
    return ("ok", "") if valid.any() else ("all_masked", "no spaxel near the centre has data at any of the lines")
