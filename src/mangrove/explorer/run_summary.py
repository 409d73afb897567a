"""A run in numbers, and its galaxies as a table that can be searched."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mangrove.codes import Code, FitStatus, SpaxelStatus, TrainingCut
from mangrove.explorer.explored_run import ExploredRun

#: Rows of a table on a page.
MOST_SHOWN = 200


class Share(NamedTuple):
    """Things of one status: its name, what it means, and how many there are."""

    status: str
    meaning: str
    count: int


class Total(NamedTuple):
    """How many things of a kind a run has, and of which statuses."""

    what: str
    count: int
    shares: list[Share]


class GalaxyTable(NamedTuple):
    """Galaxies that were searched for, as arrays of shape (n_shown,), and how many were found.

    Attributes
    ----------
    plateifu, mangaid : ndarray of str
    z : ndarray
        Redshift of the catalogue.
    status, reason : ndarray of str
        What became of the galaxy; empty in a run of line cubes alone.
    n_baxel : ndarray of int
        Its baxels; 0 in a run of line cubes alone.
    n_found : int
    """

    plateifu: np.ndarray
    mangaid: np.ndarray
    z: np.ndarray
    status: np.ndarray
    reason: np.ndarray
    n_baxel: np.ndarray
    n_found: int


def totals(run: ExploredRun) -> list[Total]:
    """Galaxies, spaxels, baxels, candidate training spectra and line cubes of a run, as far as it has them.

    Raises
    ------
    ArtefactError
        If an artefact is damaged, or of another version of mangrove.
    """
    found = []
    if run.path("labels").is_file():
        spaxels = run.column("labels", "spaxel_count").sum(axis=0)
        found += [
            _galaxies(run),
            _total("spaxels", SpaxelStatus, dict(zip(SpaxelStatus, spaxels.tolist(), strict=True))),
            _total("baxels", FitStatus, _counted(run.column("labels", "status"))),
        ]
    if run.path("training_spectra").is_file():
        cuts = run.column("training_spectra", "candidate_cut")
        found.append(_total("candidate training spectra", TrainingCut, _counted(cuts)))
    if run.path("line_cube_set").is_file():
        found.append(Total("line cubes", len(run.column("line_cube_set", "plateifu")), []))
    return found


def galaxy_table(run: ExploredRun, text: str, most: int = MOST_SHOWN) -> GalaxyTable:
    """The galaxies whose plateifu or MaNGA-ID contains a text, in the order of the sample sheet.

    Parameters
    ----------
    text : str
        '' finds all. Capitals and blanks around it do not matter.
    most : int
        Rows that are given of those found.

    Raises
    ------
    ArtefactError
        If the artefact that lists the galaxies is damaged, or of another version of mangrove.
    """
    if not run.galaxies:
        none = np.array([], dtype=str)
        return GalaxyTable(none, none, np.array([]), none, none, np.array([], dtype=int), 0)
    labelled = run.path("labels").is_file()
    kind = "labels" if labelled else "line_cube_set"
    names, ids = run.column(kind, "plateifu").astype(str), run.column(kind, "mangaid").astype(str)
    wanted = text.strip().lower()
    found = np.flatnonzero((np.char.find(names, wanted) >= 0) | (np.char.find(np.char.lower(ids), wanted) >= 0))
    rows = found[:most]
    unknown = np.full(len(rows), "")
    return GalaxyTable(
        names[rows],
        ids[rows],
        run.column(kind, "z")[rows],
        run.column("labels", "galaxy_status")[rows] if labelled else unknown,
        run.column("labels", "galaxy_reason")[rows] if labelled else unknown,
        run.column("labels", "n_baxel_of_galaxy")[rows] if labelled else np.zeros(len(rows), dtype=int),
        len(found),
    )


def _galaxies(run: ExploredRun) -> Total:
    statuses, reasons = run.column("labels", "galaxy_status"), run.column("labels", "galaxy_reason")
    kinds, counts = np.unique(np.stack([statuses, reasons]).astype(str), axis=1, return_counts=True)
    pairs = zip(*kinds.tolist(), counts.tolist(), strict=True)
    return Total("galaxies", len(statuses), [Share(status, reason, n) for status, reason, n in pairs])


def _total(what: str, codes: type[Code], counts: Mapping[int, int]) -> Total:
    shares = [Share(code.word, code.meaning, counts[code]) for code in codes if counts.get(code)]
    return Total(what, sum(counts.values()), shares)


def _counted(codes: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(codes, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
