"""One galaxy of a run as its page shows it: what is known of it as a whole, the labels of its baxels, its bins."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from astropy.table import Table

from mangrove import artefacts
from mangrove.artefacts import Artefact
from mangrove.errors import ArtefactError
from mangrove.explorer.catalogue import catalogue
from mangrove.explorer.explored_run import ExploredRun
from mangrove.notebook.label_rows import MAPPED_OF_LINES
from mangrove.survey.target import MISSING

#: Galaxies that are kept in memory.
_MOST_KEPT = 8
_BINS = ["bin_id", "spaxel_status", "signal", "image", "band", "snr"]
#: Columns of the sample sheet that the page shows: what they are, and how they are written.
_CATALOGUE = {
    "log_mass": ("stellar mass (catalogue)", "log M/M☉ = {:.2f}"),
    "r_e": ("effective radius", "{:.1f} arcsec"),
    "ba": ("axis ratio", "{:.2f}"),
    "pa": ("position angle", "{:.0f}° east of north"),
    "sersic_n": ("Sérsic index", "{:.1f}"),
    "ebv": ("Galactic E(B−V)", "{:.3f} mag"),
}


class SeenGalaxy(NamedTuple):
    """A galaxy with what its page needs at once; its spectra are read one by one.

    Attributes
    ----------
    plateifu : str
    about : mapping
        mangaid, z, galaxy_status, galaxy_reason, n_baxel_of_galaxy; of a run of line cubes alone only the first two.
    table : Table or None
        :meth:`mangrove.notebook.runs.Run.labels` of the galaxy; None where there is no baxel.
    lines : mapping of str to ndarray, shape (n_baxel, n_line)
        Variables of :meth:`mangrove.notebook.runs.Run.lines`, empty where there is no baxel; with ``line``, their names.
    bins : Artefact or None
        Bins, images and status of the spaxels, of the artefact 'extract'; None where it cannot be used.
    lacks : str
        Why ``bins`` is None.
    """

    plateifu: str
    about: Mapping
    table: Table | None
    lines: Mapping[str, np.ndarray]
    bins: Artefact | None
    lacks: str

    @property
    def n_baxel(self) -> int:
        """Number of its baxels."""
        return 0 if self.table is None else len(self.table)

    @property
    def has_maps(self) -> bool:
        """Whether it is more than a single spectrum, and its baxels can be shown on the sky."""
        return self.bins is not None and self.n_baxel > 0 and self.bins["bin_id"].size > 1

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Column and row of the middle of each baxel, spaxels from 0, shape (n_baxel,)."""
        return self.rows["x"], self.rows["y"]

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """Columns and lines of the baxels by name, as figures of the report take them, shape (n_baxel, ...)."""
        columns = {} if self.table is None else {name: np.asarray(self.table[name]) for name in self.table.colnames}
        return columns | dict(self.lines)


def seen_galaxy(run: ExploredRun, plateifu: str) -> SeenGalaxy:
    """A galaxy of the run, of which the last few are kept: each part of a page asks for it.

    Raises
    ------
    ArtefactError
        If the table of labels or of line cubes is damaged, or the run has no such galaxy.
    """
    files = [run.path(kind, plateifu=plateifu) for kind in ("labels", "line_cube_set", "extract", "fit")]
    return run.recent("seen galaxies", files, lambda: _read_galaxy(run, plateifu), _MOST_KEPT)


def _read_galaxy(run: ExploredRun, plateifu: str) -> SeenGalaxy:
    if not run.path("labels").is_file():
        return SeenGalaxy(plateifu, _of_line_cube(run, plateifu), None, {}, None, "The run has line cubes alone.")
    results = run.results
    about = results.about(plateifu)
    if not about["n_baxel_of_galaxy"]:
        return SeenGalaxy(plateifu, about, None, {}, *_bins(run, plateifu, check=False))
    lines = results.lines(plateifu)
    named = {name: lines[name].values for name in (*MAPPED_OF_LINES, "line")}
    return SeenGalaxy(plateifu, about, results.labels(plateifu), named, *_bins(run, plateifu, check=True))


def catalogue_facts(run: ExploredRun, plateifu: str) -> list[tuple[str, str]]:
    """What the sample sheet says of a galaxy, name and value with unit; unknown values are left out."""
    row = catalogue(run).get(plateifu)
    if row is None:
        return []
    known = [
        (words, shape.format(value))
        for name, (words, shape) in _CATALOGUE.items()
        if _known(value := getattr(row, name))
    ]
    return [*known, ("Hubble type", row.morphology)] if row.morphology else known


def _known(value: float) -> bool:
    return value != MISSING and np.isfinite(value)


def _of_line_cube(run: ExploredRun, plateifu: str) -> dict:
    place = line_cube_index(run, plateifu)
    if place is None:
        raise ArtefactError(f"{run.folder} has no line cube of '{plateifu}'.")
    return {name: run.column("line_cube_set", name)[place] for name in ("mangaid", "z")}


def line_cube_index(run: ExploredRun, plateifu: str) -> int | None:
    """Place of a galaxy in the set of line cubes; None without."""
    if not run.has("line_cube_set"):
        return None
    found = np.flatnonzero(run.column("line_cube_set", "plateifu") == plateifu)
    return int(found[0]) if found.size else None


def _bins(run: ExploredRun, plateifu: str, check: bool) -> tuple[Artefact | None, str]:
    try:
        bins = artefacts.read(run.path("extract", plateifu=plateifu), "extract", _BINS)
        if check:
            run.results.check_bins(plateifu)
    except ArtefactError as error:
        return None, str(error)
    return bins, ""
