"""A user's spectrum, in any units and on any grid, converted for the fit: log-linear vacuum wavelengths, plain arrays."""

from typing import NamedTuple

import numpy as np
from astropy import units as u

from mangrove.errors import SpectrumError
from mangrove.physics.wavelengths import (
    C_KMS,
    SIGMA_TO_FWHM,
    air_to_vacuum,
    linear_edges,
    log_edges,
    log_grid,
    off_log_linear,
    overlap_matrix,
    smoothing_of_pixels,
)
from mangrove.spectra.fit.preparation import fill_lsf
from mangrove.spectra.observed import good_pixels
from mangrove.survey.cube import SCALE_TOLERANCE

FLUX_UNIT = u.Unit("1e-17 erg s-1 cm-2 Angstrom-1")

#: Wavelengths that the extinction law covers, Angstrom; in other units than Angstrom spectra lie outside.
_WAVE_LIMITS = (1000.0, 33000.0)
#: Largest line spread over wavelength (R = 42): a resolving power or a velocity taken for Angstrom is above it.
_WIDEST = 0.01
#: A rebinned pixel may miss so much of its width to bad pixels.
_BAD_FRACTION = 0.5


class Observed(NamedTuple):
    """A spectrum on log-linear wavelengths.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Observed wavelength, vacuum, Angstrom.
    flux, ivar : ndarray, shape (n_wave,)
        1e-17 erg/s/cm2/Angstrom, and its inverse variance.
    mask : ndarray of bool, shape (n_wave,)
        True where a pixel is no data.
    lsf : ndarray, shape (n_wave,)
        Line spread, Gaussian sigma, Angstrom.
    """

    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    mask: np.ndarray
    lsf: np.ndarray


def observed_spectrum(wave, flux, ivar, lsf, mask=None, air: bool = False) -> Observed:
    """Check and convert a spectrum; if not on a log-linear vacuum grid it is rebinned to one, with as many pixels.

    Rebinning conserves flux. The variance of a pixel is the mean over the pixels it is made of, so that the signal to
    noise over many pixels stays what it was; the line spread gains the scatter of those pixels' centres.

    Parameters
    ----------
    wave, flux, ivar, lsf, mask, air
        As in :func:`mangrove.api.fit_spectrum`.

    Raises
    ------
    SpectrumError
        If shapes or units do not fit, wavelengths do not increase or lie outside 1000-33000 Angstrom, or the line spread
        is more than a hundredth of the wavelength.
    """
    wave = _plain(wave, u.Angstrom, "wave")
    _check_wavelengths(wave)
    mask = np.zeros(wave.shape) if mask is None else mask
    for name, values in (("flux", flux), ("ivar", ivar), ("mask", mask)):
        if np.shape(values) != wave.shape:
            raise SpectrumError(
                f"{name} has shape {np.shape(values)}, but wave has {wave.shape}; give one value per pixel."
            )
    hidden = np.ma.getmaskarray(flux) | np.ma.getmaskarray(ivar) | (np.asarray(mask) != 0)
    flux, ivar = _fluxes(wave, flux, ivar)
    spread = lsf_sigma(wave, lsf)
    bad = ~good_pixels(flux, ivar, hidden)
    if not air and off_log_linear(wave).max() <= SCALE_TOLERANCE:
        return Observed(wave, flux, ivar, bad, spread)
    return _rebinned(wave, flux, ivar, bad, spread, air)


def lsf_sigma(wave, lsf) -> np.ndarray:
    """Line spread function as Gaussian sigma, Angstrom, shape (n_wave,).

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Angstrom.
    lsf : float, array or Quantity
        Sigma: Angstrom if plain, a length or a velocity as Quantity; a Quantity without dimension is the resolving
        power, wavelength over FWHM.
    """
    if isinstance(lsf, u.Quantity) and lsf.unit.is_equivalent(u.km / u.s):
        spread = wave * lsf.to_value(u.km / u.s) / C_KMS
    elif isinstance(lsf, u.Quantity) and lsf.unit.is_equivalent(u.dimensionless_unscaled):
        spread = wave / lsf.to_value(u.dimensionless_unscaled) / SIGMA_TO_FWHM
    else:
        spread = _plain(lsf, u.Angstrom, "lsf")
    try:
        spread = np.broadcast_to(spread, wave.shape).astype(float)
    except ValueError:
        raise SpectrumError(
            f"lsf has shape {np.shape(spread)}, but wave has {wave.shape}; give one value, or one per pixel."
        ) from None
    if not np.all(np.isfinite(spread)) or np.any(spread < 0):
        raise SpectrumError("lsf has values that are negative or not finite; give 0 where it is unknown.")
    if not np.any(spread > 0):
        raise SpectrumError(
            "lsf is 0 everywhere; give the line spread function of the instrument (Gaussian sigma, Angstrom)."
        )
    wide = spread > _WIDEST * wave
    if np.any(wide):
        raise SpectrumError(
            f"lsf is {spread[wide][0]:g} Angstrom (Gaussian sigma) at {wave[wide][0]:g}, too broad for a fit. Plain numbers "
            "are in Angstrom; a velocity needs its unit, as in 70 * u.km / u.s; a resolving power is a dimensionless "
            "Quantity, as in 1900 * u.dimensionless_unscaled."
        )
    return spread


def _fluxes(wave, flux, ivar) -> tuple[np.ndarray, np.ndarray]:
    """Flux and inverse variance in :data:`FLUX_UNIT`."""
    if isinstance(flux, u.Quantity) != isinstance(ivar, u.Quantity):
        raise SpectrumError("flux and ivar must both have units (ivar those of flux to the power -2), or neither.")
    if not isinstance(flux, u.Quantity):
        return _numbers(flux, "flux"), _numbers(ivar, "ivar")
    with np.errstate(divide="ignore", invalid="ignore"):
        error = ivar**-0.5
    per_wave = u.spectral_density(wave * u.Angstrom)
    try:
        values, errors = (x.to_value(FLUX_UNIT, per_wave) for x in (flux, error))
    except u.UnitConversionError:
        raise SpectrumError(
            f"flux is in {flux.unit} and ivar in {ivar.unit}; a flux density (such as {FLUX_UNIT} or Jy) and its "
            "inverse square are needed."
        ) from None
    with np.errstate(divide="ignore", invalid="ignore"):
        return values, errors**-2.0


def _plain(values, unit: u.Unit, name: str) -> np.ndarray:
    """Values in a unit; plain numbers are in it already."""
    if isinstance(values, u.Quantity):
        try:
            return np.asarray(values.to_value(unit), float)
        except u.UnitConversionError:
            raise SpectrumError(
                f"{name} is in {values.unit}; it must be in {unit}, or in a unit that converts to it."
            ) from None
    return _numbers(values, name)


def _numbers(values, name: str) -> np.ndarray:
    try:
        return np.array(np.ma.getdata(values), float)
    except (TypeError, ValueError):
        raise SpectrumError(f"{name} must be numbers, or a Quantity.") from None


def _check_wavelengths(wave: np.ndarray) -> None:
    if wave.ndim != 1 or wave.size < 2:
        raise SpectrumError(
            f"wave has shape {wave.shape}; it must be a list of at least two wavelengths (one spectrum)."
        )
    if not np.all(np.isfinite(wave)) or np.any(wave <= 0) or np.any(np.diff(wave) <= 0):
        raise SpectrumError("wave must be finite, positive and increasing.")
    if wave[0] < _WAVE_LIMITS[0] or wave[-1] > _WAVE_LIMITS[1]:
        raise SpectrumError(
            f"wave runs from {wave[0]:g} to {wave[-1]:g} Angstrom; it must lie within {_WAVE_LIMITS[0]:g}-"
            f"{_WAVE_LIMITS[1]:g}. Plain numbers are in Angstrom, not logarithms; other units must be given, as in wave * u.nm."
        )


def _rebinned(wave, flux, ivar, bad, spread, air: bool) -> Observed:
    given = linear_edges(wave)
    edges = air_to_vacuum(given) if air else given
    # The flux in a pixel stays; its width is another one in vacuum.
    stretch = np.diff(edges) / np.diff(given)
    flux, variance = flux / stretch, np.divide(1.0, ivar * stretch**2, out=np.zeros_like(ivar), where=~bad)
    new = log_grid(edges[0], edges[-1], wave.size)
    width = np.diff(log_edges(new))
    matrix = overlap_matrix(edges, log_edges(new))
    covered = matrix @ (~bad).astype(float)
    good = covered >= 1.0 - _BAD_FRACTION
    part = np.where(good, covered, 1.0)
    new_flux = np.where(good, matrix @ np.where(bad, 0.0, flux) / part, 0.0)
    new_variance = matrix @ (variance * np.diff(edges)) / width / part**2
    centre = 0.5 * (edges[1:] + edges[:-1])
    # Filled first: with the smoothing added, a line spread that is not known (0) would pass for a narrow one.
    known = fill_lsf(wave, spread) * stretch
    new_spread = np.hypot(np.interp(new, centre, known), smoothing_of_pixels(matrix, centre))
    new_ivar = np.divide(1.0, new_variance, out=np.zeros_like(new), where=good & (new_variance > 0))
    return Observed(new, new_flux, new_ivar, ~good, new_spread)
