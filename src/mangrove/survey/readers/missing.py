"""Cubes that the archive does not have: their placeholder (mangrove.survey.archive.placeholder) is read as no data."""

from pathlib import Path

import numpy as np

from mangrove.errors import CubeError
from mangrove.files.fits_stream import read_hdus, text
from mangrove.survey.cube import Cube

#: Card of a placeholder's header with the reason.
NO_CUBE = "NOCUBE"


def reason_missing_in(path: str | Path) -> str | None:
    """Why there is no cube, from the header of a placeholder.

    None for a cube, and for a file that cannot be read, which is for the cube's reader to report.
    """
    try:
        header = read_hdus(path, (), [("PRIMARY",)])["PRIMARY"].header
        return text(header, NO_CUBE) if NO_CUBE in header else None
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
