"""Quality bits of galaxies and baxels, as the exported tables hold them."""

from collections.abc import Mapping

import numpy as np

from mangrove.codes import BaxelQuality, FitStatus, GalaxyQuality
from mangrove.spectra.labels.galaxy_labels import fit_flag

#: Statuses of the artefact 'extract' that have a bit.
_STATUS = {
    "missing": GalaxyQuality.MISSING_CUBE,
    "critical": GalaxyQuality.CRITICAL,
    "too_faint": GalaxyQuality.TOO_FAINT,
    "all_masked": GalaxyQuality.ALL_MASKED,
}
#: Bits of a fit that hold for its baxel; the others of a fit qualify some of its labels alone.
_OF_FIT = BaxelQuality.NO_FIT | BaxelQuality.POOR_FIT
#: Extent, in R_e, above which a baxel averages over gradients of its galaxy, its rotation among them.
WIDE_EXTENT = 0.5


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
    conditions = {
        BaxelQuality.FIT_NOT_OK: np.not_equal(status, FitStatus.OK),
        BaxelQuality.CENTRE_OUTSIDE_FIELD: ~np.asarray(centre_in_field, bool),
        BaxelQuality.NO_POSITION: ~np.isfinite(ra),
        BaxelQuality.WIDE: np.greater(extent_re, WIDE_EXTENT),
    }
    quality = (fit_flag(status, chi2_reduced) & np.uint32(_OF_FIT)).astype(np.int32)
    for bit, condition in conditions.items():
        quality |= np.where(condition, np.int32(bit), np.int32(0))
    return quality
