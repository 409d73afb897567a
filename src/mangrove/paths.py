"""Paths as a user writes them: one rule for every key of the configuration and every argument of a command.

``~`` and ``$NAME`` are expanded as in a shell, an absolute path may begin with ``file://``, and a relative path starts
from the working folder.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

_SERVER = ("http://", "https://")
#: An address that lacks a slash would be read as a path below a folder 'https:'.
_BROKEN = re.compile(r"(https?|file):(?!//)", re.IGNORECASE)
_UNSET = re.compile(r"\$(\w+|\{[^}]*\})")


def local(value: str) -> str:
    """A path on this machine, with ``~`` and ``$NAME`` replaced; empty stays empty.

    Raises
    ------
    ValueError
        If it is an address on a server or ``file://`` before a relative path, or names a user or a variable that does
        not exist.
    """
    if value.startswith("file://"):
        return _of_file_address(value)
    if "://" in value:
        raise ValueError("must be a path on this machine (an absolute one may begin with file://)")
    return _expanded(value)


def address(value: str) -> str:
    """Likewise, or an address on a server, which stays as it is; ``file://`` stays before a path that has it.

    Raises
    ------
    ValueError
        As :func:`local`, and for addresses of another kind or without a host.
    """
    if value.startswith(_SERVER):
        _demand_host(value)
        return value
    if value.startswith("file://"):
        return Path(_of_file_address(value)).as_uri()
    if "://" in value:
        raise ValueError("must be https://, http://, file:// or a path")
    return _expanded(value)


def below(base: str, path: str) -> str:
    """Address of ``path`` below ``base``; of ``path`` alone if that is absolute, begins with ``~`` or is an address."""
    path = address(path)
    return path if "://" in path or Path(path).is_absolute() else f"{base.rstrip('/')}/{path}"


def _demand_host(value: str) -> None:
    try:
        parts = urlsplit(value)
        there = bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets and ports
        there = False
    if not there:
        raise ValueError("must name a server: https://HOST/ or https://HOST:PORT/")


def _of_file_address(value: str) -> str:
    parts = urlsplit(value)
    text = unquote(parts.path)
    if parts.netloc.startswith("~"):
        text = parts.netloc + text
    elif parts.netloc not in ("", "localhost"):
        raise ValueError(f"file:// must be followed by an absolute path: file:///{parts.netloc}{text}")
    return _expanded(text[1:] if text.startswith("/~") else text)


def _expanded(value: str) -> str:
    if value.strip() not in ("", value):
        raise ValueError("must not begin or end with a space")
    if broken := _BROKEN.match(value):
        raise ValueError(f"must have two slashes after {broken[0]} (file:///folder is an absolute path)")
    if not value.startswith("~") and "$" not in value:
        return value
    expanded = os.path.expandvars(value)
    if unset := _UNSET.search(expanded):
        raise ValueError(f"the variable {unset[0]} is not set; set it, or write the path in full")
    try:
        return str(Path(expanded).expanduser())
    except RuntimeError:
        home = expanded.partition("/")[0]
        raise ValueError(f"there is no home folder {home}; write the path in full") from None
