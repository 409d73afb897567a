"""Tables for the emulator from DESI's own files: coadded spectra and FastSpecFit catalogues."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.io import fits

from mangrove import artefacts
from mangrove.errors import CatalogueError
from mangrove.models.continuum import Bins
from mangrove.models.desi_fits import card, column, hdu_of, image, opened, targets, words
from mangrove.models.emission_lines import LINES
from mangrove.models.fastspecfit import COLUMNS, LineCatalogue, read_fastspecfit
from mangrove.models.line_table import LineTable, luminosity_of, split, stored
from mangrove.models.rest_continuum import bin_continuum
from mangrove.spectra.extinction import galactic_transmission
from mangrove.survey import tables

__all__ = [
    "COLUMNS",
    "Coadd",
    "DesiTable",
    "desi_sample",
    "desi_table",
    "read_coadd",
    "read_fastspecfit",
    "write_desi_table",
]

log = logging.getLogger(__name__)

#: Cameras overlap on one scale of 0.8 Angstrom; wavelengths are told apart to this.
_WAVE_DIGITS = 2
_FLUX_UNIT = 1e-17 * u.erg / (u.s * u.cm**2 * u.AA)
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


class DesiTable(NamedTuple):
    """A table for the emulator, and how many spectra of the catalogue's targets were left out, by the reason."""

    table: LineTable
    removed: dict[str, int]


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
    parts = flux.astype(np.float32), total.astype(np.float32)
    return Coadd(target_id, ebv, wave, *parts, survey, program, flaw)


def desi_table(catalogue_path, coadd_paths: Sequence, bins: Bins | None = None, ebv_scale: float = 1.0) -> LineTable:
    """The table of :func:`desi_sample` alone."""
    return desi_sample(catalogue_path, coadd_paths, bins, ebv_scale).table


def desi_sample(catalogue_path, coadd_paths: Sequence, bins: Bins | None = None, ebv_scale: float = 1.0) -> DesiTable:
    """The table of the galaxies that a FastSpecFit catalogue and files of coadded spectra share.

    Rows are joined by TARGETID, SURVEY and PROGRAM. A galaxy counts once, with its first spectrum.

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
    DesiTable
        In the order of the coadds, with luminosity. Left out are rows with a flaw (see :class:`LineCatalogue` and
        :class:`Coadd`) and further spectra of a galaxy.

    Raises
    ------
    CatalogueError
        If a file is wrong, a target has several rows in the catalogue between which nothing decides, or no galaxy is in
        both.
    """
    bins = bins or Bins.equal()
    catalogue = read_fastspecfit(catalogue_path)
    places = defaultdict(list)
    for i, target in enumerate(catalogue.target_id.tolist()):
        places[target].append(i)
    removed, taken, rows, flux = Counter(), set(), [], []
    for path in coadd_paths:
        coadd = read_coadd(path)
        shared = []
        for i, target in enumerate(coadd.target_id.tolist()):
            place = _row_of(places.get(target, []), catalogue, coadd, i, catalogue_path, path)
            if place is None:
                removed["only in another survey or program"] += target in places
            elif flaw := catalogue.flaw[place] or coadd.flaw[i]:
                removed[str(flaw)] += 1
            elif target in taken:
                removed["another spectrum of a galaxy that is there"] += 1
            else:
                taken.add(target)
                shared.append((i, place))
        if shared:
            own, listed = (np.array(index) for index in zip(*shared, strict=True))
            flux.append(_bins_of(coadd, own, catalogue.redshift[listed], bins, ebv_scale))
            rows.append(listed)
    removed = {reason: n for reason, n in removed.items() if n}
    if not rows:
        left_out = "".join(f" Left out: {n} {reason}." for reason, n in removed.items())
        raise CatalogueError(
            f"no target of {catalogue_path} is in the spectra {', '.join(map(str, coadd_paths))}.{left_out} Give the coadds of "
            "the survey, program and pixels that the catalogue is of (TARGETID, SURVEY and PROGRAM are compared)."
        )
    chosen, means = np.concatenate(rows), np.concatenate(flux)
    redshift = catalogue.redshift[chosen].astype(np.float32)
    identifier = catalogue.target_id[chosen].astype(str)
    columns = means, luminosity_of(means, redshift), catalogue.ew[chosen], catalogue.ew_ivar[chosen]
    return DesiTable(LineTable(bins, LINES, identifier, *columns), removed)


def write_desi_table(catalogue_path, coadd_paths: Sequence, out, ebv_scale: float = 1.0) -> DesiTable:
    """Write the artefact 'emulator_table' of :func:`desi_sample`, which it gives back."""
    sample = desi_sample(catalogue_path, coadd_paths, ebv_scale=ebv_scale)
    prov = artefacts.provenance(out, {"ebv_scale": ebv_scale}, [catalogue_path, *coadd_paths])
    side = split(sample.table).sides(len(sample.table.identifier))
    artefacts.write(out, "emulator_table", stored(sample.table, side), prov, {"status": "ok", "reason": ""})
    return sample


def _row_of(rows: list[int], catalogue: LineCatalogue, coadd: Coadd, i: int, catalogue_path, path) -> int | None:
    """The row of the catalogue, among those of its target, that spectrum ``i`` belongs to; None for none."""
    own = coadd.survey[i], coadd.program[i]
    fitting = [
        row
        for row in rows
        if all(
            a == b or not a or not b for a, b in zip(own, (catalogue.survey[row], catalogue.program[row]), strict=True)
        )
    ]
    if len(fitting) > 1:
        kinds = sorted({f"{catalogue.survey[row]} {catalogue.program[row]}".strip() or "not said" for row in fitting})
        raise CatalogueError(
            f"{catalogue_path} lists TARGETID {coadd.target_id[i]} {len(fitting)} times (SURVEY and PROGRAM: "
            f"{', '.join(kinds)}), and {path} is of {' '.join(own).strip() or 'a survey and program that it does not name'}: "
            "which row is meant is not known. Keep one of the rows, in FASTSPEC and METADATA, or the columns SURVEY and "
            "PROGRAM, and the coadd's header cards of these names."
        )
    return fitting[0] if fitting else None


def _wavelengths(hdus: fits.HDUList, camera: str, path) -> np.ndarray:
    """Wavelengths of a camera, vacuum, Angstrom."""
    name = f"{camera}_WAVELENGTH"
    if str(hdus[name].header.get("AIRORVAC", "vac")).strip().lower() != "vac":
        raise CatalogueError(f"{path}: the wavelengths of {name} are in air (AIRORVAC); DESI's are in vacuum.")
    return image(hdus, name, path, u.AA)


def _spectra(hdus: fits.HDUList, camera: str, shape: tuple[int, int], path) -> tuple[np.ndarray, np.ndarray]:
    """Flux and inverse variance of a camera; the inverse variance is 0 where nothing is known."""
    flux, ivar = image(hdus, f"{camera}_FLUX", path, _FLUX_UNIT), image(hdus, f"{camera}_IVAR", path)
    if not flux.shape == ivar.shape == shape:
        raise CatalogueError(
            f"{path}: {camera}_FLUX and {camera}_IVAR are of shape {flux.shape} and {ivar.shape}; FIBERMAP and "
            f"{camera}_WAVELENGTH ask for {shape}. Download the file again."
        )
    if f"{camera}_MASK" in hdus:
        mask = image(hdus, f"{camera}_MASK", path)
        if mask.shape != shape:
            raise CatalogueError(
                f"{path}: {camera}_MASK is of shape {mask.shape}; {camera}_FLUX is of {shape}. Download the file again."
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
        flaw[bad] = "fault of the fibre (COADD_FIBERSTATUS)"
    return flaw


def _bins_of(coadd: Coadd, rows: np.ndarray, redshift: np.ndarray, bins: Bins, ebv_scale: float) -> np.ndarray:
    # Extinction in magnitudes is proportional to E(B-V).
    unit = np.log(galactic_transmission(coadd.wave, 1.0))
    flux = coadd.flux[rows] / np.exp(unit[None, :] * (ebv_scale * coadd.ebv[rows])[:, None])
    return bin_continuum(coadd.wave, flux, coadd.ivar[rows] > 0, redshift, bins)
