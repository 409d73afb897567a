"""What DESI's files hold, with units and unknown values read or refused: HDUs, columns, images."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn

from mangrove.errors import CatalogueError
from mangrove.files.bounded_headers import demand_bounded_headers
from mangrove.survey import tables

CHECK_NAME = "Correct the path, or download the file again."
CHECK_KIND = "Give a FastSpecFit catalogue (fastspec-*.fits) first, then files of coadded spectra (coadd-*.fits)."


@contextmanager
def opened(path) -> Iterator[fits.HDUList]:
    """The open file; what astropy says of damage, then or later, becomes an error that names it.

    Raises
    ------
    CatalogueError
        If it is missing, no FITS file, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(f"{path} does not exist. {CHECK_NAME}")
    try:
        demand_bounded_headers(path)
        with fits.open(path) as hdus:
            yield hdus
    except tables.DAMAGED as error:
        raise CatalogueError(f"{path} is not a readable FITS file ({error}). {CHECK_NAME}") from error


def hdu_of(hdus: fits.HDUList, name: str, path, is_table: bool = False):
    """An HDU by name, whose data are there.

    Raises
    ------
    CatalogueError
        If it is not there, is no table where one is wanted, or the file ends before it does.
    """
    if name not in hdus:
        found = ", ".join(hdu.name for hdu in hdus)
        raise CatalogueError(f"{path} has no HDU {name}; it has {found}. {CHECK_KIND}")
    hdu = hdus[name]
    try:
        empty = hdu.data is None
    except tables.DAMAGED as error:  # astropy's words for a file that was cut off
        raise CatalogueError(f"{path}: HDU {name} is cut off or damaged ({error}). Download the file again.") from error
    # Compressed images, as DESI's masks are, were tables to astropy before version 7.
    image_hdus = fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU
    if empty or is_table == isinstance(hdu, image_hdus):
        kind = "empty" if empty else f"no {'table' if is_table else 'image'}"
        raise CatalogueError(f"{path}: HDU {name} is {kind}. {CHECK_KIND}")
    return hdu


def column(table, name: str, path) -> MaskedColumn:
    """A column of a table HDU, which must have it."""
    try:
        return tables.fits_column(table, name, path)
    except CatalogueError as error:
        raise CatalogueError(f"{error} {CHECK_KIND}") from None


def targets(table, path) -> np.ndarray:
    """TARGETID, int64; no floating-point number, which holds 16 of its 17 digits."""
    found = column(table, "TARGETID", path)
    try:
        if found.dtype.kind in "iuSU" and not np.any(found.mask):
            return np.ma.getdata(found).astype(np.int64)
    except (ValueError, OverflowError):
        pass
    raise CatalogueError(
        f"{path}: TARGETID in {table.name} does not hold whole numbers in all rows, which identify the targets; store them as "
        "64-bit integers."
    )


def words(table, name: str, path) -> np.ndarray:
    """A column of text in lower case; empty where there is no such column, or no value."""
    if tables.find(table.columns.names, [name], path) is None:
        return np.full(len(table.data), "")
    return np.array([word.lower() for word in tables.texts(column(table, name, path))], str)


def card(hdus: fits.HDUList, name: str) -> str:
    """A card of any header, in lower case; empty where there is none."""
    return next((str(hdu.header[name]).strip().lower() for hdu in hdus if name in hdu.header), "")


def image(hdus: fits.HDUList, name: str, path, unit: u.UnitBase | None = None) -> np.ndarray:
    """The image of an HDU as float64, in ``unit`` (BUNIT; in it where there is none)."""
    hdu = hdu_of(hdus, name, path)
    scale = 1.0 if unit is None else tables.factor(hdu.header.get("BUNIT"), unit, name, path)
    return np.asarray(hdu.data).astype(float) * scale
