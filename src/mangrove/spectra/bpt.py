"""The BPT diagram: log [NII]/Halpha against log [OIII]/Hbeta (Baldwin, Phillips & Terlevich 1981)."""

from functools import cache

import numpy as np
from scipy.spatial import KDTree

NONE, STAR_FORMING, COMPOSITE, AGN = range(4)
BPT_CLASS = {NONE: "none", STAR_FORMING: "star-forming", COMPOSITE: "composite", AGN: "AGN"}
#: Lines of the diagram, in the order of :func:`bpt_ratios`.
BPT_LINES = ("NII-6585", "Halpha-6565", "OIII-5008", "Hbeta-4863")
#: log [NII]/Halpha from which on everything is AGN: the asymptote of the curve of Kauffmann et al. (2003).
KAUFFMANN_LIMIT = 0.05
KEWLEY_LIMIT = 0.47
#: Distance from the curve, dex, beyond which a spectrum is AGN.
COMPOSITE_WIDTH = 0.3

_STEP = 2e-4
_RANGE_NII, _LOWEST_OIII = -4.0, -5.0


def kauffmann_2003(log_nii_ha):
    """log [OIII]/Hbeta of the curve of Kauffmann et al. (2003), the upper edge of star formation.

    Parameters
    ----------
    log_nii_ha : array_like

    Returns
    -------
    ndarray
        0.61 / (log [NII]/Halpha - 0.05) + 1.3; NaN from 0.05 on, where the curve does not hold.
    """
    return _hyperbola(log_nii_ha, KAUFFMANN_LIMIT, 1.3)


def kewley_2001(log_nii_ha):
    """log [OIII]/Hbeta of the maximum starburst of Kewley et al. (2001); NaN from log [NII]/Halpha = 0.47 on."""
    return _hyperbola(log_nii_ha, KEWLEY_LIMIT, 1.19)


def bpt_distance(log_nii_ha, log_oiii_hb) -> np.ndarray:
    """Perpendicular distance from the curve of Kauffmann et al. (2003).

    The curve is sampled every 2e-4 dex along its length; the distance is that to the nearest sample.

    Parameters
    ----------
    log_nii_ha, log_oiii_hb : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)
        dex; negative on the star-forming side. NaN where a ratio is not finite.
    """
    x, y = np.broadcast_arrays(np.asarray(log_nii_ha, float), np.asarray(log_oiii_hb, float))
    out = np.full(x.shape, np.nan)
    known = np.isfinite(x) & np.isfinite(y)
    distance, _ = _curve().query(np.column_stack([x[known], y[known]]))
    # A comparison with the curve's NaN is False: beyond its limit nothing is star-forming.
    out[known] = np.where(y[known] < kauffmann_2003(x[known]), -distance, distance)
    return out


def bpt_class(log_nii_ha, log_oiii_hb) -> np.ndarray:
    """Class of each spectrum, int8: a key of :data:`BPT_CLASS`.

    Star-forming below the curve of Kauffmann et al. (2003), composite up to 0.3 dex beyond it, AGN farther out and
    wherever log [NII]/Halpha >= 0.05; none where a ratio is not finite.

    Parameters
    ----------
    log_nii_ha, log_oiii_hb : array_like, shape (...)
    """
    distance = bpt_distance(log_nii_ha, log_oiii_hb)
    agn = (distance >= COMPOSITE_WIDTH) | (np.asarray(log_nii_ha) >= KAUFFMANN_LIMIT)
    kind = np.where(distance < 0, STAR_FORMING, np.where(agn, AGN, COMPOSITE))
    return np.where(np.isnan(distance), NONE, kind).astype(np.int8)


def bpt_ratios(flux, error, line, min_snr: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in the diagram of spectra whose four lines are all above a signal to noise.

    Parameters
    ----------
    flux, error : ndarray, shape (n, n_line)
        Same unit.
    line : sequence of str, length n_line
        Names of the lines.
    min_snr : float

    Returns
    -------
    log_nii_ha, log_oiii_hb : ndarray, shape (n,)
        NaN where a line is missing or not above ``min_snr``.
    """
    names = [str(name) for name in line]
    column = [names.index(name) for name in BPT_LINES]
    flux, error = (np.asarray(values, float)[:, column] for values in (flux, error))
    # A line that is not measured is NaN, and a comparison with NaN is False.
    detected = np.all((flux > 0) & (flux > min_snr * error), axis=1)
    log = np.log10(np.where(detected[:, None], flux, np.nan))
    return log[:, 0] - log[:, 1], log[:, 2] - log[:, 3]


def _hyperbola(x, limit: float, offset: float) -> np.ndarray:
    x = np.asarray(x, float)
    return 0.61 / (np.where(x < limit, x, np.nan) - limit) + offset


@cache
def _curve() -> KDTree:
    """Samples of the curve at equal steps along its length."""
    # Steps that shrink towards the limit resolve the steep end.
    last = KAUFFMANN_LIMIT + 0.61 / (_LOWEST_OIII - 1.3)
    x = KAUFFMANN_LIMIT - np.geomspace(KAUFFMANN_LIMIT - _RANGE_NII, KAUFFMANN_LIMIT - last, 100_000)
    y = kauffmann_2003(x)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    even = np.arange(0.0, length[-1], _STEP)
    return KDTree(np.column_stack([np.interp(even, length, x), np.interp(even, length, y)]))
