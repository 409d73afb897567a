"""The labels of a whole survey, block by block: memory holds those of some galaxies, whatever their number."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.data_model import LABELS
from mangrove.errors import ArtefactError
from mangrove.spectra.labels.table import galaxy_labels, merge

#: Baxels whose labels are in memory at a time, and those of one galaxy more (20 MB); a galaxy takes as much beside them as so
#: many do.
BLOCK, OF_GALAXY = 10_000, 20


class FittedSurvey(NamedTuple):
    """What is known of the fits of a survey before any label is made.

    Attributes
    ----------
    fits : sequence of path
        Artefacts 'fit', one for each galaxy.
    n_baxel : ndarray of int, shape (n_galaxy,)
    dims : dict of str to int
        Length of every dimension of the artefact 'labels'.
    templates : str
        The library of stellar populations, as the configuration names it.
    """

    fits: Sequence
    n_baxel: np.ndarray
    dims: dict[str, int]
    templates: str

    @property
    def outcome(self) -> dict[str, str]:
        """Status and reason of the table."""
        if self.dims["row"]:
            return {"status": "ok", "reason": ""}
        return {"status": "empty", "reason": "no galaxy has a baxel"}


def fitted_survey(fits: Sequence) -> FittedSurvey:
    """Sizes and template library of fits.

    Raises
    ------
    ArtefactError
        If one cannot be read, or two used different libraries.
    """
    n_baxel, first = np.zeros(len(fits), int), None
    for i, path in enumerate(fits):
        with artefacts.opened(path, "fit") as fit:
            n_baxel[i] = fit["status"].size
            about = fit.attrs["plateifu"], fit.attrs["templates"]
            if first is None:
                first, n_line, n_status = about, fit["line"].size, fit["spaxel_count"].size
            elif about[1] != first[1]:
                raise _different_libraries(first, about)
    dims = {"plateifu": len(fits), "row": int(n_baxel.sum()), "line": n_line, "spaxel_status": n_status}
    return FittedSurvey(fits, n_baxel, dims, first[1])


def fill(out: h5py.File, survey: FittedSurvey) -> dict[str, int]:
    """Write labels into an open artefact 'labels'; gives the number of finite values of each dataset of numbers by row.

    Raises
    ------
    ArtefactError
        If a fit cannot be read.
    TemplateError
        If the library of the fits is not there any more, or is another one.
    """
    finite: dict[str, int] = {}
    for place, data in _blocks(survey):
        for name, values in data.items():
            along = LABELS.fields[name].dims[0]
            if values.size:
                out[name][place.get(along, ...)] = values.astype(object) if values.dtype.kind == "U" else values
            if along == "row":
                finite[name] = finite.get(name, 0) + int(np.isfinite(values).sum())
    return finite


def _blocks(survey: FittedSurvey) -> Iterator[tuple[dict[str, slice], dict[str, np.ndarray]]]:
    """Labels of successive galaxies, and where they lie along the dimensions of galaxies and of rows."""
    end = np.cumsum(survey.n_baxel)
    filled = np.cumsum(survey.n_baxel + OF_GALAXY)
    bounds = [0, *np.flatnonzero(np.diff(filled // BLOCK)) + 1, len(end)]
    for first, last in pairwise(bounds):
        data = merge([galaxy_labels(path) for path in survey.fits[first:last]])
        data["galaxy"] += first
        rows = slice(end[first] - survey.n_baxel[first], end[last - 1])
        yield {"plateifu": slice(first, last), "row": rows}, data


def _different_libraries(first: tuple[str, str], other: tuple[str, str]) -> ArtefactError:
    """Of two galaxies, by name and library."""
    return ArtefactError(
        f"the fits of {first[0]} and {other[0]} used different template libraries, '{first[1]}' and '{other[1]}' "
        "(fit.templates), and their labels do not belong in one table. To fit all galaxies again, delete the files in "
        "spectra/fit, and run again."
    )
