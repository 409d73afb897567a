"""The process that reads uploads: bytes come in, arrays go out; it writes no files, and its memory is limited.

It is a process of its own because damaged HDF5 can end the C library that reads it, or keep it busy for ever; then this
process ends and the explorer does not. What it may read is not limited: that no upload leads it to other files is up to
the readers (:mod:`mangrove.notebook.spectrum_file`), which refuse HDF5 that points to them. Run by :mod:`mangrove.explorer.reading_process`.
"""

import io
import json
import resource
from typing import Any

import numpy as np
from astropy import units as u

from mangrove.errors import SpectrumError
from mangrove.explorer.piped_process import pipes_of_worker, received, send
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.notebook.spectrum_file import parse_spectrum

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
    messages, replies = pipes_of_worker()
    _limited()
    while (content := received(messages, 1 << 40)) is not None:
        send(replies, answer(content))


if __name__ == "__main__":
    main()
