"""Causes of an anomalous line cube that are not the galaxy: each is tested for by itself and named.

A cause says that there is evidence for it, not that the galaxy is normal apart from it. Thresholds are those of the
constants below; docs/autoencoders.md has how often normal galaxies pass them.
"""

from typing import NamedTuple

import numpy as np

from mangrove.analysis.anomaly_scores import Reconstructed, faintest, flux_level
from mangrove.codes import AnomalyCause, SpaxelStatus
from mangrove.physics.airglow import nearest_airglow
from mangrove.physics.lines import window_lines
from mangrove.physics.wavelengths import C_KMS

#: Sky residual: the measure 'field' in standard deviations of normal galaxies, and how far, Angstrom, the wavelength that
#: stands out may lie from a line of the night sky: about a line spread's half width at half maximum, and half a pixel.
SKY_SIGMA, SKY_DISTANCE = 2.0, 2.5
#: Foreground star: spaxels that it covers in the square.
STAR_SPAXELS = 5
#: Cropped field: part of the spaxels lost within R_e of the centre, or within this part of the square's side where
#: R_e is not known; R_e counts as at least so many spaxels and at most half the side.
CROPPED_PART, UNKNOWN_RADIUS, SMALLEST_RADIUS = 0.25, 0.25, 3.0
#: Wrong redshift: lines that count have this S/N (errors as if spaxels were independent) and rise above the lowest pixels
#: of their window by this part of them; two or more must count, and their median velocity and the scatter about it are
#: above and below these, km/s.
LINE_SNR, LINE_CONTRAST, LARGEST_VELOCITY, LARGEST_SCATTER = 30.0, 0.3, 150.0, 80.0
#: Lines of which this is asked: the strong ones, without [OII], which is a blend.
STRONG_LINES = ("Hbeta_4863", "OIII_4960", "OIII_5008", "Halpha_6565", "NII_6585", "SII_6718", "SII_6733")
#: Bad calibration: departure of a window's continuum from that of both its neighbours, in robust standard deviations of
#: the other galaxies' and in magnitudes; windows count whose highest pixels are below this many times their lowest ones.
CONTINUUM_SIGMA, CONTINUUM_MAG, LINE_DOMINATES = 6.0, 0.3, 1.25
#: Windows of fewer pixels tell neither a line's velocity nor its continuum.
SMALLEST_WINDOW = 5
#: Galaxies from which it is known what their continua are like.
FEWEST_GALAXIES = 10


class FieldSpectra(NamedTuple):
    """Mean flux and its variance over the brighter half of the spaxels, shape (n, line, pixel); NaN without data."""

    flux: np.ndarray
    variance: np.ndarray


def field_spectra(cubes: Reconstructed) -> FieldSpectra:
    """The spectra of galaxies around their lines, errors as if the spaxels were independent."""
    bright = cubes.valid & ~faintest(flux_level(cubes), 0.5)[:, None, None]
    count = np.maximum(bright.sum(axis=(3, 4)), 1.0)
    flux = cubes.flux.sum(axis=(3, 4), where=bright, dtype=float) / count
    variance = np.divide(1.0, cubes.ivar, out=np.zeros(cubes.ivar.shape), where=bright).sum(axis=(3, 4)) / count**2
    some = bright.any(axis=(3, 4))
    return FieldSpectra(np.where(some, flux, np.nan), np.where(some, variance, np.nan))


def sky_residual(field: np.ndarray, peak_wave: np.ndarray) -> np.ndarray:
    """Whether residuals over the whole field stand out at a line of the night sky.

    Parameters
    ----------
    field : ndarray, shape (n,)
        The measure 'field', standard deviations of normal galaxies (:func:`mangrove.analysis.anomaly_scores.measures`).
    peak_wave : ndarray, shape (n,)
        Observed wavelength, Angstrom, that stands out most.
    """
    return (field > SKY_SIGMA) & (np.abs(peak_wave - nearest_airglow(peak_wave)) < SKY_DISTANCE)


def foreground_star(spaxel_status: np.ndarray) -> np.ndarray:
    """Whether a star covers part of the field; statuses have shape (n, y, x)."""
    return (spaxel_status == SpaxelStatus.FOREGROUND_STAR).sum(axis=(1, 2)) >= STAR_SPAXELS


def cropped_field(spaxel_status: np.ndarray, radius: np.ndarray, centre_in_field: np.ndarray) -> np.ndarray:
    """Whether much of the galaxy lies outside the field or is masked; lines that have no data there do not matter.

    Parameters
    ----------
    spaxel_status : ndarray, shape (n, y, x)
        :class:`mangrove.codes.SpaxelStatus`; the galaxy's centre is at index ``side // 2``.
    radius : ndarray, shape (n,)
        Effective radius, spaxels; not positive if not known.
    centre_in_field : ndarray, shape (n,)
        Whether the centre lies in the field.
    """
    side = spaxel_status.shape[1]
    lost = np.isin(spaxel_status, (SpaxelStatus.OUTSIDE_FIELD, SpaxelStatus.MASKED))
    known = np.where(radius > 0, np.clip(radius, SMALLEST_RADIUS, side / 2), UNKNOWN_RADIUS * side)
    y, x = np.mgrid[:side, :side] - side // 2
    near = np.hypot(y, x) <= known[:, None, None]
    missing = (near & lost).sum(axis=(1, 2)) / near.sum(axis=(1, 2))
    return (missing > CROPPED_PART) | ~centre_in_field.astype(bool)


def wrong_redshift(spectra: FieldSpectra, velocity: np.ndarray) -> np.ndarray:
    """Whether the strong lines are shifted from where the redshift puts them, all by about as much.

    Parameters
    ----------
    spectra : FieldSpectra
        Of the lines that are asked, shape (n, line, pixel).
    velocity : ndarray, shape (n, line, pixel)
        Of the pixels, from the line at the galaxy's redshift, km/s.
    """
    n, n_line, n_pixel = velocity.shape
    if n_line < 2 or n_pixel < SMALLEST_WINDOW:
        return np.zeros(n, bool)
    floor = _lowest(spectra.flux)
    line = np.maximum(spectra.flux - floor[..., None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Squares, so that it matters less where the window cuts a shifted line off.
        shift = (line**2 * velocity).sum(axis=2) / (line**2).sum(axis=2)
        snr = line.sum(axis=2) / np.sqrt(spectra.variance.sum(axis=2))
        counts = (snr > LINE_SNR) & (line.max(axis=2) > LINE_CONTRAST * np.maximum(floor, 0.0))
    shift = np.ma.masked_array(shift, ~counts)
    middle = np.ma.median(shift, axis=1)
    scatter = np.ma.median(np.abs(shift - middle[:, None]), axis=1)
    wrong = (np.abs(middle) > LARGEST_VELOCITY) & (scatter < LARGEST_SCATTER)
    return np.ma.filled(wrong, False) & (counts.sum(axis=1) >= 2)


def bad_calibration(spectra: FieldSpectra, wave: np.ndarray) -> np.ndarray:
    """Whether the continuum of a window is far from its neighbours', compared with other galaxies.

    Parameters
    ----------
    spectra : FieldSpectra
        Of all galaxies of a survey: what is usual is taken from them.
    wave : ndarray, shape (line,)
        Rest wavelength of the lines, Angstrom, in any order.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for all where there are too few galaxies to say what is usual, or the windows are too narrow.
    """
    n, _, n_pixel = spectra.flux.shape
    if n < FEWEST_GALAXIES or n_pixel < SMALLEST_WINDOW:
        return np.zeros(n, bool)
    departure = continuum_departure(spectra, wave)
    middle = _middle(departure, 0)
    spread = 1.4826 * _middle(np.abs(departure - middle), 0)
    far = np.abs(departure - middle) > np.maximum(CONTINUUM_SIGMA * spread, CONTINUUM_MAG)
    return far.any(axis=1)


def continuum_departure(spectra: FieldSpectra, wave: np.ndarray) -> np.ndarray:
    """Magnitudes by which the continuum of each window exceeds that of both its neighbours, shape (n, line).

    Each window's median over the galaxies is taken from it first, so that it does not matter which neighbours there are.
    Of the differences from the nearest one on either side it is the smaller; 0 where they have opposite signs, as those of
    a colour. NaN where a line dominates the window, or a neighbour is lacking on one side.
    """
    low = _lowest(spectra.flux)
    with np.errstate(invalid="ignore", divide="ignore"):
        highest = -_lowest(-spectra.flux)
        magnitude = np.where((low > 0) & (highest < LINE_DOMINATES * low), 2.5 * np.log10(low), np.nan)
    magnitude = magnitude - _middle(magnitude, 1)[:, None]
    magnitude = magnitude - _middle(magnitude, 0)
    order = np.argsort(wave)
    departure = np.full(magnitude.shape, np.nan)
    for galaxy, values in enumerate(magnitude[:, order]):
        good = np.flatnonzero(np.isfinite(values))
        for before, at, after in zip(good, good[1:], good[2:], strict=False):
            from_both = values[at] - values[[before, after]]
            smaller = from_both[np.abs(from_both).argmin()]
            departure[galaxy, order[at]] = smaller if from_both[0] * from_both[1] > 0 else 0.0
    return departure


def line_without_data(has_data: np.ndarray) -> np.ndarray:
    """Whether a line has no data in any spaxel; shape (n, line) gives (n,)."""
    return ~has_data.all(axis=1)


def strong_lines(names: tuple[str, ...]) -> np.ndarray:
    """Indices of the :data:`STRONG_LINES` among lines."""
    return np.array([i for i, name in enumerate(names) if name in STRONG_LINES], int)


def rest_wavelengths(names: tuple[str, ...]) -> np.ndarray:
    """Vacuum rest wavelengths of lines by name, Angstrom."""
    lines = window_lines()
    return lines.wave[[lines.index(name) for name in names]]


def line_velocities(names: tuple[str, ...], wave: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Velocities, km/s, of observed wavelengths, shape (n, line, pixel), from lines at redshifts of shape (n,)."""
    return C_KMS * np.log(wave / (rest_wavelengths(names)[:, None] * (1.0 + z[:, None, None])))


def bits(**found: np.ndarray) -> np.ndarray:
    """Bits of :class:`mangrove.codes.AnomalyCause`, shape (n,), of causes by name, each bool of shape (n,)."""
    return sum(np.where(value, AnomalyCause[name.upper()].value, 0) for name, value in found.items()).astype(np.int32)


def _lowest(flux: np.ndarray) -> np.ndarray:
    """Mean of the lowest third of the pixels of each window."""
    return np.sort(flux, axis=2)[..., : max(1, flux.shape[2] // 3)].mean(axis=2)


def _middle(values: np.ndarray, axis: int) -> np.ndarray:
    """Median of what is not NaN; NaN without any."""
    return np.ma.filled(np.ma.median(np.ma.masked_invalid(values), axis=axis), np.nan)
