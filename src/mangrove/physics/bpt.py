"""The BPT diagram: log [NII]/Halpha against log [OIII]/Hbeta (Baldwin, Phillips & Terlevich 1981)."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import BptClass, DBptClass

#: Lines of the diagram, in the order of :func:`bpt_ratios`.
BPT_LINES = ("NII_6585", "Halpha_6565", "OIII_5008", "Hbeta_4863")
#: Distance from the curve of Kauffmann et al., dex, beyond which the class by distance is AGN, as published for DESOM.
COMPOSITE_WIDTH = 0.3
#: Signal to noise above which a line counts in the diagram, as published.
MIN_LINE_SNR = 2.0

_NUMERATOR = 0.61


class Curve(NamedTuple):
    """log [OIII]/Hbeta = 0.61 / (log [NII]/Halpha - limit) + offset, for log [NII]/Halpha below ``limit``."""

    limit: float
    offset: float


#: Upper edge of star formation, Kauffmann et al. (2003, MNRAS 346, 1055).
KAUFFMANN = Curve(0.05, 1.3)
#: Maximum starburst, Kewley et al. (2001, ApJ 556, 121).
KEWLEY = Curve(0.47, 1.19)
#: log [NII]/Halpha from which on everything is AGN: the asymptote of the curve of Kauffmann et al. (2003).
KAUFFMANN_LIMIT = KAUFFMANN.limit
KEWLEY_LIMIT = KEWLEY.limit
#: Slope and offset of the line above which an AGN is a Seyfert, below a LINER: log [OIII]/Hbeta = 1.05 log [NII]/Halpha
#: + 0.45 (Schawinski et al. 2007, MNRAS 382, 1415).
SCHAWINSKI = (1.05, 0.45)


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
    return _hyperbola(log_nii_ha, KAUFFMANN)


def kewley_2001(log_nii_ha):
    """log [OIII]/Hbeta of the maximum starburst of Kewley et al. (2001); NaN from log [NII]/Halpha = 0.47 on."""
    return _hyperbola(log_nii_ha, KEWLEY)


def bpt_distance(log_nii_ha, log_oiii_hb, curve: Curve = KAUFFMANN) -> np.ndarray:
    """Perpendicular distance from a curve, that of Kauffmann et al. (2003) unless another is given.

    Parameters
    ----------
    log_nii_ha, log_oiii_hb : array_like, shape (...)
    curve : Curve

    Returns
    -------
    ndarray, shape (...)
        dex; negative on the star-forming side. NaN where a ratio is not finite.
    """
    x, y = np.broadcast_arrays(np.asarray(log_nii_ha, float), np.asarray(log_oiii_hb, float))
    dx, dy = _from_curve(x, y, curve)
    # A comparison with the curve's NaN is False: beyond its limit nothing is star-forming.
    return np.where(y < _hyperbola(x, curve), -1.0, 1.0) * np.hypot(dx, dy)


def schawinski_2007(log_nii_ha):
    """log [OIII]/Hbeta of the line of Schawinski et al. (2007) between Seyferts, above it, and LINERs."""
    slope, offset = SCHAWINSKI
    return slope * np.asarray(log_nii_ha, float) + offset


def bpt_class(log_nii_ha, log_oiii_hb) -> np.ndarray:
    """Class of each spectrum, int8: codes of :class:`mangrove.codes.BptClass`.

    Star-forming below the curve of Kauffmann et al. (2003), composite between it and that of Kewley et al. (2001), beyond
    both Seyfert or LINER by the line of Schawinski et al. (2007); none where a ratio is not finite. Below
    log [NII]/Halpha = -1.28, where the two curves cross, that of Kauffmann et al. alone counts.

    Parameters
    ----------
    log_nii_ha, log_oiii_hb : array_like, shape (...)
    """
    x, y = np.broadcast_arrays(np.asarray(log_nii_ha, float), np.asarray(log_oiii_hb, float))
    # A comparison with NaN, which the curves are beyond their limits, is False.
    agn = np.where(y > schawinski_2007(x), BptClass.SEYFERT, BptClass.LINER)
    other = np.where(y < kewley_2001(x), BptClass.COMPOSITE, agn)
    kind = np.where(y < kauffmann_2003(x), BptClass.STAR_FORMING, other)
    return np.where(np.isfinite(x) & np.isfinite(y), kind, BptClass.NONE).astype(np.int8)


def d_bpt_class(log_nii_ha, log_oiii_hb) -> np.ndarray:
    """Class of each spectrum by its distance, int8: codes of :class:`mangrove.codes.DBptClass`.

    Star-forming below the curve of Kauffmann et al. (2003), composite up to 0.3 dex beyond it, AGN farther out and
    wherever log [NII]/Halpha >= 0.05; none where a ratio is not finite.

    Parameters
    ----------
    log_nii_ha, log_oiii_hb : array_like, shape (...)
    """
    distance = bpt_distance(log_nii_ha, log_oiii_hb)
    agn = (distance >= COMPOSITE_WIDTH) | (np.asarray(log_nii_ha) >= KAUFFMANN_LIMIT)
    kind = np.where(distance < 0, DBptClass.STAR_FORMING, np.where(agn, DBptClass.AGN, DBptClass.COMPOSITE))
    return np.where(np.isnan(distance), DBptClass.NONE, kind).astype(np.int8)


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
    flux, error = bpt_lines(flux, error, line)
    # A line that is not measured is NaN, and a comparison with NaN is False.
    detected = np.all((flux > 0) & (flux > min_snr * error), axis=1)
    log = np.log10(np.where(detected[:, None], flux, np.nan))
    return log[:, 0] - log[:, 1], log[:, 2] - log[:, 3]


def bpt_lines(flux, error, line):
    """The columns of the four lines of the diagram (:data:`BPT_LINES`), of fluxes and of errors, shape (n, 4)."""
    names = [str(name) for name in line]
    column = [names.index(name) for name in BPT_LINES]
    return (np.asarray(values, float)[:, column] for values in (flux, error))


def _hyperbola(x, curve: Curve) -> np.ndarray:
    x = np.asarray(x, float)
    return _NUMERATOR / (np.where(x < curve.limit, x, np.nan) - curve.limit) + curve.offset


def _from_curve(x, y, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Components of the vector from the nearest point of the curve to each point."""
    u, v = x - curve.limit, y - curve.offset
    nearest = _nearest(u, v)
    return u - nearest, v - _NUMERATOR / nearest


def _nearest(u, v) -> np.ndarray:
    """Abscissa t < 0 of the point of v = 0.61/u nearest to each point.

    There the derivative of the squared distance vanishes: t^4 - u t^3 + 0.61 v t - 0.61^2 = 0. The product of the
    roots is negative, so one at least is negative and real; of several the nearest counts.
    """
    known = np.isfinite(u) & np.isfinite(v)
    companion = np.zeros((known.sum(), 4, 4))
    companion[:, [1, 2, 3], [0, 1, 2]] = 1.0
    companion[:, 0, 0], companion[:, 0, 2], companion[:, 0, 3] = u[known], -_NUMERATOR * v[known], _NUMERATOR**2
    roots = np.linalg.eigvals(companion)
    real = (np.abs(roots.imag) < 1e-6 * np.abs(roots)) & (roots.real < 0)
    t = np.where(real, roots.real, -1.0)
    distance = np.hypot(u[known][:, None] - t, v[known][:, None] - _NUMERATOR / t)
    best = np.argmin(np.where(real, distance, np.inf), axis=1)[:, None]
    nearest = np.full(u.shape, np.nan)
    nearest[known] = np.take_along_axis(t, best, axis=1)[:, 0]
    return nearest


def curve_normal(x, y, curve: Curve = KAUFFMANN) -> tuple[np.ndarray, np.ndarray]:
    """Unit normal of the curve at its point nearest to each point."""
    slope = -_NUMERATOR / _nearest(x - curve.limit, y - curve.offset) ** 2
    length = np.hypot(slope, 1.0)
    return -slope / length, 1.0 / length
