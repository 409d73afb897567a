"""Maps of the labels of one galaxy: FITS images over its spaxels, on the celestial frame of its cube."""

import numpy as np
from astropy.io import fits

from mangrove.codes import BptClass, DBptClass, LabelFlag, MapFlag
from mangrove.data_model import LABEL, LABELS
from mangrove.export.columns import error_unit
from mangrove.export.fits_files import add_bits, add_codes
from mangrove.export.images import celestial_frame, image_hdu, primary_hdu, spaxels_of, spread
from mangrove.export.source import Source

_LIMIT = "log_sfr_density_limit"
_NAN = np.float32(np.nan)


def label_maps(source: Source, i: int) -> fits.HDUList:
    """Maps of galaxy ``i``: BIN_ID, then value, error and flag of each label, the limit of star formation, BPT_CLASS.

    Values are those of the baxel of each spaxel; where there is none they are NaN, and flags have the bit NO_BAXEL.

    Raises
    ------
    ArtefactError
        If the artefact 'extract' is not the one that the labels were made from.
    """
    extract, rows = spaxels_of(source, i), source.rows(i)
    frame, bin_id = celestial_frame(extract), extract["bin_id"]

    def image(name: str, values, outside, unit: str, meaning: str) -> fits.ImageHDU:
        return image_hdu(name, spread(values, bin_id, outside), unit, meaning, frame)

    hdus = fits.HDUList([primary_hdu(source, i, extract)])
    hdus.append(image_hdu("BIN_ID", bin_id.astype(np.int32), "1", "baxel, -1 outside all baxels", frame))
    for label, (unit, meaning) in LABEL.items():
        value, error, flag = (source.file[name][rows] for name in (label, f"{label}_err", f"{label}_flag"))
        hdus.append(image(label, value, _NAN, unit, meaning))
        hdus.append(image(f"{label}_err", error, _NAN, error_unit(unit), "its error"))
        hdus.append(image(f"{label}_flag", flag.astype(np.int32), MapFlag.NO_BAXEL, "1", "bits"))
        add_bits(hdus[-1].header, "FBIT", LabelFlag)
        add_bits(hdus[-1].header, "FBIT", MapFlag)
    spec = LABELS.fields[_LIMIT]
    hdus.append(image(_LIMIT, source.file[_LIMIT][rows], _NAN, spec.unit, spec.meaning))
    for name, card, codes in (("bpt_class", "BPT", BptClass), ("d_bpt_class", "DBPT", DBptClass)):
        classes = source.file[name][rows].astype(np.uint8)
        hdus.append(image(name, classes, 0, "1", LABELS.fields[name].meaning))
        add_codes(hdus[-1].header, card, codes)
    return hdus
