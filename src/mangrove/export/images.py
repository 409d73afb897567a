"""Images of a galaxy's spaxels as FITS HDUs: values of baxels over their spaxels, on the celestial frame of the cube."""

import numpy as np
from astropy.io import fits

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.errors import ArtefactError
from mangrove.export.columns import fits_unit
from mangrove.export.fits_files import LONG_TEXTS
from mangrove.export.source import Source

#: Cards of an axis along which no coordinate runs.
_PLAIN_AXIS = {"CRPIX3": 1.0, "CDELT3": 1.0, "CRVAL3": 1.0, "CTYPE3": "", "CUNIT3": ""}


def spaxels_of(source: Source, i: int) -> Artefact:
    """Bins and images of galaxy ``i``, from its artefact 'extract'.

    Raises
    ------
    ArtefactError
        If it is not the one that the labels were made from.
    """
    path, n = source.extract(i), source.n_baxel[i]
    extract = artefacts.read(path, "extract", ["bin_id", "spaxel_status", "signal", "noise"])
    source.check_extract(path, extract.content_hash)
    n_bin = extract["bin_id"].max(initial=-1) + 1
    if n_bin != n:
        raise ArtefactError(f"{path} has {n_bin} baxels, but the labels have {n}. Run the workflow again.")
    return extract


def celestial_frame(extract: Artefact) -> fits.Header:
    """The cards of the cube's celestial frame."""
    return fits.Header.fromstring(extract.attrs["wcs"])


def primary_hdu(source: Source, i: int, extract: Artefact) -> fits.PrimaryHDU:
    """The first HDU of a file of galaxy ``i``: which run and which galaxy."""
    galaxy = source.galaxies[i]
    primary = fits.PrimaryHDU(header=source.header.copy())
    primary.header["PLATEIFU"], primary.header["MANGAID"] = galaxy.plateifu, galaxy.mangaid
    primary.header["DRPVER"] = extract.attrs["drpver"]
    return primary


def spread(values: np.ndarray, bin_id: np.ndarray, outside) -> np.ndarray:
    """Values of baxels over their spaxels.

    Parameters
    ----------
    values : ndarray, shape (n_baxel,) or (n_baxel, n_channel)
    bin_id : ndarray of int, shape (ny, nx)
        Baxel of each spaxel, -1 for none.
    outside : scalar, or ndarray of shape (ny, nx)
        Value of the spaxels that are in none.

    Returns
    -------
    ndarray, shape (ny, nx) or (n_channel, ny, nx)
    """
    inside = bin_id >= 0
    channels = np.atleast_2d(np.asarray(values).T)
    image = np.empty((len(channels), *bin_id.shape), channels.dtype)
    image[:] = outside
    image[:, inside] = channels[:, bin_id[inside]]
    return image if np.ndim(values) > 1 else image[0]


def image_hdu(
    name: str, values: np.ndarray, unit: str, meaning: str, frame: fits.Header | None = None
) -> fits.ImageHDU:
    """An image, shape (ny, nx), or images, shape (n_channel, ny, nx), with unit, meaning and, if given, celestial frame."""
    hdu = fits.ImageHDU(values, name=name.upper())
    if unit != "1":
        hdu.header["BUNIT"] = fits_unit(unit)
    hdu.header.append(LONG_TEXTS)
    hdu.header["MEANING"] = meaning
    if frame is None:
        return hdu
    # The cards of a header are shared with what it is extended by.
    hdu.header.extend(frame.copy(), end=True)
    if values.ndim > 2:
        hdu.header["WCSAXES"] = values.ndim
        hdu.header.update(_PLAIN_AXIS)
    return hdu
