"""Fits that a chunk of galaxies need not make again: finished ones, of the same inputs, params and code.

Snakemake remakes all outputs of a job, and removes those of one that failed. So what is finished waits in a folder of
its own beside the outputs until the whole chunk is done; a job that is killed or fails leaves it there for the next.
"""

import json
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mangrove import artefacts
from mangrove.artefacts import Provenance
from mangrove.errors import ArtefactError

#: Of the folder, which lies beside the outputs. Names in it do not end in .h5: they are not yet results of the run.
FOLDER = ".finished"


class GalaxyTask(NamedTuple):
    """The fit of one galaxy.

    Attributes
    ----------
    extract, fit : Path
        Of the artefact to read, and of that to write.
    params : dict
        What the artefact 'fit' records: those of the rule, with z and ebv of this galaxy.
    """

    extract: Path
    fit: Path
    params: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the galaxy."""
        return self.fit.stem

    @property
    def provenance(self) -> Provenance:
        """What makes the artefact 'fit', as it is now."""
        return artefacts.provenance(self.fit, self.params, [self.extract])

    @property
    def finished(self) -> Path:
        """Where the artefact 'fit' waits for the rest of its chunk."""
        return self.fit.parent / FOLDER / self.name


def tasks_of(extracts, fits, params: Mapping[str, Any]) -> list[GalaxyTask]:
    """The fits of a chunk.

    Parameters
    ----------
    extracts, fits : sequence of path-like
        In one order; the names of the fits are those of the galaxies.
    params : mapping
        Those of the rule, with z and ebv by galaxy.
    """
    shared = dict(params.items())
    tasks = []
    for extract, fit in zip(map(Path, extracts), map(Path, fits), strict=True):
        own = {key: shared[key][fit.stem] for key in ("z", "ebv")}
        tasks.append(GalaxyTask(extract, fit, shared | own))
    return tasks


def set_aside(task: GalaxyTask) -> bool:
    """Whether a galaxy's fit is finished; if so, it waits with others for the end of the job."""
    if is_current(task.finished, task):
        return True
    if not is_current(task.fit, task):
        return False
    task.finished.parent.mkdir(parents=True, exist_ok=True)
    os.replace(task.fit, task.finished)
    return True


def put_in_place(tasks: Sequence[GalaxyTask]) -> None:
    """Give finished fits their final names, all or, where one is missing, none."""
    if missing := [task.name for task in tasks if not task.finished.is_file()]:
        raise ArtefactError(f"the finished fits of {', '.join(missing)} have gone from {FOLDER}; run again")
    for task in tasks:
        os.replace(task.finished, task.fit)


def forget_others(fits: Path, names: Collection[str]) -> None:
    """Delete finished fits of galaxies that the run no longer has, and their folder where it is left empty.

    Only while no job runs: one that is about to write there would miss the folder.

    Parameters
    ----------
    fits : Path
        Folder of the artefacts 'fit'.
    names : collection of str
        Galaxies of the run.
    """
    folder = fits / FOLDER
    if not folder.is_dir():
        return
    left = [path for path in folder.iterdir() if path.name in names]
    if not left:
        shutil.rmtree(folder)
        return
    for path in {*folder.iterdir()} - {*left}:
        path.unlink()


def is_current(path: Path, task: GalaxyTask) -> bool:
    """Whether a file is the undamaged fit that a task would make."""
    try:
        with artefacts.opened(path, "fit") as f:
            made_of = json.loads(f.attrs["params"]), json.loads(f.attrs["inputs"])
            wanted = task.provenance
            same = made_of == tuple(json.loads(json.dumps(dict(one))) for one in (wanted.params, wanted.inputs))
            return same and artefacts.content_hash(f) == f.attrs["content_hash"]
    except (ArtefactError, KeyError, OSError, ValueError):
        return False
