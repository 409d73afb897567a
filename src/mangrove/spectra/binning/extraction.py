"""From a cube to bins: spaxel signal to noise, which spaxels belong together, where their bins lie."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import SpaxelStatus
from mangrove.errors import CubeError
from mangrove.spectra.binning.voronoi import bin_spaxels
from mangrove.survey.cube import Cube
from mangrove.survey.target import MISSING, Target

_MIN_GOOD_IN_RANGE = 0.5
_MIN_GOOD = 0.8


class SpaxelSnr(NamedTuple):
    """Signal and noise of every spaxel, shape (ny, nx), flux unit of the cube, and its status before binning."""

    signal: np.ndarray
    noise: np.ndarray
    status: np.ndarray


def spaxel_snr(cube: Cube, continuum_range: list[float], min_snr: float) -> SpaxelSnr:
    """Median flux and median 1/sqrt(ivar) over the good pixels of the continuum range (Angstrom, observed).

    A spaxel with less than 80 % of its spectrum, or half of the range, good counts as masked: a member that drops out
    of a bin at some wavelengths (a dead fibre in one arm) makes a step in the mean. One without any good pixel lies
    outside the field.

    Raises
    ------
    CubeError
        If the cube has no wavelength in the range.
    """
    window = (cube.wave >= continuum_range[0]) & (cube.wave <= continuum_range[1])
    if not window.any():
        raise CubeError(
            f"extract.continuum_range {continuum_range[0]:g}-{continuum_range[1]:g} lies outside the cube's "
            f"{cube.wave[0]:.0f}-{cube.wave[-1]:.0f} Angstrom; choose a range inside."
        )
    shape, good = cube.foreground.shape, cube.good[window]
    usable = cube.good.mean(axis=0) >= _MIN_GOOD * max(cube.good.any(axis=(1, 2)).mean(), 1e-9)
    usable &= good.mean(axis=0) >= _MIN_GOOD_IN_RANGE
    signal, noise = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    flux = np.where(good[:, usable], cube.flux[window][:, usable], np.nan)
    # The error of an inverse variance near the smallest float is infinite: no measurement.
    with np.errstate(over="ignore"):
        error = np.sqrt(1.0 / np.where(good[:, usable], cube.ivar[window][:, usable], np.nan))
    signal[usable], noise[usable] = np.nanmedian(flux, axis=0), np.nanmedian(error, axis=0)
    usable &= np.isfinite(noise)
    signal[~usable], noise[~usable] = 0.0, 0.0
    status = np.full(shape, SpaxelStatus.BINNED, np.int8)
    status[signal < min_snr * noise] = SpaxelStatus.BELOW_MIN_SNR
    status[~usable] = SpaxelStatus.MASKED
    status[~cube.good.any(axis=0)] = SpaxelStatus.OUTSIDE_FIELD
    status[cube.foreground] = SpaxelStatus.FOREGROUND_STAR
    return SpaxelSnr(signal, noise, status)


def bin_cube(snr: SpaxelSnr, target_snr: float, covariance, engine: str) -> np.ndarray:
    """Bin of every spaxel, shape (ny, nx), -1 for none (see :func:`mangrove.spectra.binning.voronoi.bin_spaxels`)."""
    bin_id = np.full(snr.status.shape, -1, np.int32)
    use = snr.status == SpaxelStatus.BINNED
    y, x = np.nonzero(use)
    bin_id[use] = bin_spaxels(x, y, snr.signal[use], snr.noise[use], target_snr, covariance, engine)
    return bin_id


def geometry(cube: Cube, bin_id: np.ndarray, signal: np.ndarray, galaxy: Target) -> dict[str, np.ndarray]:
    """Size, luminosity-weighted centre and elliptical radius of the bins.

    Returns
    -------
    dict of ndarray, shape (n_baxel,)
        n_spaxel; area (arcsec2); x, y (spaxels, from 0); ra, dec (deg); radius (arcsec, semi-major axis of the
        ellipse of the catalogue's position angle and axis ratio, circular where they are missing); extent (arcsec,
        root mean square distance of the spaxels from their mean position); radius_re, extent_re (both in R_e).
        Without a celestial frame positions and radii are NaN.
    """
    inside = bin_id >= 0
    bins = bin_id[inside]
    n_spaxel = np.bincount(bins)
    # A bin in the sky-dominated outskirts may hold negative spaxels; their weight is zero.
    light = np.maximum(signal[inside].astype(float), 0.0)
    light = np.where(np.bincount(bins, light)[bins] > 0, light, 1.0) if bins.size else light
    weight = np.bincount(bins, light)
    rows, columns = np.nonzero(inside)
    x, y = np.bincount(bins, light * columns) / weight, np.bincount(bins, light * rows) / weight
    ra, dec = cube.wcs.pixel_to_world_values(x, y) if cube.wcs is not None else (np.full(x.size, np.nan),) * 2
    radius = elliptical_radius(ra, dec, galaxy)
    extent = _extent(bins, rows, columns) * cube.pixel_scale
    r_e = galaxy.r_e if galaxy.r_e > 0 else np.nan
    area = n_spaxel * cube.pixel_scale**2
    return {
        "n_spaxel": n_spaxel,
        "area": area,
        "x": x,
        "y": y,
        "ra": ra,
        "dec": dec,
        "radius": radius,
        "radius_re": radius / r_e,
        "extent": extent,
        "extent_re": extent / r_e,
    }


def _extent(bins: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Root mean square distance, in spaxels, of the members of each bin from their mean position."""
    n = np.bincount(bins)
    offsets = (values - (np.bincount(bins, values) / n)[bins] for values in (rows, columns))
    return np.sqrt(sum(np.bincount(bins, offset**2) for offset in offsets) / n)


def elliptical_radius(ra, dec, galaxy: Target) -> np.ndarray:
    """Semi-major axis, arcsec, of the catalogue's ellipse through each position (deg); circular if unknown."""
    # Right ascension wraps around at 360 degrees.
    east = ((np.asarray(ra) - galaxy.ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(galaxy.dec)) * 3600.0
    north = (np.asarray(dec) - galaxy.dec) * 3600.0
    angle = np.radians(galaxy.pa) if galaxy.pa != MISSING else 0.0
    ratio = galaxy.ba if galaxy.ba > 0 else 1.0
    major = east * np.sin(angle) + north * np.cos(angle)
    minor = east * np.cos(angle) - north * np.sin(angle)
    return np.hypot(major, minor / ratio)
