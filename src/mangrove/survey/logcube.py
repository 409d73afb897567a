"""Reader of MaNGA LOGCUBE files, DR15 (v2_4_3) and DR17 (v3_1_1)."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mangrove.errors import CubeError
from mangrove.survey.bitmasks import FATAL, DrpPixel, has
from mangrove.survey.cube import Cube, spaxel_side

_NEEDED = ("FLUX", "IVAR", "MASK", "WAVE")
#: Line spread after pixelisation: name of the HDU by release.
_LSF = ("LSFPOST", "DISP")
_BANDS = ("G", "R", "I", "Z")


def recognises(hdus: fits.HDUList) -> bool:
    """Whether the file has a FLUX cube and MaNGA's plateifu."""
    return "PLATEIFU" in hdus[0].header and "FLUX" in hdus


def read(hdus: fits.HDUList) -> Cube:
    """The cube of an open LOGCUBE file (see :class:`mangrove.survey.cube.Cube`).

    Raises
    ------
    CubeError
        If an HDU is missing or has another shape.
    """
    lsf_name = next((n for n in _LSF if n in hdus), None)
    missing = [n for n in _NEEDED if n not in hdus] + ([] if lsf_name else [" or ".join(_LSF)])
    if missing:
        raise CubeError(f"the LOGCUBE lacks the HDU(s) {', '.join(missing)}.")
    flux, ivar, mask, lsf = (_native(hdus[n].data) for n in ("FLUX", "IVAR", "MASK", lsf_name))
    wave = np.asarray(hdus["WAVE"].data, float)
    if flux.ndim != 3 or not flux.shape == ivar.shape == mask.shape == lsf.shape or flux.shape[0] != wave.size:
        raise CubeError(f"FLUX has shape {flux.shape}, WAVE {wave.shape}: the HDUs of the LOGCUBE disagree.")
    good = ~has(mask, FATAL) & (ivar > 0) & np.isfinite(flux) & np.isfinite(ivar)
    wcs = WCS(hdus["FLUX"].header).celestial
    return Cube(
        name=str(hdus[0].header["PLATEIFU"]).strip(),
        wave=wave,
        flux=flux,
        ivar=ivar,
        good=good,
        lsf=lsf,
        foreground=has(mask, DrpPixel.FORESTAR).mean(axis=0) > 0.5,
        pixel_scale=spaxel_side(wcs),
        wcs=wcs,
        version=str(hdus[0].header.get("VERSDRP3", "")).strip(),
        images={b.lower(): _native(hdus[f"{b}IMG"].data) for b in _BANDS if f"{b}IMG" in hdus},
    )


def _native(data: np.ndarray) -> np.ndarray:
    """FITS data in the machine's byte order."""
    return data.astype(data.dtype.newbyteorder("="), copy=False)
