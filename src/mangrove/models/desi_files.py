"""Tables for the emulator from DESI's own files: coadded spectra and FastSpecFit catalogues."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove import artefacts
from mangrove.errors import CatalogueError
from mangrove.models.continuum import Bins
from mangrove.models.emission_lines import LINES
from mangrove.models.line_table import LineTable, luminosity_of, split, stored
from mangrove.models.rest_continuum import bin_continuum
from mangrove.spectra.extinction import galactic_transmission

log = logging.getLogger(__name__)

#: Columns of FastSpecFit (air wavelengths in their names), whose sum is each line of the emulator.
COLUMNS = {
    "OII_3728": ("OII_3726", "OII_3729"),
    "Hgamma": ("HGAMMA",),
    "Hbeta": ("HBETA",),
    "OIII_4960": ("OIII_4959",),
    "OIII_5008": ("OIII_5007",),
    "NII_6550": ("NII_6548",),
    "Halpha": ("HALPHA",),
    "NII_6585": ("NII_6584",),
    "SII_6718": ("SII_6716",),
    "SII_6733": ("SII_6731",),
}
#: Catalogues of FastSpecFit before this version hold EW that are (1 + z)^2 too large (its issue 86).
_FIRST_RIGHT_EW = 2
#: Cameras overlap on one scale of 0.8 Angstrom; wavelengths are told apart to this.
_WAVE_DIGITS = 2
_CHECK_NAME = "Correct the path, or download the file again."
_CHECK_KIND = (
    "Wanted are a FastSpecFit catalogue (fastspec-*.fits) first, then files of coadded spectra (coadd-*.fits)."
)


class LineCatalogue(NamedTuple):
    """Lines of galaxies, from FastSpecFit.

    Attributes
    ----------
    target_id : ndarray of int64, shape (n,)
    redshift : ndarray, shape (n,)
    ew, ew_ivar : ndarray of float32, shape (n, n_line)
        Rest frame, Angstrom, emission positive; NaN where not measured.
    """

    target_id: np.ndarray
    redshift: np.ndarray
    ew: np.ndarray
    ew_ivar: np.ndarray


class Coadd(NamedTuple):
    """Coadded spectra of a file, the cameras joined.

    Attributes
    ----------
    target_id : ndarray of int64, shape (n,)
    ebv : ndarray, shape (n,)
        Galactic E(B-V), mag.
    wave : ndarray, shape (n_wave,)
        Observed, vacuum, Angstrom.
    flux, ivar : ndarray of float32, shape (n, n_wave)
        1e-17 erg/s/cm2/Angstrom, Galactic extinction not removed; ivar is 0 where masked.
    """

    target_id: np.ndarray
    ebv: np.ndarray
    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray


def read_fastspecfit(path) -> LineCatalogue:
    """Read a FastSpecFit catalogue (HDUs FASTSPEC and METADATA; one file of a pixel, or a merged one).

    Raises
    ------
    CatalogueError
        If the file is missing, or lacks an HDU or a column.
    """
    with _opened(path) as hdus:
        lines, meta = _table(hdus, "FASTSPEC", path), _table(hdus, "METADATA", path)
        target_id, redshift = (_column(meta, name, path) for name in ("TARGETID", "Z"))
        if not np.array_equal(_column(lines, "TARGETID", path), target_id):
            raise CatalogueError(
                f"{path}: the rows of FASTSPEC and METADATA are of different targets (TARGETID). Take a catalogue as "
                "FastSpecFit writes it: whoever sorts or cuts it must do so to both HDUs."
            )
        ew, variance = (np.zeros((len(target_id), len(LINES))) for _ in range(2))
        for i, line in enumerate(LINES):
            for column in COLUMNS[line]:
                ivar = _column(lines, f"{column}_EW_IVAR", path).astype(float)
                ew[:, i] += _column(lines, f"{column}_EW", path)
                variance[:, i] += np.divide(1, ivar, out=np.full(ivar.shape, np.nan), where=ivar > 0)
        factor = _ew_factor(hdus, redshift, path)[:, None]
    ew, ivar = ew * factor, 1 / (variance * factor**2)
    known = np.isfinite(ivar) & np.isfinite(ew)
    parts = (np.where(known, values, np.nan).astype(np.float32) for values in (ew, ivar))
    return LineCatalogue(target_id.astype(np.int64), redshift.astype(float), *parts)


def read_coadd(path) -> Coadd:
    """Read a file of coadded spectra (``coadd-*.fits``): HDU FIBERMAP, and for each camera WAVELENGTH, FLUX, IVAR, MASK.

    Raises
    ------
    CatalogueError
        If the file is missing, or lacks an HDU or a column.
    """
    with _opened(path) as hdus:
        fibermap = _table(hdus, "FIBERMAP", path)
        target_id, ebv = (_column(fibermap, name, path) for name in ("TARGETID", "EBV"))
        cameras = [hdu.name.removesuffix("_WAVELENGTH") for hdu in hdus if hdu.name.endswith("_WAVELENGTH")]
        if not cameras:
            raise CatalogueError(
                f"{path} has no spectra: there is no HDU whose name ends in _WAVELENGTH. Give files of coadded spectra "
                "(coadd-*.fits)."
            )
        waves = [_image(hdus, f"{c}_WAVELENGTH", path).astype(float) for c in cameras]
        wave = np.unique(np.round(np.concatenate(waves), _WAVE_DIGITS))
        weighted, total = (np.zeros((len(target_id), wave.size)) for _ in range(2))
        for camera, own in zip(cameras, waves, strict=True):
            flux, ivar = (_image(hdus, f"{camera}_{name}", path).astype(float) for name in ("FLUX", "IVAR"))
            if f"{camera}_MASK" in hdus:
                ivar = np.where(hdus[f"{camera}_MASK"].data == 0, ivar, 0)
            ivar = np.where(np.isfinite(flux) & (ivar > 0), ivar, 0)
            place = np.searchsorted(wave, np.round(own, _WAVE_DIGITS))
            weighted[:, place] += ivar * np.where(ivar > 0, flux, 0)
            total[:, place] += ivar
    flux = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0)
    parts = flux.astype(np.float32), total.astype(np.float32)
    return Coadd(target_id.astype(np.int64), ebv.astype(float), wave, *parts)


def desi_table(catalogue_path, coadd_paths: Sequence, bins: Bins | None = None, ebv_scale: float = 1.0) -> LineTable:
    """The table of the galaxies that a FastSpecFit catalogue and files of coadded spectra share.

    Parameters
    ----------
    catalogue_path : path-like
    coadd_paths : sequence of path-like
    bins : Bins, optional
        The twelve of the paper by default; galaxies whose spectra do not cover them have NaN there.
    ebv_scale : float
        Factor on the Galactic E(B-V) of the coadds.

    Returns
    -------
    LineTable
        In the order of the coadds, with luminosity.

    Raises
    ------
    CatalogueError
        If a file is wrong, or no galaxy is in both.
    """
    bins = bins or Bins.equal()
    catalogue = read_fastspecfit(catalogue_path)
    place = {int(target): i for i, target in enumerate(catalogue.target_id)}
    rows, flux = [], []
    for path in coadd_paths:
        coadd = read_coadd(path)
        shared = [(i, place[int(t)]) for i, t in enumerate(coadd.target_id) if int(t) in place]
        if not shared:
            continue
        own, listed = (np.array(index) for index in zip(*shared, strict=True))
        flux.append(_bins_of(coadd, own, catalogue.redshift[listed], bins, ebv_scale))
        rows.append(listed)
    if not rows:
        raise CatalogueError(
            f"no target of {catalogue_path} is in the spectra {', '.join(map(str, coadd_paths))}. Give the coadds of the "
            "survey, program and pixels that the catalogue is of (TARGETID is compared)."
        )
    chosen, means = np.concatenate(rows), np.concatenate(flux)
    redshift = catalogue.redshift[chosen].astype(np.float32)
    identifier = catalogue.target_id[chosen].astype(str)
    return LineTable(
        bins, LINES, identifier, means, luminosity_of(means, redshift), catalogue.ew[chosen], catalogue.ew_ivar[chosen]
    )


def write_desi_table(catalogue_path, coadd_paths: Sequence, out, ebv_scale: float = 1.0) -> int:
    """Write the artefact 'emulator_table' of :func:`desi_table`; gives the number of galaxies."""
    table = desi_table(catalogue_path, coadd_paths, ebv_scale=ebv_scale)
    prov = artefacts.provenance(out, {"ebv_scale": ebv_scale}, [catalogue_path, *coadd_paths])
    side = split(table).sides(len(table.identifier))
    artefacts.write(out, "emulator_table", stored(table, side), prov, {"status": "ok", "reason": ""})
    return len(table.identifier)


def _bins_of(coadd: Coadd, rows: np.ndarray, redshift: np.ndarray, bins: Bins, ebv_scale: float) -> np.ndarray:
    # Extinction in magnitudes is proportional to E(B-V).
    unit = np.log(galactic_transmission(coadd.wave, 1.0))
    flux = coadd.flux[rows] / np.exp(unit[None, :] * (ebv_scale * coadd.ebv[rows])[:, None])
    return bin_continuum(coadd.wave, flux, coadd.ivar[rows] > 0, redshift, bins)


def _ew_factor(hdus: fits.HDUList, redshift: np.ndarray, path) -> np.ndarray:
    """What the EW of a catalogue are to be multiplied with, shape (n,)."""
    header = hdus[0].header
    names = {str(header[key]).strip(): key.replace("NAM", "VER") for key in header if key.startswith("DEPNAM")}
    version = str(header.get(names.get("fastspecfit", ""), "")).strip()
    major = version.split(".")[0]
    if not major.isdigit() or int(major) >= _FIRST_RIGHT_EW:
        return np.ones(redshift.shape)
    log.warning("%s is of FastSpecFit %s, whose EW are (1 + z)^2 too large: divided by it", path, version)
    return 1 / (1 + redshift.astype(float)) ** 2


def _opened(path) -> fits.HDUList:
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(f"{path} does not exist. {_CHECK_NAME}")
    try:
        return fits.open(path)
    except OSError as error:
        raise CatalogueError(f"{path} is not a readable FITS file ({error}). {_CHECK_NAME}") from error


def _table(hdus: fits.HDUList, name: str, path) -> fits.FITS_rec:
    if name not in hdus:
        found = ", ".join(hdu.name for hdu in hdus)
        raise CatalogueError(f"{path} has no HDU {name}; it has {found}. {_CHECK_KIND}")
    return hdus[name].data


def _image(hdus: fits.HDUList, name: str, path) -> np.ndarray:
    return np.asarray(_table(hdus, name, path))


def _column(table: fits.FITS_rec, name: str, path) -> np.ndarray:
    if name not in table.names:
        raise CatalogueError(f"{path} lacks the column {name}. {_CHECK_KIND}")
    return np.asarray(table[name])
