"""Rows of the table of anomalies: found, ordered and cut into pages as an address says."""

from typing import NamedTuple

import numpy as np

from mangrove.codes import AnomalyCause
from mangrove.explorer.address import Address
from mangrove.explorer.scored_galaxies import ScoredGalaxies
from mangrove.survey.galaxy import AGN_FLAGS

#: Rows of a page.
PAGE = 20
#: What rows can be ordered by, as addresses name it.
SORTS = ("score", "galaxy", "agn", "causes", "z", "mass")
#: Of these, what starts with the largest.
_FALLING = ("score", "agn", "causes", "mass", "z")
ORDERS = ("falling", "rising")
#: Choices of the causes: any, none found, and each.
CAUSES = ("none", *(cause.word for cause in AnomalyCause))
#: Choices of active nuclei: by any flag, by each.
ACTIVE = ("agn", *AGN_FLAGS)


class RowChoice(NamedTuple):
    """Which galaxies the table shows, and in what order.

    Attributes
    ----------
    sort : str
        One of :data:`SORTS`.
    falling : bool
    find : str
        Part of a name or of a reason, in any case; empty for all.
    cause : str
        One of :data:`CAUSES`, or empty for all.
    agn : str
        One of :data:`ACTIVE`, or empty for all.
    page : int
        From 0.
    """

    sort: str
    falling: bool
    find: str
    cause: str
    agn: str
    page: int

    @classmethod
    def of(cls, address: Address) -> "RowChoice":
        """That of an address; what it does not know it ignores."""
        sort = address.one_of("sort", SORTS, "score")
        return cls(
            sort=sort,
            falling=address.one_of("order", ORDERS, natural_order(sort)) == "falling",
            find=address.query.get("find", "").strip(),
            cause=address.one_of("cause", CAUSES, ""),
            agn=address.one_of("agn", ACTIVE, ""),
            page=address.whole("page", 0, 10**8),
        )


class RowPage(NamedTuple):
    """A page of the table.

    Attributes
    ----------
    rows : ndarray of int, shape (n,)
        Indices of its galaxies, at most :data:`PAGE`.
    page, n_page : int
        Which page it is, from 0, of how many.
    n_found : int
        Galaxies that were found, on all pages.
    """

    rows: np.ndarray
    page: int
    n_page: int
    n_found: int


def natural_order(sort: str) -> str:
    """The order in which a column is first shown."""
    return "falling" if sort in _FALLING else "rising"


def row_page(scored: ScoredGalaxies, choice: RowChoice, score: str) -> RowPage:
    """The page of an address; the last one where there are fewer."""
    found = chosen_rows(scored, choice, score)
    n_page = max(1, -(-found.size // PAGE))
    page = min(choice.page, n_page - 1)
    return RowPage(found[page * PAGE : (page + 1) * PAGE], page, n_page, found.size)


def chosen_rows(scored: ScoredGalaxies, choice: RowChoice, score: str) -> np.ndarray:
    """Indices of all galaxies that were asked for, in their order; those of which the value is unknown come last."""
    rows = np.flatnonzero(_found(scored, choice))
    value = _values(scored, choice.sort, score)[rows]
    # Places among the values instead of the values: texts have no negative.
    place = np.unique(value, return_inverse=True)[1]
    key = -place if choice.falling else place
    unknown = np.isnan(value) if value.dtype.kind == "f" else np.zeros(rows.size, bool)
    return rows[np.lexsort((key, unknown))]


def _found(scored: ScoredGalaxies, choice: RowChoice) -> np.ndarray:
    found = np.ones(scored.plateifu.size, bool)
    if choice.find:
        word = choice.find.lower()
        found &= np.any([np.char.find(np.char.lower(text), word) >= 0 for text in (scored.plateifu, scored.reason)], 0)
    if choice.cause == "none":
        found &= scored.cause == 0
    elif choice.cause:
        found &= (scored.cause & AnomalyCause[choice.cause.upper()].value) > 0
    if choice.agn and scored.agn is not None:
        found &= scored.agn.any(axis=1) if choice.agn == "agn" else scored.agn[:, AGN_FLAGS.index(choice.agn)]
    return found


def _values(scored: ScoredGalaxies, sort: str, score: str) -> np.ndarray:
    unknown = np.full(scored.plateifu.size, np.nan)
    values = {
        "score": scored.score(score),
        "galaxy": scored.plateifu,
        "agn": unknown if scored.agn is None else scored.agn.sum(axis=1),
        "causes": np.bitwise_count(scored.cause),
        "z": scored.z,
        "mass": scored.log_mass,
    }[sort]
    return unknown if values is None else values
