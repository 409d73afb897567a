"""A data cube as the rest of mangrove sees it, whatever the instrument (mangrove.survey.readers.reading reads files)."""

from dataclasses import dataclass, field

import numpy as np
from astropy.wcs import WCS

from mangrove.errors import CubeError
from mangrove.physics.wavelengths import off_log_linear

#: Wavelengths that such spectra have, Angstrom.
_RANGE = (1000.0, 30000.0)
#: Largest distance of a wavelength from the log-linear scale, in pixels.
SCALE_TOLERANCE = 0.01


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
        Columns, rows to right ascension, declination (J2000, deg); None for single spectra.
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
                    f"{label} has shape {getattr(self, label).shape}, but wavelengths and field give {shape} "
                    "(wavelength, rows, columns)."
                )
        for band, image in self.images.items():
            if image.shape != shape[1:]:
                raise CubeError(f"the image {band} has shape {image.shape}, but the field has {shape[1:]}.")


def check_scale(wave: np.ndarray) -> None:
    """Refuse wavelengths that are no log-linear scale.

    Parameters
    ----------
    wave : ndarray, shape (n_wave,)
        Angstrom.

    Raises
    ------
    CubeError
        If there are fewer than two, or they are not finite, positive, increasing, log-linear, and those of visible or
        near-infrared light in Angstrom.
    """
    if wave.ndim != 1 or wave.size < 2:
        raise CubeError(f"the wavelengths have shape {wave.shape}; a list of at least two is needed.")
    if not np.all(np.isfinite(wave)) or np.any(wave <= 0):
        raise CubeError("some wavelengths are not finite or not positive.")
    ln = np.log(wave)
    if np.any(np.diff(ln) <= 0):
        raise CubeError(f"the wavelengths do not increase (first at pixel {int(np.argmax(np.diff(ln) <= 0))}).")
    if not (_RANGE[0] < wave[0] and wave[-1] < _RANGE[1]):
        raise CubeError(
            f"the wavelengths run from {wave[0]:.6g} to {wave[-1]:.6g}, which cannot be Angstrom. Give their unit in BUNIT "
            "of HDU WAVE ('nm', 'um'), or convert them."
        )
    off = off_log_linear(wave)
    if off.max() > SCALE_TOLERANCE:
        raise CubeError(
            f"the wavelengths are not log-linear: pixel {int(off.argmax())} is off by {off.max():.2g} pixels."
        )
