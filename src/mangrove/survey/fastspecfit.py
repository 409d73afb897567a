"""FastSpecFit's catalogue of DESI: lines, and which rows are galaxies with a sound redshift."""

import logging
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.io import fits

from mangrove.errors import CatalogueError
from mangrove.survey import tables
from mangrove.survey.desi_fits import card, column, hdu_of, opened, targets, words

log = logging.getLogger(__name__)

#: Columns of FastSpecFit (air wavelengths in their names), whose sum is each line of the emulator.
COLUMNS = {
    "OII_3728": ("OII_3726", "OII_3729"),
    "Hgamma_4342": ("HGAMMA",),
    "Hbeta_4863": ("HBETA",),
    "OIII_4960": ("OIII_4959",),
    "OIII_5008": ("OIII_5007",),
    "NII_6550": ("NII_6548",),
    "Halpha_6565": ("HALPHA",),
    "NII_6585": ("NII_6584",),
    "SII_6718": ("SII_6716",),
    "SII_6733": ("SII_6731",),
}
#: Catalogues of FastSpecFit before this version hold EW that are (1 + z)^2 too large (its issue 86).
_FIRST_RIGHT_EW = 2
#: Redshifts of galaxies count from this difference of chi2 to the second best on (Hahn et al. 2023, for the bright survey).
MIN_DELTACHI2 = 40.0


class LineCatalogue(NamedTuple):
    """Lines of galaxies, from FastSpecFit.

    Attributes
    ----------
    target_id : ndarray of int64, shape (n,)
    redshift : ndarray, shape (n,)
    ew, ew_ivar : ndarray of float32, shape (n, n_line)
        Rest frame, Angstrom, emission positive; NaN where not measured.
    survey, program : ndarray of str, shape (n,)
        What a target was observed for, with ``target_id`` the name of a row ('sv3', 'bright'); empty where not known.
    flaw : ndarray of str, shape (n,)
        Why a row is no galaxy with a sound redshift; empty for those that are.
    """

    target_id: np.ndarray
    redshift: np.ndarray
    ew: np.ndarray
    ew_ivar: np.ndarray
    survey: np.ndarray
    program: np.ndarray
    flaw: np.ndarray


def read_fastspecfit(path) -> LineCatalogue:
    """Read a FastSpecFit catalogue (HDUs FASTSPEC and METADATA; one file of a pixel, or a merged one).

    Raises
    ------
    CatalogueError
        If the file is missing, lacks an HDU or a column, or its two HDUs are of different rows.
    """
    with opened(path) as hdus:
        lines, meta = (hdu_of(hdus, name, path, is_table=True) for name in ("FASTSPEC", "METADATA"))
        target_id = targets(meta, path)
        redshift = tables.numbers(column(meta, "Z", path), u.one, path)
        if not np.array_equal(targets(lines, path), target_id):
            raise _different_rows(path, "TARGETID")
        survey, program = (_observed_for(hdus, name, path) for name in ("SURVEY", "PROGRAM"))
        # What overflows or divides by 0 here is not finite, and becomes unknown.
        with np.errstate(all="ignore"):
            ew, variance = _sums(lines, path)
            factor = _ew_factor(hdus, redshift, path)[:, None]
            ew, ivar = (values.astype(np.float32) for values in (ew * factor, 1 / (variance * factor**2)))
        flaw = _flaws(meta, redshift, path)
    known = np.isfinite(ew) & np.isfinite(ivar) & (ivar > 0)
    ew, ivar = (np.where(known, values, np.float32(np.nan)) for values in (ew, ivar))
    return LineCatalogue(
        target_id=target_id, redshift=redshift, ew=ew, ew_ivar=ivar, survey=survey, program=program, flaw=flaw
    )


def _sums(lines, path) -> tuple[np.ndarray, np.ndarray]:
    """EW of the emulator's lines, each the sum of its columns, and their variances, shape (n, n_line)."""
    ew, variance = (np.zeros((len(lines.data), len(COLUMNS))) for _ in range(2))
    for i, names in enumerate(COLUMNS.values()):
        for name in names:
            ivar = tables.numbers(column(lines, f"{name}_EW_IVAR", path), u.AA**-2, path)
            ew[:, i] += tables.numbers(column(lines, f"{name}_EW", path), u.AA, path)
            variance[:, i] += np.where((ivar > 0) & (ivar < np.inf), 1 / ivar, np.nan)
    return ew, variance


def _observed_for(hdus: fits.HDUList, name: str, path) -> np.ndarray:
    """SURVEY or PROGRAM of every row: a column of either HDU, which must not differ where both have it, or a header's."""
    one, other = (words(hdus[hdu], name, path) for hdu in ("METADATA", "FASTSPEC"))
    if not (one.any() or other.any()):
        return np.full(one.shape, card(hdus, name))
    if np.any((one != other) & (one != "") & (other != "")):
        raise _different_rows(path, name)
    return np.where(one == "", other, one)


def _different_rows(path, name: str) -> CatalogueError:
    return CatalogueError(
        f"{path}: the rows of FASTSPEC and METADATA are of different targets ({name}). Use the catalogue as "
        "FastSpecFit writes it, or sort and cut both HDUs in the same way."
    )


def _flaws(meta, redshift: np.ndarray, path) -> np.ndarray:
    """What keeps rows out, by the columns that the catalogue has: SPECTYPE, ZWARN, DELTACHI2, Z."""
    flaw = np.full(redshift.shape, "", dtype="U40")

    def add(bad, text) -> None:
        flaw[bad & (flaw == "")] = text

    names = meta.columns.names
    if tables.find(names, ["SPECTYPE"], path):
        kind = words(meta, "SPECTYPE", path)
        add(kind == "star", "star (SPECTYPE)")
        add(kind == "qso", "quasar (SPECTYPE)")
        add(kind != "galaxy", "not a galaxy (SPECTYPE)")
    if tables.find(names, ["ZWARN"], path):
        add(tables.bits(column(meta, "ZWARN", path), path) != 0, "doubtful redshift (ZWARN)")
    if tables.find(names, ["DELTACHI2"], path):
        deltachi2 = tables.numbers(column(meta, "DELTACHI2", path), u.one, path)
        add(~(deltachi2 >= MIN_DELTACHI2), f"doubtful redshift (DELTACHI2 < {MIN_DELTACHI2:g})")
    add(~((redshift > 0) & (redshift < np.inf)), "no redshift above 0 (Z)")
    return flaw


def _ew_factor(hdus: fits.HDUList, redshift: np.ndarray, path) -> np.ndarray:
    """What the EW of a catalogue are to be multiplied with, shape (n,)."""
    header = hdus[0].header
    names = {str(header[key]).strip(): key.replace("NAM", "VER") for key in header if key.startswith("DEPNAM")}
    version = str(header.get(names.get("fastspecfit", ""), "")).strip()
    major = version.lower().removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) >= _FIRST_RIGHT_EW:
        return np.ones(redshift.shape)
    log.warning(
        "%s was made by FastSpecFit %s, whose EW are too large by (1 + z)^2; they were divided by this factor",
        path,
        version,
    )
    return 1 / (1 + redshift.astype(float)) ** 2
