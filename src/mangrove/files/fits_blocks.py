"""Headers and data sizes of the HDUs of a FITS stream, which is read forwards only."""

import itertools
import math
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.files import packed

_BLOCK = 2880
_CARD = 80
#: A card that ends a header: astropy takes END with anything behind it that does not go on as a keyword.
_END = re.compile(rb"END(?![A-Z0-9_-])")
_UNPRINTABLE = re.compile(rb"[^\x20-\x7e]")
_MAX_HEADER = 1000 * _BLOCK
#: Type of the values by BITPIX.
_TYPES = {bits: np.dtype(name) for bits, name in ((8, "u1"), (16, ">i2"), (32, ">i4"), (64, ">i8"))}
_TYPES |= {-32: np.dtype(">f4"), -64: np.dtype(">f8")}


class FitsError(Exception):
    """The bytes are not a complete FITS file; the text, without a full stop, says what is wrong."""


class TrailingError(FitsError):
    """The last HDU is followed by bytes that are not an HDU; everything before them is complete."""


class Layout(NamedTuple):
    """The data of an HDU as its header describes them.

    Attributes
    ----------
    shape : tuple of int
        Axes, the fastest last; empty where there are no data.
    dtype : numpy.dtype
        Type of the values, big-endian as in the file.
    size : int
        Bytes, without padding. More than those of the axes where there are parameters, a heap or groups.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    size: int

    @property
    def padding(self) -> int:
        """Bytes from the end of the data to the next HDU."""
        return -self.size % _BLOCK


def headers(file: BinaryIO) -> Iterator[tuple[bytes, fits.Header]]:
    """The header of each HDU, as it stands in the file and parsed, to the end of the file.

    Parameters
    ----------
    file : binary file
        Positioned at its beginning. The caller must read the data of each HDU, padding included, before the next step.

    Raises
    ------
    TrailingError
        If bytes that are no HDU follow the last one: special records of old files, or what is left of a damaged header.
    FitsError
        If the file is empty, is not FITS, says itself that it is none, or is cut or damaged in a header.
    """
    for index in itertools.count():
        content = _header_bytes(file, index)
        if not content:
            return
        yield content, _parsed(content, index)


def data_layout(header: fits.Header, index: int) -> Layout:
    """Shape, type and size of the data of HDU ``index`` (FITS Standard 4.0, equations 1, 2 and 4).

    Raises
    ------
    FitsError
        If the header lacks a card that tells the size, or such a card has an impossible value.
    """
    try:
        axes = [_whole(header, f"NAXIS{i}") for i in range(1, _whole(header, "NAXIS") + 1)]
        bits, parameters, groups = _whole(header, "BITPIX"), _whole(header, "PCOUNT", 0), _whole(header, "GCOUNT", 1)
        random_groups = index == 0 and axes[:1] == [0] and _value(header, "GROUPS", False) is True
    except FitsError as error:
        raise FitsError(f"the header of HDU {index} does not give its size: {error}") from error
    if bits not in _TYPES or min((*axes, parameters, groups)) < 0:
        raise FitsError(
            f"the header of HDU {index} has BITPIX {bits}, axes {axes}, PCOUNT {parameters}, GCOUNT {groups}: not FITS"
        )
    counted = axes[1:] if random_groups else axes
    size = _TYPES[bits].itemsize * groups * (parameters + math.prod(counted)) if counted else 0
    return Layout(tuple(axes[::-1]), _TYPES[bits], size)


def blank(header: fits.Header) -> int | None:
    """The value of undefined pixels of an image of whole numbers (FITS Standard 4.0, section 4.4.2.5); None for none.

    Raises
    ------
    FitsError
        If BLANK is no whole number.
    """
    return _whole(header, "BLANK") if "BLANK" in header and _whole(header, "BITPIX") > 0 else None


def number(header: fits.Header, key: str, default: float | None = None) -> float:
    """A card's finite number; ``default`` where the card is missing.

    Raises
    ------
    FitsError
        If it is no number, or missing without a default.
    """
    value = _value(header, key, default)
    if value is None:
        raise FitsError(f"the header card {key} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FitsError(f"the header card {key} is {value!r}; a number is needed")
    return value


def text(header: fits.Header, key: str) -> str:
    """A card's text without blanks around it; empty where the card is missing.

    Raises
    ------
    FitsError
        If it is not text.
    """
    value = _value(header, key, "")
    if not isinstance(value, str):
        raise FitsError(f"the header card {key} is {value!r}; text is needed")
    return value.strip()


def _whole(header: fits.Header, key: str, default: int | None = None) -> int:
    value = number(header, key, default)
    if value != int(value):
        raise FitsError(f"the header card {key} is {value}; a whole number is needed")
    return int(value)


def _value(header: fits.Header, key: str, default):
    try:
        if key not in header:
            return default
        values = [header[key, i] for i in range(header.count(key))]
    except (fits.VerifyError, ValueError) as error:
        raise FitsError(f"the header card {key} is garbled") from error
    # Of these, astropy would take the first, WCSLIB the last.
    if any(value != values[0] for value in values):
        raise FitsError(f"the header card {key} appears {len(values)} times with different values")
    return values[0]


def _header_bytes(file: BinaryIO, index: int) -> bytes:
    """The next header, empty at the end of the file."""
    content = b""
    while len(content) < _MAX_HEADER:
        block = _read_block(file)
        if not block and not content and index:
            return b""
        if not content and index and not block.startswith(b"XTENSION="):
            raise TrailingError(f"HDU {index - 1} is followed by bytes that are not an HDU")
        if not content and not index and not block.startswith(b"SIMPLE  ="):
            raise FitsError(f"it is {_kind(block)}, not FITS")
        if len(block) < _BLOCK:
            raise FitsError(f"it ends in the header of HDU {index}")
        content += block
        if any(_END.match(block, i) for i in range(0, _BLOCK, _CARD)):
            return content
    raise FitsError(f"the header of HDU {index} has no end")


def _read_block(file: BinaryIO) -> bytes:
    block = b""
    while len(block) < _BLOCK and (more := file.read(_BLOCK - len(block))):
        block += more
    return block


def _kind(block: bytes) -> str:
    if not block:
        return "empty"
    if block.lstrip()[:1] == b"<":
        return "a web page"
    return packed.unpacking(block[: packed.N_FIRST]) or f"something that begins with {block[:16]!r}"


def _parsed(content: bytes, index: int) -> fits.Header:
    """The header; what is no printable ASCII in it (names of observers) becomes a question mark, as astropy reads it."""
    try:
        header = fits.Header.fromstring(_UNPRINTABLE.sub(b"?", content).decode("ascii"))
    except (ValueError, fits.VerifyError) as error:
        raise FitsError(f"the header of HDU {index} cannot be read ({error})") from error
    if not index and _value(header, "SIMPLE", False) is not True:
        raise FitsError("the card SIMPLE of its first header is not T: it declares itself not to be standard FITS")
    return header
