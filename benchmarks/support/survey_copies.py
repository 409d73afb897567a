"""Galaxies of a real run at the head of a simulated survey: their bins, fits and line cubes are copied, their labels kept."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from support.survey_baxels import BaxelBlock, line_columns
from support.survey_galaxies import Galaxies, splits

from mangrove import artefacts
from mangrove.data_model import KINDS
from mangrove.survey.galaxy import AGN_FLAGS

#: Artefacts of one galaxy.
_OF_GALAXY = ("extract", "fit", "line_cube", "truth")
_EMULATOR = Path("emulator", "model")


class Copied(NamedTuple):
    """The galaxies of a real run and all their baxels.

    Attributes
    ----------
    run : Path
    galaxies : Galaxies
    baxels : BaxelBlock
    spaxel_count : ndarray of int, shape (n_galaxy, n_status)
    """

    run: Path
    galaxies: Galaxies
    baxels: BaxelBlock
    spaxel_count: np.ndarray


def first_galaxies(run, n: int, seed: int) -> Copied:
    """The first galaxies of a run that have fits, so many at most.

    Raises
    ------
    ArtefactError
        If the run's labels or extracts are missing or damaged.
    ValueError
        If its fits have other lines than the list.
    """
    run = Path(run)
    table = artefacts.read(path_of(run, "labels"), "labels")
    if tuple(table["line"]) != line_columns()[0].name:
        raise ValueError(f"{run} was fitted with other lines than those of the list; run it again.")
    index = np.flatnonzero(table["n_baxel_of_galaxy"] > 0)[:n]
    rows = np.flatnonzero(np.isin(table["galaxy"], index))
    per_row = [name for name, field in KINDS["labels"].fields.items() if field.dims[0] == "row" and name != "galaxy"]
    columns = {name: table[name][rows] for name in per_row}
    galaxies = _described(run, table, index, seed)
    block = BaxelBlock(np.searchsorted(index, table["galaxy"][rows]), columns)
    return Copied(run, galaxies, block, table["spaxel_count"][index])


def copy_files(copied: Copied, folder: Path) -> list[Path]:
    """Copy the artefacts of the galaxies and the emulator's model into a run; gives the fits."""
    for name in copied.galaxies.plateifu.tolist():
        for kind in _OF_GALAXY:
            source = path_of(copied.run, kind, plateifu=name)
            if source.is_file():
                target = path_of(folder, kind, plateifu=name)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    if (copied.run / _EMULATOR).is_dir():
        shutil.copytree(copied.run / _EMULATOR, folder / _EMULATOR, dirs_exist_ok=True)
    return [path_of(folder, "fit", plateifu=name) for name in copied.galaxies.plateifu.tolist()]


def joined(one: Galaxies, other: Galaxies) -> Galaxies:
    """The galaxies of both, one after the other."""
    return Galaxies(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))


def path_of(run: Path, kind: str, **wildcards: str) -> Path:
    """Where an artefact of a run lies."""
    return run / KINDS[kind].path.format(**wildcards)


def _described(run: Path, table: artefacts.Artefact, index: np.ndarray, seed: int) -> Galaxies:
    """What the galaxies are; types and masses, which no artefact has, as those of galaxies in the middle."""
    names = table["plateifu"][index]
    extracts = [artefacts.read(path_of(run, "extract", plateifu=name), "extract", ["signal"]) for name in names]
    about = {key: np.array([e.attrs[key] for e in extracts], float) for key in ("r_e", "ba", "pa")}
    first = np.searchsorted(table["galaxy"], index)
    return Galaxies(
        plateifu=names,
        mangaid=table["mangaid"][index],
        kind=np.full(index.size, 0.5),
        log_mass=np.full(index.size, 10.45),
        z=table["z"][index],
        **about,
        ra=table["ra"][first],
        dec=table["dec"][first],
        half_width=np.array([len(e["signal"]) // 2 for e in extracts]),
        active=np.zeros((index.size, len(AGN_FLAGS)), np.int8),
        radio_class=np.full(index.size, ""),
        split=splits(table["mangaid"][index], seed),
        n_baxel=table["n_baxel_of_galaxy"][index].astype(int),
    )
