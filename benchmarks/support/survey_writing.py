"""A survey written in a process of its own, whose time, memory and disk are what it takes."""

import multiprocessing
import resource
import sys
from pathlib import Path
from typing import NamedTuple

from support.results import seconds

#: The artefact that is written last.
_LAST = Path("autoencoder", "vae", "agn.h5")


class Writing(NamedTuple):
    """What writing took: seconds, peak of memory in GB, and the size of the run on disk, GB."""

    seconds: float
    memory: float
    disk: float


def written(folder: Path, n_galaxy: int, n_baxel: int, seed: int, like: Path | None) -> Writing | None:
    """Write a run (:func:`support.survey_artefacts.write_run`) unless it is there; None if it was.

    Raises
    ------
    ValueError
        If the run that is there has another size.
    """
    if (folder / _LAST).is_file():
        _check_size(folder, n_galaxy, n_baxel)
        return None
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_write, (folder, n_galaxy, n_baxel, seed, like))


def _check_size(folder: Path, n_galaxy: int, n_baxel: int) -> None:
    from mangrove import artefacts
    from mangrove.data_model import LABELS

    with artefacts.opened(folder / LABELS.path, "labels") as file:
        found = len(file["plateifu"]), len(file["galaxy"])
    if found != (n_galaxy, n_baxel):
        raise ValueError(f"{folder} has {found[0]} galaxies and {found[1]} baxels: delete it, or give another --run.")


def _write(folder: Path, n_galaxy: int, n_baxel: int, seed: int, like: Path | None) -> Writing:
    from support.survey_artefacts import write_run

    taken = seconds(write_run, folder, n_galaxy, n_baxel, seed, like)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    return Writing(taken, memory, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9)
