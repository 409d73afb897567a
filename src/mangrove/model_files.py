"""The two files of a trained model, a description and arrays, which hashes hold together."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DESCRIPTION, ARRAYS = "model.json", "arrays.npz"


def text_hash(content: Mapping[str, Any]) -> str:
    """sha256 of a description without its own hash."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """sha256 of the bytes of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def model_folders(run: Path) -> list[Path]:
    """All folders of trained models of a run, sorted; none that is being written."""
    folders = (path.parent for path in sorted(run.rglob(DESCRIPTION)))
    return [folder for folder in folders if not folder.name.endswith(".part")]


def damage(folder: Path) -> str:
    """What is wrong with the files of a model, with the path; empty where they are as they were written."""
    path, arrays = folder / DESCRIPTION, folder / ARRAYS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        recorded, of_arrays = content.pop("sha256"), content["arrays"][ARRAYS]
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        return f"{path}: cannot be read as the description of a model ({type(error).__name__}: {error})"
    if text_hash(content) != recorded:
        return f"{path}: content differs from its recorded hash"
    if not arrays.is_file():
        return f"{arrays}: is missing"
    if file_hash(arrays) != of_arrays:
        return f"{arrays}: content differs from the hash that {DESCRIPTION} has recorded"
    return ""
