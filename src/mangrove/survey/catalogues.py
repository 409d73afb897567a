"""Catalogues beside drpall: active nuclei and visual morphology, joined to the galaxies by plateifu."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from astropy.io.registry import IORegistryError
from astropy.table import Table

from mangrove.config import Survey
from mangrove.errors import CatalogueError
from mangrove.survey import releases
from mangrove.survey.download import fetch, in_mirror, local_path
from mangrove.survey.releases import Release
from mangrove.survey.sample import Galaxy
from mangrove.survey.transfer import Patience

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
    url = address if "://" in address or Path(address).is_absolute() else releases.address(survey.base, address)
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


def join_agn(galaxies: Iterable[Galaxy], path: str | Path) -> list[Galaxy]:
    """Galaxies with the AGN flags of a catalogue: 1, or 0 where the catalogue does not list them.

    Parameters
    ----------
    path : path-like
        Table in the layout of Comerford et al. (2020), whose MANGAID holds ``manga-<plateifu>``.

    Raises
    ------
    CatalogueError
        If the file cannot be read or lacks columns.
    """
    table = _read(path)
    names = _names(table, path)
    flags = {ours: np.asarray(_column(table, (theirs,), path)).astype(bool) for ours, theirs in _AGN_FLAGS.items()}
    radio = _text(table[_RADIO_CLASS]) if _RADIO_CLASS in table.colnames else np.full(len(table), "")
    rows = {name: i for i, name in enumerate(names)}

    def flagged(galaxy: Galaxy) -> Galaxy:
        i = rows.get(galaxy.plateifu)
        if i is None:
            return replace(galaxy, **dict.fromkeys(_AGN_FLAGS, 0))
        return replace(galaxy, radio_class=radio[i], **{ours: int(flag[i]) for ours, flag in flags.items()})

    return [flagged(galaxy) for galaxy in galaxies]


def join_morphology(galaxies: Iterable[Galaxy], path: str | Path) -> list[Galaxy]:
    """Galaxies with the Hubble type of a catalogue; empty where it has none.

    Parameters
    ----------
    path : path-like
        Table with a column PLATEIFU, NAME or MANGAID (``manga-<plateifu>`` or the bare plateifu) and a column TYPE,
        HUBBLE_TYPE or MORPH, in upper or lower case (the MaNGA Visual Morphology catalogue has NAME and TYPE).

    Raises
    ------
    CatalogueError
        If the file cannot be read or lacks columns.
    """
    table = _read(path)
    types = dict(zip(_names(table, path), _text(_column(table, _TYPES, path)), strict=True))
    unknown = {"-", "0", "nan"}
    found = {name: value for name, value in types.items() if value not in unknown}
    return [replace(galaxy, morphology=found.get(galaxy.plateifu, "")) for galaxy in galaxies]


def _read(path: str | Path) -> Table:
    try:
        table = Table.read(path)
    except (OSError, ValueError, TypeError, IORegistryError) as error:
        reason = str(error).splitlines()[0]
        raise CatalogueError(f"{path} cannot be read as a table ({reason}); give a FITS or ECSV table.") from error
    table.rename_columns(table.colnames, [name.upper() for name in table.colnames])
    return table


def _names(table: Table, path) -> list[str]:
    names = [name.removeprefix("manga-") for name in _text(_column(table, _NAMES, path))]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise CatalogueError(f"{path} lists {twice} twice; delete one of its rows.")
    return names


def _column(table: Table, candidates: Sequence[str], path):
    name = next((c for c in candidates if c in table.colnames), None)
    if name is None:
        raise CatalogueError(
            f"{path} has no column {' or '.join(candidates)}; its columns are {', '.join(table.colnames)}."
        )
    return table[name]


def _text(column) -> list[str]:
    values = np.ma.filled(np.ma.asarray(column), "") if np.ma.isMaskedArray(column) else np.asarray(column)
    return [(v.decode() if isinstance(v, bytes) else str(v)).strip() for v in values.tolist()]
