"""Reader of a file of single MaNGA spectra (HDUs WAVE, FLUX, IVAR, MASK, SRES): each becomes a cube of one spaxel."""

import numpy as np
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.survey.bitmasks import FATAL, has
from mangrove.survey.cube import Cube
from mangrove.wavelengths import SIGMA_TO_FWHM

#: Area of a MaNGA spaxel is that of 0.5 arcsec squared.
_PIXEL_SCALE = 0.5


def recognises(hdus: fits.HDUList) -> bool:
    """Whether the file has two-dimensional spectra with their resolving power."""
    return all(n in hdus for n in ("WAVE", "FLUX", "IVAR", "MASK", "SRES")) and hdus["FLUX"].header["NAXIS"] == 2


def read(hdus: fits.HDUList, spectrum: int) -> Cube:
    """One row of the file as a cube of one spaxel (see :class:`mangrove.survey.cube.Cube`).

    Raises
    ------
    CubeError
        If there is no such row.
    """
    n = hdus["FLUX"].shape[0]
    if not 0 <= spectrum < n:
        raise CubeError(f"the sample sheet asks for spectrum {spectrum}; the file has {n} (0 to {n - 1}).")
    wave = np.asarray(hdus["WAVE"].data, float)
    flux, ivar, mask, resolving_power = (
        np.asarray(hdus[name].data[spectrum]) for name in ("FLUX", "IVAR", "MASK", "SRES")
    )
    good = ~has(mask, FATAL) & (ivar > 0) & np.isfinite(flux) & (resolving_power > 0)
    # Masked pixels hold placeholders for the resolving power.
    lsf = np.divide(wave, resolving_power * SIGMA_TO_FWHM, out=np.zeros_like(wave), where=good)

    def as_cube(values, dtype):
        return values.astype(dtype)[:, None, None]

    return Cube(
        name="",
        wave=wave,
        flux=as_cube(flux, np.float32),
        ivar=as_cube(ivar, np.float32),
        good=as_cube(good, bool),
        lsf=lsf.astype(np.float32),
        foreground=np.zeros((1, 1), bool),
        pixel_scale=_PIXEL_SCALE,
        wcs=None,
    )
