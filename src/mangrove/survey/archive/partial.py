"""Part files: what has arrived of a file, kept beside its final name until it is whole, over killed runs too."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PIECE = 1 << 20


class Origin(NamedTuple):
    """Which version of which file a part belongs to.

    Attributes
    ----------
    url : str
    validator : str
        The server's mark of the version (a strong ETag, or Last-Modified).
    length : int or None
        Of the whole file, bytes; None if the server did not say.
    """

    url: str
    validator: str
    length: int | None


class Partial:
    """An open part file that no other process writes; get one from :func:`opened`."""

    def __init__(self, file, path: Path, sidecar: Path):
        self._file, self._path, self._sidecar = file, path, sidecar
        self.published = False

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        self._file.flush()
        return os.fstat(self._file.fileno()).st_size

    def origin(self) -> Origin | None:
        """Where the part comes from; None if that is unknown."""
        try:
            return Origin(**json.loads(self._sidecar.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def restart(self, origin: Origin | None) -> None:
        """Empty the part, to download the file from the start; ``origin`` None: it cannot be resumed."""
        self._sidecar.unlink(missing_ok=True)
        self.truncate(0)
        if origin is not None:
            self._sidecar.write_text(json.dumps(origin._asdict()), encoding="utf-8")

    def truncate(self, size: int) -> None:
        """Keep the first bytes and go on after them."""
        self._file.truncate(size)
        self._file.seek(size)

    def write(self, piece) -> None:
        """Append."""
        self._file.write(piece)

    def pieces(self, size: int) -> Iterator[bytes]:
        """The first bytes, piece by piece; once all are taken, :meth:`write` goes on after them."""
        self._file.seek(0)
        while size and (piece := self._file.read(min(size, _PIECE))):
            size -= len(piece)
            yield piece

    def publish(self, target: Path) -> None:
        """Give the part its final name, on disk before it is seen."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._sidecar.unlink(missing_ok=True)
        os.replace(self._path, target)
        self.published = True
        _sync_folder(target.parent)

    def discard(self) -> None:
        """Delete the part."""
        self._sidecar.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)


@contextmanager
def opened(target: Path) -> Iterator[Partial]:
    """The part of a target, locked; where another process holds it, one of our own that is not kept.

    The part is ``.NAME.partial`` and its origin ``.NAME.partial.json``. They do not end in ``.part``, so
    :func:`mangrove.artefacts.sweep` leaves them for the next run, which goes on where this one was killed.
    """
    path = target.with_name(f".{target.name}.partial")
    sidecar = target.with_name(f".{target.name}.partial.json")
    file = _locked(path)
    kept = file is not None
    if file is None:
        unique = uuid.uuid4().hex
        path, sidecar = (target.with_name(f".{target.name}.{unique}{end}") for end in (".part", ".json.part"))
        file = path.open("x+b")
    with file:
        part = Partial(file, path, sidecar)
        try:
            yield part
        finally:
            if not part.published and not (kept and part.size and part.origin()):
                part.discard()


def _locked(path: Path):
    """The file opened to read and write and locked by this process; None if another one holds it."""
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have renamed or deleted it between opening and locking.
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        except FileNotFoundError:
            pass
        except OSError:  # held by another process, or a file system without locks
            file.close()
            return None
        file.close()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
