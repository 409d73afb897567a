"""A data cube as the rest of mangrove sees it, whatever the instrument (mangrove.survey.readers reads files)."""

from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mangrove.errors import CubeError

#: Largest distance of a wavelength from the log-linear scale, in pixels.
_SCALE_TOLERANCE = 0.01


@dataclass(frozen=True)
class Cube:
    """A cube on a log-linear vacuum wavelength scale.

    Attributes
    ----------
    name : str
        Name in the file (PLATEIFU); empty if it has none.
    wave : ndarray, shape (n_wave,)
        Observed wavelength, vacuum, Angstrom, log-linear.
    flux, ivar : ndarray of float32, shape (n_wave, ny, nx)
        1e-17 erg/s/cm2/Angstrom/spaxel, and its inverse variance.
    good : ndarray of bool, shape (n_wave, ny, nx)
        Whether a pixel is data: no fatal mask bit, positive inverse variance, finite flux, known line spread.
    lsf : ndarray of float32, shape (n_wave,) or (n_wave, ny, nx)
        Line spread after pixelisation, Gaussian sigma, Angstrom, observed frame.
    foreground : ndarray of bool, shape (ny, nx)
        Spaxels on a foreground star.
    pixel_scale : float
        Side of a spaxel, arcsec.
    wcs : astropy.wcs.WCS or None
        Celestial; None for single spectra.
    images : dict of str to ndarray, shape (ny, nx)
        Broad-band images by name.
    quality : int
        Bits of the pipeline's verdict on the whole cube (MANGA_DRP3QUAL); 0 if there is none.
    instrument : str
    version : str
        Version of the pipeline that made the cube; empty if the file does not say.
    psf_fwhm : float
        Full width at half maximum of the point-spread function in r, arcsec; NaN if the file does not say.
    notes : str
        What the reader did that a user of the data must know.

    Raises
    ------
    CubeError
        If arrays disagree in shape, the field is empty, or the wavelengths are no increasing log-linear scale.
    """

    name: str
    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    good: np.ndarray
    lsf: np.ndarray
    foreground: np.ndarray
    pixel_scale: float
    wcs: WCS | None
    images: dict[str, np.ndarray] = field(default_factory=dict)
    quality: int = 0
    instrument: str = "MaNGA"
    version: str = ""
    psf_fwhm: float = np.nan
    notes: str = ""

    def __post_init__(self):
        check_scale(self.wave)
        shape = (self.wave.size, *self.foreground.shape)
        if 0 in shape:
            raise CubeError(f"the cube has no pixels: its shape is {shape}.")
        for label in ("flux", "ivar", "good"):
            if getattr(self, label).shape != shape:
                raise CubeError(
                    f"{label} has shape {getattr(self, label).shape}, wavelength and field say {shape} "
                    "(wavelength, rows, columns)."
                )
        for band, image in self.images.items():
            if image.shape != shape[1:]:
                raise CubeError(f"the image {band} has shape {image.shape}, the field {shape[1:]}.")


def check_scale(wave: np.ndarray) -> None:
    """Refuse wavelengths that are no log-linear scale.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Angstrom.

    Raises
    ------
    CubeError
        If there are fewer than two, or they are not finite, positive, increasing and log-linear.
    """
    if wave.ndim != 1 or wave.size < 2:
        raise CubeError(f"the wavelengths have shape {wave.shape}; a list of at least two is needed.")
    if not np.all(np.isfinite(wave)) or np.any(wave <= 0):
        raise CubeError("the wavelengths hold values that are not finite or not positive.")
    ln = np.log(wave)
    if np.any(np.diff(ln) <= 0):
        raise CubeError(f"the wavelengths do not increase (first at pixel {int(np.argmax(np.diff(ln) <= 0))}).")
    off = np.abs(ln - np.linspace(ln[0], ln[-1], ln.size)) * (ln.size - 1) / (ln[-1] - ln[0])
    if off.max() > _SCALE_TOLERANCE:
        raise CubeError(
            f"the wavelengths are not log-linear: pixel {int(off.argmax())} is off by {off.max():.2g} pixels."
        )


def spaxel_side(wcs: WCS) -> float:
    """Side of a square spaxel, arcsec, of a celestial frame."""
    return float(wcs.proj_plane_pixel_area().to_value("arcsec2") ** 0.5)


def celestial_frame(header: fits.Header) -> WCS:
    """The celestial frame of a header.

    Raises
    ------
    CubeError
        If it has none that can be used.
    """
    try:
        wcs = WCS(header)
        usable = wcs.has_celestial and 0 < spaxel_side(wcs.celestial) < np.inf
    except (ValueError, KeyError, TypeError, AttributeError, MemoryError, fits.VerifyError) as error:
        raise CubeError(f"its celestial frame (WCS) cannot be used ({type(error).__name__}: {error}).") from error
    if not usable:
        raise CubeError("it has no celestial frame (WCS: CTYPE, CRVAL, CRPIX, CD): the galaxy cannot be placed.")
    return wcs.celestial
