"""Cubes that the archive does not have: a tiny FITS file under the cube's name says so, and is read as no data."""

import gzip
import os
import uuid
from pathlib import Path

import numpy as np
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.files.fits_stream import read_hdus, text
from mangrove.survey.cube import Cube

_KEY = "NOCUBE"


def write_placeholder(path: str | Path, plateifu: str, reason: str) -> None:
    """Write the placeholder atomically; equal arguments give equal bytes.

    Parameters
    ----------
    path : path-like
        Name of the cube, gzip.
    plateifu : str
    reason : str
        Why there is no cube, at most 68 printable ASCII characters (one card).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = fits.Header([("PLATEIFU", plateifu, "plate and IFU design"), (_KEY, reason)])
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as raw:
            with gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
                fits.PrimaryHDU(header=header).writeto(packed)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def reason_missing_in(path: str | Path) -> str | None:
    """Why there is no cube, from the header of a placeholder.

    None for a cube, and for a file that cannot be read, which is for the cube's reader to report.
    """
    try:
        header = read_hdus(path, (), [("PRIMARY",)])["PRIMARY"].header
        return text(header, _KEY) if _KEY in header else None
    except CubeError:
        return None


def empty_cube(plateifu: str) -> Cube:
    """A cube of one spaxel without data on MaNGA's wavelengths (3622-10354 Angstrom, 1e-4 dex per pixel)."""
    wave = 10.0 ** (3.5589 + 1e-4 * np.arange(4563))
    nothing = np.zeros((wave.size, 1, 1), np.float32)
    return Cube(
        name=plateifu,
        wave=wave,
        flux=nothing,
        ivar=nothing,
        good=nothing > 0,
        lsf=nothing,
        foreground=np.zeros((1, 1), bool),
        pixel_scale=0.5,
        wcs=None,
    )
