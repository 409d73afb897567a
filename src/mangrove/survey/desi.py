"""DESI's files of coadded spectra."""

import re
from pathlib import Path
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.io import fits

from mangrove.errors import CatalogueError
from mangrove.files.units import FLUX
from mangrove.survey import tables
from mangrove.survey.desi_fits import card, column, hdu_of, image, opened, targets, words

#: Cameras overlap on one scale of 0.8 Angstrom; wavelengths are told apart to this.
_WAVE_DIGITS = 2
#: Survey and program in the name of a file of coadded spectra.
_NAME = re.compile(r"coadd-(cmx|special|sv1|sv2|sv3|main)-(\w+)-\d+\.fits")


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
    survey, program : ndarray of str, shape (n,)
        What the targets were observed for; empty where the file does not say.
    flaw : ndarray of str, shape (n,)
        Why a spectrum is left out; empty for those that are not.
    """

    target_id: np.ndarray
    ebv: np.ndarray
    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    survey: np.ndarray
    program: np.ndarray
    flaw: np.ndarray


def read_coadd(path) -> Coadd:
    """Read a file of coadded spectra (HDU FIBERMAP; WAVELENGTH, FLUX, IVAR and MASK of each camera).

    Where cameras overlap, fluxes are means weighted by the inverse variance.

    Raises
    ------
    CatalogueError
        If the file is missing, lacks an HDU or a column, is in units of another kind, or its HDUs do not fit together.
    """
    with opened(path) as hdus:
        fibermap = hdu_of(hdus, "FIBERMAP", path, is_table=True)
        target_id = targets(fibermap, path)
        ebv = tables.numbers(column(fibermap, "EBV", path), u.mag, path)
        cameras = [hdu.name.removesuffix("_WAVELENGTH") for hdu in hdus if hdu.name.endswith("_WAVELENGTH")]
        if not cameras:
            raise CatalogueError(
                f"{path} has no spectra: there is no HDU whose name ends in _WAVELENGTH. Give files of coadded spectra "
                "(coadd-*.fits)."
            )
        waves = [_wavelengths(hdus, camera, path) for camera in cameras]
        wave = np.unique(np.round(np.concatenate(waves), _WAVE_DIGITS))
        weighted, total = (np.zeros((len(target_id), wave.size)) for _ in range(2))
        for camera, own in zip(cameras, waves, strict=True):
            flux, ivar = _spectra(hdus, camera, (len(target_id), own.size), path)
            place = np.searchsorted(wave, np.round(own, _WAVE_DIGITS))
            weighted[:, place] += ivar * np.where(ivar > 0, flux, 0)
            total[:, place] += ivar
        survey, program = (_observed_for(hdus, fibermap, i, path) for i in range(2))
        flaw = _flaws(fibermap, ebv, path)
    flux = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0)
    return Coadd(
        target_id=target_id,
        ebv=ebv,
        wave=wave,
        flux=flux.astype(np.float32),
        ivar=total.astype(np.float32),
        survey=survey,
        program=program,
        flaw=flaw,
    )


def _wavelengths(hdus: fits.HDUList, camera: str, path) -> np.ndarray:
    """Wavelengths of a camera, vacuum, Angstrom."""
    name = f"{camera}_WAVELENGTH"
    if str(hdus[name].header.get("AIRORVAC", "vac")).strip().lower() != "vac":
        raise CatalogueError(f"{path}: the wavelengths of {name} are in air (AIRORVAC); DESI's are in vacuum.")
    return image(hdus, name, path, u.AA)


def _spectra(hdus: fits.HDUList, camera: str, shape: tuple[int, int], path) -> tuple[np.ndarray, np.ndarray]:
    """Flux and inverse variance of a camera; the inverse variance is 0 where nothing is known."""
    flux, ivar = image(hdus, f"{camera}_FLUX", path, FLUX), image(hdus, f"{camera}_IVAR", path, FLUX**-2)
    if not hdus[f"{camera}_IVAR"].header.get("BUNIT"):
        # In the unit of the flux, whatever that is.
        ivar /= tables.factor(hdus[f"{camera}_FLUX"].header.get("BUNIT"), FLUX, f"{camera}_FLUX", path) ** 2
    if not flux.shape == ivar.shape == shape:
        raise CatalogueError(
            f"{path}: {camera}_FLUX and {camera}_IVAR have shapes {flux.shape} and {ivar.shape}; FIBERMAP and "
            f"{camera}_WAVELENGTH require {shape}. Download the file again."
        )
    if f"{camera}_MASK" in hdus:
        mask = image(hdus, f"{camera}_MASK", path)
        if mask.shape != shape:
            raise CatalogueError(
                f"{path}: {camera}_MASK has shape {mask.shape}, but {camera}_FLUX has {shape}. Download the file again."
            )
        ivar = np.where(mask == 0, ivar, 0)
    return flux, np.where(np.isfinite(flux) & (ivar > 0), ivar, 0)


def _observed_for(hdus: fits.HDUList, fibermap, i: int, path) -> np.ndarray:
    """Survey (0) or program (1) of every target: from FIBERMAP, else from a header, else from the file's name."""
    name = ("SURVEY", "PROGRAM")[i]
    listed = words(fibermap, name, path)
    named = _NAME.match(Path(path).name)
    return np.where(listed == "", card(hdus, name) or (named[i + 1] if named else ""), listed)


def _flaws(fibermap, ebv: np.ndarray, path) -> np.ndarray:
    flaw = np.full(ebv.shape, "", dtype="U40")
    flaw[~(ebv >= 0)] = "no Galactic E(B-V)"
    if tables.find(fibermap.columns.names, ["COADD_FIBERSTATUS"], path):
        bad = tables.bits(column(fibermap, "COADD_FIBERSTATUS", path), path) != 0
        flaw[bad] = "fibre problem (COADD_FIBERSTATUS)"
    return flaw
