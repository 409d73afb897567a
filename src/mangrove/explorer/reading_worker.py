"""The process that reads uploads: bytes come in, arrays go out; it writes no files, and its memory is limited.

It is a process of its own because damaged HDF5 can end the C library that reads it, or keep it busy for ever; then this
process ends and the explorer does not. What it may read is not limited: that no upload leads it to other files is up to
the readers (:mod:`mangrove.notebook.spectrum_file`), which refuse HDF5 that points to them. Run by :mod:`mangrove.explorer.reading_process`.
"""

import io
import json
import os
import resource
import struct
import sys
from typing import Any, BinaryIO

import numpy as np
from astropy import units as u

from mangrove.errors import SpectrumError
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.notebook.spectrum_file import parse_spectrum

#: Bytes that a message has, before the message.
LENGTH = struct.Struct("<q")
#: Address space of the process, bytes: what the libraries take, and some 3 GB for an upload.
_MAX_MEMORY = 4 << 30


def packed_spectrum(read: SpectrumFile) -> bytes:
    """A spectrum as plain arrays (npz) with units as text."""
    about: dict[str, Any] = {}
    arrays = {}
    for name, value in read._asdict().items():
        if isinstance(value, u.Quantity):
            about[name], arrays[name] = {"unit": value.unit.to_string()}, value.value
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            about[name] = value
    file = io.BytesIO()
    np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
    return file.getvalue()


def unpacked_spectrum(content: bytes) -> SpectrumFile:
    """What :func:`packed_spectrum` packed; no pickles are read."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        about = json.loads(found["about"].tobytes())
        arrays = {name: found[name] for name in found.files if name != "about"}
    values = {name: value for name, value in about.items() if name not in arrays}
    for name, array in arrays.items():
        values[name] = array * u.Unit(about[name]["unit"]) if name in about else array
    return SpectrumFile(**values)


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


def answer(content: bytes) -> bytes:
    """A spectrum after an 'S', or after an 'E' what is wrong with the bytes."""
    try:
        return b"S" + packed_spectrum(parse_spectrum(content))
    except SpectrumError as error:
        return b"E" + str(error).encode("utf-8", "replace")


def _limited() -> None:
    """No more memory than an upload needs, no writing of files, no core dumps."""
    for limit, value in (
        (resource.RLIMIT_AS, _MAX_MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def main() -> None:
    """Answer messages of standard input until it ends."""
    replies = os.fdopen(os.dup(1), "wb")
    # What a library prints must not get among the replies.
    os.dup2(2, 1)
    _limited()
    while (content := received(sys.stdin.buffer, 1 << 40)) is not None:
        send(replies, answer(content))


if __name__ == "__main__":
    main()
