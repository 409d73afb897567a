"""Catalogues beside drpall: active nuclei and visual morphology, joined to the galaxies by plateifu or MANGAID."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from astropy.table import Table

from mangrove import paths
from mangrove.config import Survey
from mangrove.errors import CatalogueError
from mangrove.survey import tables
from mangrove.survey.archive.download import fetch, in_mirror, local_path
from mangrove.survey.archive.transfer import Patience
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.releases import Release

#: Column of the AGN catalogue (Comerford et al. 2020) by column of the sample sheet.
_AGN_FLAGS = {
    "agn_wise": "WISE_AGN",
    "agn_bat": "BAT_AGN",
    "agn_radio": "RADIO_AGN",
    "agn_broad": "BROAD_AGN",
}
_RADIO_CLASS = "RADIO_CLASS"
#: Columns that may hold the name of a galaxy, and its Hubble type; the first one present counts.
_NAMES = ("PLATEIFU", "NAME", "MANGAID")
_TYPES = ("TYPE", "HUBBLE_TYPE", "MORPH")
_TRUTH_VALUES = {"t", "f", "true", "false"}


class Names(NamedTuple):
    """What a survey calls its galaxies, whether they are in the sample or not."""

    plateifu: frozenset[str]
    mangaid: frozenset[str]

    @classmethod
    def of(cls, galaxies: Iterable[Galaxy]) -> "Names":
        """The names of some galaxies."""
        galaxies = list(galaxies)
        return cls(frozenset(g.plateifu for g in galaxies), frozenset(g.mangaid for g in galaxies))


def locate(address: str, survey: Survey, release: Release, setting: str) -> Path:
    """Local path of a catalogue, fetched once into the data folder if it lies on a server.

    Parameters
    ----------
    address : str
        A path, an address (http://, https://, file://), or a path below ``survey.base``.
    setting : str
        What the user gave it with, for errors.

    Raises
    ------
    CatalogueError
        If it should be on this machine and is not.
    DownloadError
        If it cannot be fetched.
    """
    if Path(address).is_file():
        return Path(address)
    url = paths.below(survey.base, address)
    here = local_path(url)
    if here is not None:
        here = in_mirror(url, survey.base, survey.mirror) or here
        if not here.is_file():
            raise CatalogueError(f"the catalogue {here} does not exist; check {setting}.")
        return here
    path = Path(survey.data_folder) / release.drpver / Path(urlsplit(url).path).name
    if not path.is_file():
        patience = Patience(timeout=survey.timeout)
        fetch(url, path, base=survey.base, mirror=survey.mirror, patience=patience)
    return path


def join_agn(galaxies: Iterable[Galaxy], path: str | Path, survey: Names | None = None) -> list[Galaxy]:
    """Galaxies with the AGN flags of a catalogue: 1, -1 where it does not know, 0 where it says no or does not list them.

    Parameters
    ----------
    path : path-like
        Table with the flags of Comerford et al. (2020), whose MANGAID holds ``manga-<plateifu>``; names may also be bare
        plateifus or MANGAIDs, in a column PLATEIFU, NAME or MANGAID.
    survey : Names, optional
        All names of the survey, one of which the catalogue must list; by default those of ``galaxies``.

    Raises
    ------
    CatalogueError
        If the file cannot be read, lacks columns, lists none of the survey's galaxies or one of them twice with other
        values, or a flag says neither yes nor no nor 'not known'.
    """
    galaxies = list(galaxies)
    table = tables.read_table(path, _NAMES)
    flags = [tables.flags(tables.column(table, (theirs,), path), path).tolist() for theirs in _AGN_FLAGS.values()]
    radio = tables.find(table.colnames, (_RADIO_CLASS,), path)
    classes = tables.texts(table[radio]) if radio else [""] * len(table)
    listed, key = _by_name(table, list(zip(*flags, classes, strict=True)), survey or Names.of(galaxies), path)

    def flagged(galaxy: Galaxy) -> Galaxy:
        *values, radio_class = listed.get(key(galaxy), (*[0] * len(_AGN_FLAGS), ""))
        return replace(galaxy, radio_class=radio_class, **dict(zip(_AGN_FLAGS, values, strict=True)))

    return [flagged(galaxy) for galaxy in galaxies]


def join_morphology(galaxies: Iterable[Galaxy], path: str | Path, survey: Names | None = None) -> list[Galaxy]:
    """Galaxies with the Hubble type of a catalogue; empty where it has none.

    Parameters
    ----------
    path : path-like
        Table with names as in :func:`join_agn` and a column TYPE, HUBBLE_TYPE or MORPH, in upper or lower case (the MaNGA
        Visual Morphology catalogue has NAME and TYPE).
    survey : Names, optional
        As in :func:`join_agn`.

    Raises
    ------
    CatalogueError
        If the file cannot be read, lacks columns, lists none of the survey's galaxies or one of them twice with other
        values, or holds numbers or truth values in place of Hubble types.
    """
    galaxies = list(galaxies)
    table = tables.read_table(path, _NAMES)
    listed, key = _by_name(table, _types(table, path), survey or Names.of(galaxies), path)
    return [replace(galaxy, morphology=listed.get(key(galaxy), "")) for galaxy in galaxies]


def _types(table: Table, path) -> list[str]:
    """The Hubble types of a table's rows; empty where it has none."""
    types = tables.column(table, _TYPES, path)
    words = tables.texts(types)
    if any(words) and not any(map(_is_type, words)):
        raise CatalogueError(
            f"{path}: the column {types.name} holds numbers or truth values; Hubble types as text, such as Sb or E, are needed. "
            f"Rename the column that has them to {_TYPES[0]}."
        )
    return ["" if word == "0" else word for word in words]


def _is_type(word: str) -> bool:
    """Whether a word may be a Hubble type: no number, and no truth value, which FITS files store as a letter."""
    try:
        float(word or "nan")
    except ValueError:
        return word.lower() not in _TRUTH_VALUES
    return False


def _by_name(table: Table, values: Sequence, survey: Names, path) -> tuple[dict, Callable[[Galaxy], str]]:
    """The values of a table's rows by the names that most rows share with the survey, and a galaxy's name of that kind."""
    tables.column(table, _NAMES, path)  # at least one of them must be there
    found = [name for name in _NAMES if tables.find(table.colnames, (name,), path)]
    columns = [_names(tables.column(table, (name,), path)) for name in found]
    matches = [
        (sum(name in known for name in names), names, kind)
        for names in columns
        for kind, known in survey._asdict().items()
    ]
    n_match, names, kind = max(matches, key=lambda match: match[0])
    if not n_match:
        example = next((name for name in columns[0] if name), "nothing")
        raise CatalogueError(
            f"{path} lists none of the {len(survey.plateifu)} cubes of the survey: its {', '.join(found)} holds names like "
            f"'{example}'. Plateifus (8485-1901 or manga-8485-1901) or MANGAIDs (1-209232) are needed."
        )
    _demand_one_kind(names, survey, kind, path)
    return _unique(names, values, getattr(survey, kind), path), lambda galaxy: getattr(galaxy, kind)


def _demand_one_kind(names: Sequence[str], survey: Names, kind: str, path) -> None:
    """Refuse names that the join would pass over: those that the survey knows by another kind of name."""
    others = {other: known - getattr(survey, kind) for other, known in survey._asdict().items() if other != kind}
    for row, name in enumerate(names, start=1):
        for other, known in others.items():
            if name in known:
                raise CatalogueError(
                    f"{path}, row {row}: {name} is a {other}, but other names are {kind}s; use the same kind of name in "
                    "all rows."
                )


def _names(column) -> list[str]:
    return [re.sub("^manga- ?", "", name, flags=re.IGNORECASE) for name in tables.texts(column)]


def _unique(names: Sequence[str], values: Sequence, known: frozenset[str], path) -> dict:
    listed: dict = {}
    for name, value in zip(names, values, strict=True):
        if name in known and listed.setdefault(name, value) != value:
            raise CatalogueError(f"{path} lists {name} twice, with different values; delete one of its rows.")
    return listed
