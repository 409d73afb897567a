"""What stands for a cube that the archive does not have: a tiny FITS file under the cube's name that says so."""

import gzip
import os
import uuid
from pathlib import Path

from astropy.io import fits

from mangrove.survey.readers.missing import NO_CUBE


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
    header = fits.Header([("PLATEIFU", plateifu, "plate and IFU design"), (NO_CUBE, reason)])
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
