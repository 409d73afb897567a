"""Maps of the labels of one galaxy: FITS images over its spaxels, on the celestial frame of its cube."""

import numpy as np
from astropy.io import fits

from mangrove import artefacts
from mangrove.data_model import BPT_CLASS, LABEL
from mangrove.errors import ArtefactError
from mangrove.export.columns import error_unit, fits_unit
from mangrove.export.fits_files import LONG_TEXTS, add_bits, add_codes
from mangrove.export.source import Source
from mangrove.spectra.flags import LabelFlag

#: Bit of the flag images where a spaxel is in no baxel.
NO_BAXEL_BIT = max(LabelFlag).bit_length()


def label_maps(source: Source, i: int) -> fits.HDUList:
    """Maps of galaxy ``i``: BIN_ID, then value, error and flag of each label, then BPT_CLASS.

    Values are those of the baxel of each spaxel; where there is none they are NaN, and flags have the bit NO_BAXEL.

    Raises
    ------
    ArtefactError
        If the artefact 'extract' is not the one that the labels were made from.
    """
    path, rows, n = source.extract(i), source.rows(i), source.n_baxel[i]
    extract = artefacts.read(path, "extract", ["bin_id"])
    source.check_extract(path, extract.content_hash)
    bin_id = extract["bin_id"]
    if bin_id.max(initial=-1) + 1 != n:
        raise ArtefactError(f"{path} has {bin_id.max(initial=-1) + 1} baxels, the labels {n}. Run the workflow again.")
    frame = fits.Header.fromstring(str(extract.attrs["wcs"]))
    galaxy = source.galaxies[i]
    primary = fits.PrimaryHDU(header=source.header.copy())
    primary.header["PLATEIFU"], primary.header["MANGAID"] = galaxy.plateifu, galaxy.mangaid
    primary.header["DRPVER"] = str(extract.attrs["drpver"])
    hdus = fits.HDUList([primary, _image("BIN_ID", bin_id.astype(np.int32), "", "baxel, -1 if in none", frame)])
    for label, (unit, meaning) in LABEL.items():
        value, error, flag = (source.file[name][rows] for name in (label, f"{label}_err", f"{label}_flag"))
        hdus.append(_image(label, spread(value, bin_id, np.float32(np.nan)), unit, meaning, frame))
        hdus.append(
            _image(f"{label}_err", spread(error, bin_id, np.float32(np.nan)), error_unit(unit), "its error", frame)
        )
        flags = _image(f"{label}_flag", spread(flag.astype(np.int16), bin_id, 1 << NO_BAXEL_BIT), "", "bits", frame)
        add_bits(flags.header, "FBIT", LabelFlag, {})
        flags.header[f"FBIT{NO_BAXEL_BIT}"] = "NO_BAXEL"
        hdus.append(flags)
    classes = spread(source.file["bpt_class"][rows].astype(np.uint8), bin_id, 0)
    hdus.append(_image("bpt_class", classes, "", "class in the BPT diagram, by d_bpt", frame))
    add_codes(hdus[-1].header, "BPT", BPT_CLASS)
    return hdus


def spread(values: np.ndarray, bin_id: np.ndarray, outside) -> np.ndarray:
    """Values of baxels over their spaxels.

    Parameters
    ----------
    values : ndarray, shape (n_baxel,)
    bin_id : ndarray of int, shape (ny, nx)
        Baxel of each spaxel, -1 for none.
    outside
        Value of the spaxels that are in none.
    """
    image = np.full(bin_id.shape, outside, values.dtype)
    image[bin_id >= 0] = values[bin_id[bin_id >= 0]]
    return image


def _image(name: str, values: np.ndarray, unit: str, meaning: str, frame: fits.Header) -> fits.ImageHDU:
    hdu = fits.ImageHDU(values, name=name.upper())
    if unit:
        hdu.header["BUNIT"] = fits_unit(unit)
    hdu.header.append(LONG_TEXTS)
    hdu.header["MEANING"] = meaning
    hdu.header.extend(frame, end=True)
    return hdu
