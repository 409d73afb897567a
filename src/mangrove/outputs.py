"""Files that commands write: only a command's own earlier product is ever replaced, and in one step."""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
from astropy.io import fits
from astropy.utils.data import get_readable_fileobj

from mangrove import artefacts
from mangrove.errors import OutputError


def check(
    target: Path, is_own: Callable[[Path], bool], product: str, inputs: Iterable[str | Path] = (), force: bool = False
) -> None:
    """Refuse to replace a file that the command did not write itself, or that it reads.

    Parameters
    ----------
    target : Path
        The file to be written.
    is_own : callable
        Whether an existing file is an earlier product of the command.
    product : str
        What it writes, for the error: 'a sample sheet as written by mangrove select'.
    inputs : iterable of path-like
        What it reads.
    force : bool
        Whether the user wants it replaced anyway.

    Raises
    ------
    OutputError
        If the target is a folder, or exists and must not be replaced.
    """
    if target.is_dir():
        raise OutputError(f"{target} is a folder; give the name of a file to write.")
    place = next(parent for parent in target.absolute().parents if parent.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise OutputError(f"{target} cannot be written: {place} is not a folder that you can write to.")
    if force or not target.exists():
        return
    if any(Path(source).exists() and target.samefile(source) for source in inputs):
        raise OutputError(
            f"{target} is an input of this command and would be replaced by its output. Check the order of the arguments, "
            "or give another name for the output (--force replaces it anyway)."
        )
    if not is_own(target):
        raise OutputError(
            f"{target} already exists and is not {product}, so it was not replaced. Give another name, move the file away, "
            "or add --force."
        )


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """A temporary name beside a file, renamed to it when the block ends without error; its folder is made.

    Raises
    ------
    OutputError
        If the file cannot be written there.
    """
    # A link stays a link: what it points to is replaced.
    target = Path(os.path.realpath(target))
    # The end of the name stays: astropy recognises formats by it.
    part = target.with_name(f".{uuid.uuid4().hex}.part.{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error}).") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def is_artefact(path: Path, kind: str) -> bool:
    """Whether a file is an artefact of a kind as a command left it; those of the workflow's rules have a code hash."""
    try:
        with h5py.File(path, "r") as f:
            if f.attrs.get("kind") != kind or '"code"' in str(f.attrs.get("params")):
                return False
            # Artefacts hold datasets with units: anything else belongs to the user.
            whole = all(isinstance(item, h5py.Dataset) for item in f.values())
            return whole and artefacts.content_hash(f) == f.attrs.get("content_hash")
    except (OSError, KeyError):
        return False


def is_fits(path: Path, suits: Callable[[fits.Header], bool]) -> bool:
    """Whether a file is FITS and its first header suits."""
    try:
        # The header alone: of an HDU, astropy counts up to any number of axes.
        with get_readable_fileobj(str(path), encoding="binary") as file:
            return suits(fits.Header.fromfile(file))
    except (OSError, ValueError, IndexError):
        return False
