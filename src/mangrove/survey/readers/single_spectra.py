"""Reader of a file of single MaNGA spectra (HDUs WAVE, FLUX, IVAR, MASK, SRES): each becomes a cube of one spaxel."""

import numpy as np

from mangrove.errors import CubeError
from mangrove.files.fits_stream import Hdu, text
from mangrove.files.units import unit_of
from mangrove.physics.wavelengths import SIGMA_TO_FWHM
from mangrove.survey.bitmasks import FATAL, has
from mangrove.survey.cube import Cube, check_scale
from mangrove.survey.readers import manga_arrays

#: Images to keep.
HDUS = ("WAVE", "FLUX", "IVAR", "MASK", "SRES")
#: Area of a MaNGA spaxel is that of 0.5 arcsec squared.
_PIXEL_SCALE = 0.5


def recognises(hdus: dict[str, Hdu]) -> bool:
    """Whether the file has two-dimensional spectra with their resolving power."""
    return all(n in hdus and hdus[n].data is not None for n in HDUS) and hdus["FLUX"].data.ndim == 2


def read(hdus: dict[str, Hdu], spectrum: int) -> Cube:
    """One row of the file as a cube of one spaxel (see :class:`mangrove.survey.cube.Cube`).

    Raises
    ------
    CubeError
        If there is no such row, the HDUs disagree in shape or type, or a header says that they hold something else.
    """
    n, n_wave = hdus["FLUX"].data.shape
    wave = manga_arrays.wavelengths(hdus)
    check_scale(wave)
    if wave.size != n_wave or any(hdus[name].data.shape != (n, n_wave) for name in HDUS[1:]):
        shapes = ", ".join(f"{name} {hdus[name].data.shape}" for name in HDUS)
        raise CubeError(f"its HDUs disagree in shape: {shapes}.")
    unit = text(hdus["SRES"].header, "BUNIT")
    if unit and (unit_of(unit) is None or unit_of(unit).physical_type != "dimensionless"):
        raise CubeError(f"BUNIT of HDU SRES is '{unit}'; it must be the resolving power, wavelength over FWHM.")
    if not 0 <= spectrum < n:
        raise CubeError(f"the sample sheet asks for spectrum {spectrum}; the file has {n} (0 to {n - 1}).")
    arrays = (*manga_arrays.flux_and_ivar(hdus), manga_arrays.mask(hdus), hdus["SRES"].data)
    flux, ivar, mask, resolving_power = (values[spectrum] for values in arrays)
    good = ~has(mask, FATAL) & np.isfinite(flux)
    for values in (ivar, resolving_power):
        good &= np.isfinite(values) & (values > 0)
    # Masked pixels hold placeholders for the resolving power; one near zero gives no line spread.
    with np.errstate(over="ignore"):
        lsf = np.divide(wave, resolving_power * SIGMA_TO_FWHM, out=np.zeros_like(wave), where=good)
    manga_arrays.check_spread("SRES", lsf)
    good &= manga_arrays.has_spread(lsf)
    lsf[~good] = 0.0

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
        version=text(hdus["PRIMARY"].header, "DRPVER"),
        notes=manga_arrays.notes(hdus),
    )
