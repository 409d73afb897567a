"""What stands for a cube that the archive does not have: a tiny FITS file under the cube's name that says so."""

import gzip
from pathlib import Path

from astropy.io import fits

from mangrove.survey.readers.missing import NO_CUBE
from mangrove.whole_files import whole_file


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
    header = fits.Header([("PLATEIFU", plateifu, "plate and IFU design"), (NO_CUBE, reason)])
    with whole_file(path) as part, part.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        fits.PrimaryHDU(header=header).writeto(packed)
