"""What the code hash needs of a source file, kept in the user's cache: parsing them all takes a second of each start."""

import hashlib
import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mangrove import source_files
from mangrove.source_files import essential_source, read_source
from mangrove.user_cache import user_cache
from mangrove.whole_files import write_whole_text

#: Files that are remembered, those that were asked for last.
_MOST = 3000


class Gist(NamedTuple):
    """What counts of a source file.

    Attributes
    ----------
    essence : str
        Hash of the source without comments, docstrings and blank lines.
    imports, codes, resources : frozenset of str
        As :class:`mangrove.source_files.SourceFile`.
    """

    essence: str
    imports: frozenset[str]
    codes: frozenset[str]
    resources: frozenset[str]


@cache
def gist(path: Path) -> Gist:
    """What counts of a source file: remembered by its content, else found."""
    content = hash_of(path.read_text(encoding="utf-8"))
    memory = _memory()
    if content in memory.known:
        # The last ones asked for are at the end.
        memory.known[content] = known = memory.known.pop(content)
        return Gist(known[0], *map(frozenset, known[1:]))
    source = read_source(path)
    found = Gist(hash_of(essential_source(path)), source.imports, source.codes, source.resources)
    memory.known[content] = [found.essence, *map(sorted, found[1:])]
    memory.new.append(content)
    return found


def remember() -> None:
    """Write what was found to the user's cache; where that cannot be, it will be found again."""
    memory = _memory()
    if memory.new:
        memory.new.clear()
        known = json.dumps(list(memory.known.items())[-_MOST:])
        with suppress(OSError):
            write_whole_text(_file(), f"{_signature(known)}\n{known}")


def hash_of(text: str) -> str:
    """SHA-256 of a text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class _Memory(NamedTuple):
    """Gists as lists by the hash of the file's content, and which of them are not written yet."""

    known: dict[str, list]
    new: list[str]


@cache
def _memory() -> _Memory:
    with suppress(OSError, ValueError):
        signature, known = _file().read_text(encoding="ascii").split("\n", 1)
        if signature == _signature(known):
            return _Memory(dict(json.loads(known)), [])
    return _Memory({}, [])


def _file() -> Path:
    return user_cache() / "mangrove" / "sources.json"


def _signature(known: str) -> str:
    """Of what is remembered, and of the code that found it: neither damage nor another version passes for it."""
    code = (Path(module).read_text(encoding="utf-8") for module in (source_files.__file__, __file__))
    return hash_of("\n".join([*code, known]))
