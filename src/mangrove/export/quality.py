"""Quality bits of galaxies and baxels, as the exported tables hold and name them."""

from collections.abc import Mapping
from enum import IntFlag

import numpy as np

from mangrove.data_model import FIT_STATUS
from mangrove.spectra.labels.galaxy_labels import fit_flag
from mangrove.spectra.labels.label import LabelFlag


class GalaxyQuality(IntFlag):
    """What is wrong with a galaxy."""

    NO_BAXELS = 1
    MISSING_CUBE = 2
    CRITICAL = 4
    TOO_FAINT = 8
    ALL_MASKED = 16
    CENTRE_OUTSIDE_FIELD = 32
    NO_WCS = 64
    NO_GOOD_FIT = 128


class BaxelQuality(IntFlag):
    """What is wrong with a baxel."""

    FIT_NOT_OK = 1
    NO_FIT = 2
    POOR_FIT = 4
    CENTRE_OUTSIDE_FIELD = 8
    NO_POSITION = 16
    WIDE = 32


GALAXY_MEANINGS = {
    GalaxyQuality.NO_BAXELS: "nothing could be fitted",
    GalaxyQuality.MISSING_CUBE: "the archive has no cube",
    GalaxyQuality.CRITICAL: "DRP3QUAL has the bit CRITICAL",
    GalaxyQuality.TOO_FAINT: "no spaxel is bright enough",
    GalaxyQuality.ALL_MASKED: "no spaxel has enough good pixels",
    GalaxyQuality.CENTRE_OUTSIDE_FIELD: "ra, dec lie outside the field",
    GalaxyQuality.NO_WCS: "the cube has no celestial frame",
    GalaxyQuality.NO_GOOD_FIT: "all baxels are flagged",
}

BAXEL_MEANINGS = {
    BaxelQuality.FIT_NOT_OK: "fit_status is not 0",
    BaxelQuality.NO_FIT: "too few pixels or no convergence",
    BaxelQuality.POOR_FIT: "reduced chi2 is 2 or more",
    BaxelQuality.CENTRE_OUTSIDE_FIELD: "as for its galaxy",
    BaxelQuality.NO_POSITION: "ra, dec are unknown",
    BaxelQuality.WIDE: "its spaxels spread over more than 0.5 R_e rms",
}

#: Statuses of the artefact 'extract' that have a bit.
_STATUS = {
    "missing": GalaxyQuality.MISSING_CUBE,
    "critical": GalaxyQuality.CRITICAL,
    "too_faint": GalaxyQuality.TOO_FAINT,
    "all_masked": GalaxyQuality.ALL_MASKED,
}
#: Extent, in R_e, above which a baxel averages over gradients of its galaxy, its rotation among them.
WIDE_EXTENT = 0.5
_OK = next(code for code, name in FIT_STATUS.items() if name == "ok")


def galaxy_quality(status: str, n_baxel: int, n_good: int, about: Mapping) -> GalaxyQuality:
    """Bits of one galaxy.

    Parameters
    ----------
    status : str
        Of its artefact 'extract'.
    n_baxel, n_good : int
        Baxels, and those among them without a bit.
    about : mapping
        Attributes of the artefact: ``centre_in_field``, ``wcs``.
    """
    bits = _STATUS.get(status, GalaxyQuality(0))
    if not n_baxel:
        bits |= GalaxyQuality.NO_BAXELS
    elif not n_good:
        bits |= GalaxyQuality.NO_GOOD_FIT
    if not about["centre_in_field"]:
        bits |= GalaxyQuality.CENTRE_OUTSIDE_FIELD
    if not about["wcs"]:
        bits |= GalaxyQuality.NO_WCS
    return bits


def baxel_quality(status, chi2_reduced, ra, extent_re, centre_in_field) -> np.ndarray:
    """Bits of baxels, int32; all arguments of shape (n_baxel,)."""
    flag = fit_flag(status, chi2_reduced)
    conditions = {
        BaxelQuality.FIT_NOT_OK: np.not_equal(status, _OK),
        BaxelQuality.NO_FIT: (flag & LabelFlag.NO_FIT) != 0,
        BaxelQuality.POOR_FIT: (flag & LabelFlag.POOR_FIT) != 0,
        BaxelQuality.CENTRE_OUTSIDE_FIELD: ~np.asarray(centre_in_field, bool),
        BaxelQuality.NO_POSITION: ~np.isfinite(ra),
        BaxelQuality.WIDE: np.greater(extent_re, WIDE_EXTENT),
    }
    quality = np.zeros(np.shape(status), np.int32)
    for bit, condition in conditions.items():
        quality |= np.where(condition, np.int32(bit), np.int32(0))
    return quality
