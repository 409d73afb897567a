"""Folders of trained models: one JSON file and one file of arrays, no pickles, both held together by hashes."""

import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import jax
import numpy as np
from flax import nnx

from mangrove.errors import ModelError, TrainingError
from mangrove.model_files import ARRAYS, DESCRIPTION, file_hash, text_hash
from mangrove.whole_files import sync

#: Raised when the layout or the meaning of a folder changes: since 2 lines have the names of the line list.
FORMAT = 2
#: Kind of a folder without a model, as there was too little to train on; its description holds the ``reason``.
EMPTY = "empty"


class ModelFolder(NamedTuple):
    """What a model folder holds: plain values (architecture, normalisation, provenance, ...) and arrays by name."""

    description: dict[str, Any]
    arrays: dict[str, np.ndarray]


def save(folder: Path, kind: str, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model folder; it gets its name when it is whole, in the place of an older one.

    Parameters
    ----------
    folder : Path
    kind : str
        Which of the project's models it is.
    description : mapping
        Plain values that JSON knows.
    arrays : mapping of str to ndarray
    """
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    part.mkdir(parents=True)
    try:
        np.savez(part / ARRAYS, allow_pickle=False, **{name: np.asarray(values) for name, values in arrays.items()})
        content = {"kind": kind, "format": FORMAT, **description, "arrays": {ARRAYS: file_hash(part / ARRAYS)}}
        content["sha256"] = text_hash(content)
        (part / DESCRIPTION).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for name in (ARRAYS, DESCRIPTION):
            sync(part / name)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def save_empty(folder: Path, reason: str, training: Mapping[str, Any]) -> None:
    """Write a folder that says why there is no model, and from what it would have been made (plain values)."""
    save(folder, EMPTY, {"reason": reason, "training": dict(training)}, {})


def reason_if_empty(folder: Path) -> str:
    """Why a folder holds no model; empty where it holds one.

    Raises
    ------
    ModelError
        If the folder is incomplete.
    """
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise ModelError(f"{path} is missing: {folder} is not a complete model folder. {_REMAKE}")
    content = _read_json(path)
    return content["reason"] if content.get("kind") == EMPTY else ""


def load(folder: Path, kind: str) -> ModelFolder:
    """Read a model folder.

    Raises
    ------
    ModelError
        If a file is missing, was altered, or the folder is of another kind or format.
    """
    for path in (folder / DESCRIPTION, folder / ARRAYS):
        if not path.is_file():
            raise ModelError(f"{path} is missing: {folder} is not a complete model folder. {_REMAKE}")
    content = _read_json(folder / DESCRIPTION)
    if content.pop("sha256", None) != text_hash(content):
        raise ModelError(f"{folder / DESCRIPTION} was altered after training (its sha256 does not match). {_REMAKE}")
    with understood(folder):
        return _checked(folder, kind, content)


@contextmanager
def understood(folder: Path) -> Iterator[None]:
    """Turn what a description or arrays of another layout make fail into an error that names the folder.

    Raises
    ------
    ModelError
        If a value is missing, or of another type, shape or size than the model needs.
    """
    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        OSError,
        BadZipFile,
        TrainingError,
    ) as error:
        raise ModelError(
            f"{folder} is not laid out as this model is ({type(error).__name__}: {error}). {_REMAKE}"
        ) from error


def _checked(folder: Path, kind: str, content: dict[str, Any]) -> ModelFolder:
    """The folder of an unaltered description, if it is of the kind and its arrays are its own."""
    if content["kind"] == EMPTY:
        raise ModelError(f"{folder} holds no model: {content['reason']}.")
    if (content["kind"], content["format"]) != (kind, FORMAT):
        raise ModelError(
            f"{folder} holds a model of kind {content['kind']}, format {content['format']}; "
            f"{kind}, format {FORMAT}, is needed. {_REMAKE}"
        )
    training = content.get("training", {})
    if not isinstance(training, dict):
        raise ModelError(f"training is {training!r:.200}; keys with values are needed. {_REMAKE}")
    if content["arrays"][ARRAYS] != file_hash(folder / ARRAYS):
        raise ModelError(f"{folder / ARRAYS} does not belong to its model.json (another sha256). {_REMAKE}")
    with np.load(folder / ARRAYS, allow_pickle=False) as f:
        return ModelFolder(content, {name: f[name] for name in f.files})


def demand_arrays(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that there are these arrays, of real numbers and of these shapes, and no others.

    Raises
    ------
    ModelError
        If they differ.
    """
    wrong = sorted(
        name
        for name in {*arrays, *shapes}
        if name not in arrays or arrays[name].dtype.kind != "f" or shapes.get(name) != arrays[name].shape
    )
    if wrong:
        raise ModelError(f"the arrays {', '.join(wrong)} do not fit the description in model.json. {_REMAKE}")


def demand_known(name: str, value: Any, known: Collection[str]) -> None:
    """Check that a word of a description is known: computing with another one would be computing something else.

    Raises
    ------
    ModelError
        If it is not.
    """
    if value not in known:
        raise ModelError(f"{name} is {value!r}; known are {', '.join(known)}. {_REMAKE}")


def demand_boolean(name: str, value: Any) -> None:
    """Check that a value of a description is true or false.

    Raises
    ------
    ModelError
        If it is anything else, which Python would take for one of both.
    """
    if not isinstance(value, bool):
        raise ModelError(f"{name} is {value!r:.200}; true or false is needed. {_REMAKE}")


def demand_lines(lines: Any, n_line: int) -> None:
    """Check that a description names a model's lines.

    Raises
    ------
    ModelError
        If it is no list of so many names.
    """
    if not isinstance(lines, list) or len(lines) != n_line or not all(isinstance(name, str) for name in lines):
        raise ModelError(f"lines are {lines!r:.200}; {n_line} names are needed. {_REMAKE}")


def named_arrays(state: nnx.State) -> dict[str, np.ndarray]:
    """Arrays of a network's state by path, such as ``layers/0/kernel``."""
    return {name: np.asarray(leaf) for name, leaf in _leaves(state).items()}


def fill(state: nnx.State, arrays: Mapping[str, np.ndarray]) -> nnx.State:
    """A state (its values may be abstract) filled with ``arrays`` (see :func:`named_arrays`).

    Raises
    ------
    ModelError
        If names, shapes or types differ.
    """
    wanted = _leaves(state)
    differing = sorted(
        name
        for name in set(wanted) | set(arrays)
        if name not in wanted
        or name not in arrays
        or (wanted[name].shape, wanted[name].dtype) != (arrays[name].shape, arrays[name].dtype)
    )
    if differing:
        raise ModelError(f"the arrays {', '.join(differing)} do not fit the architecture in model.json. {_REMAKE}")
    tree = jax.tree.structure(nnx.to_pure_dict(state))
    filled = jax.tree.map(lambda leaf: leaf, state)
    nnx.replace_by_pure_dict(filled, jax.tree.unflatten(tree, [jax.numpy.asarray(arrays[name]) for name in wanted]))
    return filled


def _leaves(state: nnx.State) -> dict[str, Any]:
    """Leaves by path, in the order of the tree."""
    leaves = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(state))[0]
    return {"/".join(str(part.key) for part in path): leaf for path, leaf in leaves}


_REMAKE = "Train the model again."


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON ({error}). {_REMAKE}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no description of a model. {_REMAKE}")
    return content
