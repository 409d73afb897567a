"""Processes of the explorer that do for it what must not happen in its own, and how it talks to them: through pipes."""

import os
import struct
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

import mangrove

#: Bytes that a message has, before the message.
LENGTH = struct.Struct("<q")


def started(module: str, **options) -> subprocess.Popen:
    """Python that runs a module of this package, with pipes to its standard input and from its standard output.

    Parameters
    ----------
    module : str
        'mangrove.explorer.reading_worker'.
    **options
        Of :class:`subprocess.Popen`.
    """
    package = str(Path(mangrove.__file__).parents[1])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        **options,
    )


def ended(process: subprocess.Popen) -> None:
    """End a process that :func:`started` has started, at once, and close its pipes."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        try:
            pipe.close()
        except OSError:
            # What could not be sent to a process that has ended.
            continue
    process.wait()


def pipes_of_worker() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of the process that runs this: messages come from the first, replies go to the second.

    What a library prints goes to standard error from now on, lest it get among the replies.
    """
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, replies


def objects_to(pipe: BinaryIO) -> Connection:
    """Python's own way of passing objects to another process, through a pipe; only for what this package itself packs."""
    return Connection(os.dup(pipe.fileno()), readable=False)


def objects_from(pipe: BinaryIO) -> Connection:
    """The other end of :func:`objects_to`."""
    return Connection(os.dup(pipe.fileno()), writable=False)


def received(pipe: BinaryIO, most: int) -> bytes | None:
    """The next message of a pipe; None where it has ended, or the message is longer than what is taken."""
    head = pipe.read(LENGTH.size)
    n = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else -1
    content = pipe.read(n) if 0 <= n <= most else b""
    return content if len(content) == n else None


def send(pipe: BinaryIO, content: bytes) -> None:
    """Write a message to a pipe."""
    pipe.write(LENGTH.pack(len(content)) + content)
    pipe.flush()
