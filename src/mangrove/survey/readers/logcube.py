"""Reader of MaNGA LOGCUBE files, DR15 (v2_4_3) and DR17 (v3_1_1)."""

import numpy as np
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.files.fits_stream import Hdu, number, text
from mangrove.survey.bitmasks import FATAL, DrpPixel, has
from mangrove.survey.cube import Cube
from mangrove.survey.readers import manga_arrays
from mangrove.survey.readers.sky_frame import celestial_frame, spaxel_side

_CUBES = ("FLUX", "IVAR", "MASK")
#: Line spread after pixelisation: name of the HDU by release.
_LSF = ("LSFPOST", "DISP")
_BANDS = ("G", "R", "I", "Z")
_IMAGES = tuple(f"{b}IMG" for b in _BANDS)
#: Images to keep, and those after which nothing that is needed comes in any order: not the point-spread functions and
#: the correlation of spaxels.
HDUS = (*_CUBES, *_LSF, "WAVE", *_IMAGES)
UNTIL = (*((name,) for name in (*_CUBES, "WAVE", *_IMAGES)), _LSF)
#: Side of a MaNGA spaxel, arcsec; a file that says otherwise has lost its scale.
_SPAXEL = 0.5


def recognises(hdus: dict[str, Hdu]) -> bool:
    """Whether the file has MaNGA's plateifu, or a cube with MaNGA's line spread."""
    return "PLATEIFU" in hdus["PRIMARY"].header or ("FLUX" in hdus and any(n in hdus for n in _LSF))


def read(hdus: dict[str, Hdu]) -> Cube:
    """The cube of a LOGCUBE file (see :class:`mangrove.survey.cube.Cube`).

    Raises
    ------
    CubeError
        If an HDU is missing or has another shape or type, its header says that it holds something else, or the frame on
        the sky or the name is missing.
    """
    primary = hdus["PRIMARY"].header
    notes = manga_arrays.notes(hdus) if "FLUX" in hdus else ""
    flux, ivar, mask, lsf, wave = _arrays(hdus)
    # The largest array that is not kept: gone before the next ones are made.
    good, foreground = ~has(mask, FATAL), has(mask, DrpPixel.FORESTAR).mean(axis=0) > 0.5
    del mask, hdus["MASK"]
    good &= np.isfinite(flux)
    good &= (ivar > 0) & (ivar < np.inf)
    good &= manga_arrays.has_spread(lsf)
    wcs = celestial_frame(hdus["FLUX"].header)
    scale = spaxel_side(wcs)
    if abs(scale / _SPAXEL - 1.0) > 0.01:
        raise CubeError(
            f"its spaxels are {scale:.4g} arcsec wide according to the header of FLUX; those of a LOGCUBE are {_SPAXEL:g}."
        )
    name = text(primary, "PLATEIFU")
    if not name:
        raise CubeError("its primary header has no PLATEIFU, so its galaxy is unknown.")
    return Cube(
        name=name,
        wave=wave,
        flux=flux,
        ivar=ivar,
        good=good,
        lsf=lsf,
        foreground=foreground,
        pixel_scale=scale,
        wcs=wcs,
        quality=int(number(primary, "DRP3QUAL", 0)),
        version=text(primary, "VERSDRP3"),
        psf_fwhm=_psf_fwhm(primary),
        images={b.lower(): image for b in _BANDS if (image := _image(hdus, f"{b}IMG")) is not None},
        notes=notes,
    )


def _psf_fwhm(primary: fits.Header) -> float:
    """Width of the reconstructed point-spread function in r, arcsec; the pipeline writes -1 where it has none."""
    fwhm = number(primary, "RFWHM", -1.0)
    return fwhm if fwhm > 0 else np.nan


def _arrays(hdus: dict[str, Hdu]) -> tuple[np.ndarray, ...]:
    """FLUX, IVAR, MASK, line spread, and WAVE, of one shape and of the right types."""
    lsf_name = next((n for n in _LSF if _image(hdus, n) is not None), " or ".join(_LSF))
    names = (*_CUBES, lsf_name, "WAVE")
    arrays = [_image(hdus, n) for n in names]
    missing = [n for n, values in zip(names, arrays, strict=True) if values is None]
    if missing:
        raise CubeError(f"the LOGCUBE lacks the HDU(s) {', '.join(missing)}.")
    for name, values in zip(names, arrays, strict=True):
        if name != "MASK" and values.dtype.kind != "f":
            raise CubeError(f"HDU {name} holds {values.dtype}; a LOGCUBE has floating-point numbers.")
    shapes = {n: v.shape for n, v in zip(names[:-1], arrays, strict=False)}
    if len(set(shapes.values())) > 1 or arrays[0].ndim != 3 or arrays[-1].shape != arrays[0].shape[:1]:
        listed = ", ".join(f"{n} {s}" for n, s in shapes.items())
        raise CubeError(
            f"its HDUs disagree in shape: {listed}, WAVE {arrays[-1].shape}; "
            "cubes have (wavelength, rows, columns), FITS axes in the order (columns, rows, wavelength)."
        )
    wave = manga_arrays.wavelengths(hdus)
    lsf = manga_arrays.lsf_sigma(lsf_name, hdus, wave)
    return *manga_arrays.flux_and_ivar(hdus), manga_arrays.mask(hdus), lsf, wave


def _image(hdus: dict[str, Hdu], name: str) -> np.ndarray | None:
    return hdus[name].data if name in hdus else None
