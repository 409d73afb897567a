"""Tables for the emulator from DESI's own files: coadded spectra and FastSpecFit catalogues."""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mangrove import artefacts
from mangrove.errors import CatalogueError
from mangrove.models.emulator.continuum_features import Bins
from mangrove.models.emulator.emission_lines import LINES
from mangrove.models.emulator.line_table import LineTable, luminosity_of, split_table, stored
from mangrove.models.emulator.rest_continuum import bin_continuum
from mangrove.physics.galactic_extinction import galactic_transmission
from mangrove.spectra.observed import corrected
from mangrove.survey.desi import Coadd, read_coadd
from mangrove.survey.fastspecfit import LineCatalogue, read_fastspecfit

log = logging.getLogger(__name__)


class DesiTable(NamedTuple):
    """A table for the emulator, and how many spectra of the catalogue's targets were left out, by the reason."""

    table: LineTable
    removed: dict[str, int]


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
        In the order of the coadds, with luminosity. Left out are rows with a flaw (see :class:`mangrove.survey.fastspecfit.LineCatalogue` and
        :class:`mangrove.survey.desi.Coadd`) and further spectra of a galaxy.

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
    split = split_table(sample.table).of_rows(len(sample.table.identifier))
    artefacts.write(out, "emulator_table", stored(sample.table, split), prov, {"status": "ok", "reason": ""})
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


def _bins_of(coadd: Coadd, rows: np.ndarray, redshift: np.ndarray, bins: Bins, ebv_scale: float) -> np.ndarray:
    # Extinction in magnitudes is proportional to E(B-V).
    unit = np.log(galactic_transmission(coadd.wave, 1.0))
    transmission = np.exp(unit[None, :] * (ebv_scale * coadd.ebv[rows])[:, None])
    # What DESI masks has no inverse variance.
    flux, _, good = corrected(coadd.wave, coadd.flux[rows], coadd.ivar[rows], 0, transmission)
    return bin_continuum(coadd.wave, flux, good, redshift, bins)
