"""FITS files read from their beginning, plain or gzip, each byte once and none after the last HDU needed."""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from astropy.io import fits
from isal import igzip, isal_zlib

from mangrove.errors import CubeError

_BLOCK = 2880
_END = b"END" + b" " * 77
_MAX_HEADER_BLOCKS = 1000
#: Bytes per reading: the gzip reader copies them once, which is cheap while they stay in the processor's cache.
_CHUNK = 1 << 20
#: Deflate cannot pack tighter; a header that promises more lies.
_MAX_INFLATION = 1100
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_MEND = "Delete it and run again to fetch it anew."


class Hdu(NamedTuple):
    """An HDU: its header, and its image in the machine's byte order, None where there is none or it is not kept."""

    header: fits.Header
    data: np.ndarray | None


def read_hdus(path: str | Path, keep: Collection[str], last: str) -> dict[str, Hdu]:
    """The HDUs of a FITS file by name (the first HDU is PRIMARY; of a name, the first counts), in the order of the file.

    Parameters
    ----------
    path : path-like
        Plain or gzip; the content tells.
    keep : collection of str
        Images to keep; of the others only the header stays.
    last : str
        Name of the HDU after which reading stops. What follows is neither read nor checked.

    Raises
    ------
    CubeError
        If the file is missing, damaged or not FITS, or if an HDU of ``keep`` is no image. The text says why and
        leaves the file's name to the caller.
    """
    hdus: dict[str, Hdu] = {}
    try:
        with _opened(Path(path)) as (file, limit):
            while (header := _header(file, f"HDU {len(hdus)}")) is not None:
                name = text(header, "EXTNAME").upper() if hdus else "PRIMARY"
                hdu = Hdu(header, _data(file, header, name, limit, name in keep and name not in hdus))
                hdus.setdefault(name, hdu)
                if name == last:
                    break
    except (OSError, EOFError, isal_zlib.error, MemoryError) as error:
        raise CubeError(f"it cannot be read ({type(error).__name__}: {error}). {_MEND}") from error
    return hdus


def number(header: fits.Header, key: str, default: float | None = None) -> float:
    """A card's finite number; ``default`` where the card is missing; CubeError where it is no number."""
    value = _value(header, key, default)
    if value is None:
        raise CubeError(f"the header card {key} is missing. {_MEND}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CubeError(f"the header card {key} is {value!r}; a number is needed. {_MEND}")
    return value


def text(header: fits.Header, key: str) -> str:
    """A card's text without blanks around it; empty where the card is missing; CubeError where it is not text."""
    value = _value(header, key, "")
    if not isinstance(value, str):
        raise CubeError(f"the header card {key} is {value!r}; text is needed. {_MEND}")
    return value.strip()


def _value(header: fits.Header, key: str, default):
    try:
        return header.get(key, default)
    except (fits.VerifyError, ValueError) as error:
        raise CubeError(f"the header card {key} is garbled. {_MEND}") from error


def _whole(header: fits.Header, key: str, default: int | None = None) -> int:
    value = number(header, key, default)
    if value != int(value):
        raise CubeError(f"the header card {key} is {value}; a whole number is needed. {_MEND}")
    return int(value)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The unpacked content as a file, and an upper limit of its size."""
    size = path.stat().st_size
    with path.open("rb") as f:
        zipped = f.read(2) == b"\x1f\x8b"
    with igzip.open(path) if zipped else path.open("rb") as f:
        yield f, size * (_MAX_INFLATION if zipped else 1)


def _header(file: BinaryIO, label: str) -> fits.Header | None:
    """The next header; None at the end of the file."""
    content = b""
    for _ in range(_MAX_HEADER_BLOCKS):
        block = file.read(_BLOCK)
        if not block and not content and label != "HDU 0":
            return None
        if not content and not block.startswith(b"SIMPLE  =" if label == "HDU 0" else b"XTENSION="):
            raise CubeError(f"{label} is not FITS: it begins with {_beginning(block)}. {_MEND}")
        if len(block) < _BLOCK:
            raise CubeError(f"it is cut in the header of {label}. {_MEND}")
        content += block
        if any(block[i : i + len(_END)] == _END for i in range(0, _BLOCK, len(_END))):
            break
    else:
        raise CubeError(f"the header of {label} has no END. {_MEND}")
    if not content.isascii():
        raise CubeError(f"the header of {label} holds bytes that are no text. {_MEND}")
    return fits.Header.fromstring(content.decode("ascii"))


def _beginning(block: bytes) -> str:
    """The first bytes for a message; a web page by its name."""
    if block.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "a web page (HTML), an archive's answer in place of the file"
    return repr(block[:20]) if block else "nothing (it is empty)"


def _data(file: BinaryIO, header: fits.Header, name: str, limit: int, keep: bool) -> np.ndarray | None:
    """The image of the HDU at which the file stands, which is passed."""
    shape = tuple(_whole(header, f"NAXIS{i}") for i in range(_whole(header, "NAXIS"), 0, -1))
    bits = _whole(header, "BITPIX")
    parameters, groups = _whole(header, "PCOUNT", 0), _whole(header, "GCOUNT", 1)
    if bits not in _TYPES or min((*shape, parameters, groups)) < 0:
        raise CubeError(f"HDU {name} has BITPIX {bits}, shape {shape}: not FITS. {_MEND}")
    size = abs(bits) // 8 * groups * (parameters + math.prod(shape)) if shape else 0
    if size > limit:
        raise CubeError(f"the header of HDU {name} promises {size} bytes, more than the file can hold. {_MEND}")
    padding = -size % _BLOCK
    if not keep or not size:
        _skip(file, size + padding, name)
        return None
    if text(header, "XTENSION") not in ("", "IMAGE") or (parameters, groups) != (0, 1):
        raise CubeError(f"HDU {name} is a {text(header, 'XTENSION')}; an image is needed.")
    values = np.empty(shape, _TYPES[bits])
    _fill(file, values.reshape(-1).view(np.uint8), name)
    _skip(file, padding, name)
    return _scaled(_native(values), header)


def _fill(file: BinaryIO, buffer: np.ndarray, name: str) -> None:
    view, done = memoryview(buffer), 0
    while done < len(view):
        n = file.readinto(view[done : done + _CHUNK])
        if not n:
            raise CubeError(f"it is cut in HDU {name}, after {done} of {len(view)} bytes. {_MEND}")
        done += n


def _skip(file: BinaryIO, size: int, name: str) -> None:
    scratch = np.empty(min(size, _CHUNK), np.uint8)
    while size:
        _fill(file, scratch[:size], name)
        size -= scratch[:size].size


def _native(values: np.ndarray) -> np.ndarray:
    """Values in the machine's byte order, turned in place."""
    native = values.dtype.newbyteorder("=")
    return values if native == values.dtype else values.byteswap(inplace=True).view(native)


def _scaled(values: np.ndarray, header: fits.Header) -> np.ndarray:
    """Physical values; whole numbers stay so where only a whole zero is added (FITS's unsigned integers)."""
    scale, zero = number(header, "BSCALE", 1.0), number(header, "BZERO", 0.0)
    if (scale, zero) == (1, 0):
        return values
    if values.dtype.kind in "iu" and scale == 1 and zero == int(zero) and abs(zero) < 2**62:
        return values.astype(np.int64) + int(zero)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float64) * scale + zero
