"""Folders of trainings in progress: a killed job goes on from them, a finished one leaves its results and nothing else."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mangrove.models.training import model_folder
from mangrove.whole_files import whole_file, write_whole_text

log = logging.getLogger(__name__)


def train_or_give_reason(
    train: Callable[[Path], Any], reason: str, made_from: Mapping[str, Any], folder: Path, metrics: Path
) -> None:
    """Train a network of a run and put its model and metrics in their places, or say there why there is none.

    A killed training goes on from what it left in ``checkpoints`` beside ``folder``.

    Parameters
    ----------
    train : callable
        Trains in the folder that it is given: writes ``model`` and ``metrics.jsonl`` there.
    reason : str
        Why there is too little to train on; empty where there is enough.
    made_from : mapping
        See :func:`work_folder`.
    folder : Path
        Model folder to write; without a model, and with the reason, where there is one.
    metrics : Path
        File of the losses by epoch (JSON lines) to write; empty where nothing is trained.
    """
    if reason:
        log.warning("nothing trained: %s", reason)
        model_folder.save_empty(folder, reason, {"made_from": dict(made_from)})
        write_whole_text(metrics, "")
        return
    work = work_folder(folder.parent / "checkpoints", made_from)
    train(work)
    publish(work, folder, metrics)


def work_folder(place: Path, made_from: Mapping[str, Any]) -> Path:
    """The folder of a training under ``place``; its name says what it is made from: other code or settings start again.

    Parameters
    ----------
    made_from : mapping
        Plain values: the params of the rule, with its code hash, and the content hashes of its inputs.
    """
    return place / hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def publish(work: Path, folder: Path, metrics: Path) -> None:
    """Put model and metrics of a finished training in their places, and remove its folder and those beside it.

    A kill at any point loses nothing: until the checkpoints are removed as a whole, what is missing is made from them again.
    """
    with whole_file(metrics) as part:
        shutil.copyfile(work / "metrics.jsonl", part)
    shutil.rmtree(folder, ignore_errors=True)
    (work / "model").rename(folder)
    remove(work.parent)


def remove(place: Path) -> None:
    """Remove the folders of trainings under ``place``, if it is there.

    Half-removed ones could not be read: they lose their name first.
    """
    done = place.with_name(f"{place.name}.done")
    shutil.rmtree(done, ignore_errors=True)
    if place.is_dir():
        place.rename(done)
        shutil.rmtree(done)
