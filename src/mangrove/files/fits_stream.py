"""FITS files read from their beginning, plain or gzip, each byte once and none after the last HDU needed."""

import logging
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from astropy.io import fits
from isal import igzip, isal_zlib

from mangrove.errors import CubeError
from mangrove.files import fits_blocks
from mangrove.files.fits_blocks import FitsError, Layout, TrailingError

logger = logging.getLogger(__name__)

#: Bytes per reading: the gzip reader copies them once, which is cheap while they stay in the processor's cache.
_CHUNK = 1 << 20
#: Deflate cannot pack tighter; a header that promises more lies.
_MAX_INFLATION = 1100
#: Cards of the primary header that hold for an HDU with INHERIT = T which has none of its own.
_INHERITED = ("BUNIT", "SPECSYS", "RADESYS", "RADECSYS", "EQUINOX", "AIRORVAC", "VACUUM", "MASKNAME", "FSCALE")
#: EXTNAME of an image packed in tiles (.fz) that has no other.
_TILES = "COMPRESSED_IMAGE"


class Hdu(NamedTuple):
    """An HDU: its header, and its image in the machine's byte order, None where there is none or it is not kept."""

    header: fits.Header
    data: np.ndarray | None


class Hdus(dict[str, Hdu]):
    """HDUs by name; ``trailing`` says what follows the last one and was not read, empty for nothing."""

    trailing: str = ""


@contextmanager
def _as_cube_error() -> Iterator[None]:
    """What is wrong with a file becomes a CubeError."""
    try:
        yield
    except FitsError as error:
        raise CubeError(f"{error}.") from error
    except fits.VerifyError as error:
        # astropy reads a card when its value is asked for.
        raise CubeError(f"a header card is garbled ({error}).") from error
    except (OSError, EOFError, isal_zlib.error, MemoryError) as error:
        raise CubeError(f"it cannot be read ({type(error).__name__}: {error}).") from error


@_as_cube_error()
def read_hdus(path: str | Path, keep: Collection[str], until: Collection[tuple[str, ...]] = ()) -> Hdus:
    """The HDUs of a FITS file by name, in any order; of a name, the first counts.

    The first HDU is PRIMARY, and has the name of its EXTNAME besides.

    Parameters
    ----------
    path : path-like
        Plain or gzip; the content tells.
    keep : collection of str
        Images to keep; of the others only the header stays.
    until : collection of tuple of str
        Reading stops when of each tuple one HDU has been read; what follows is neither read nor checked. Empty: to the
        end of the file.

    Raises
    ------
    CubeError
        If the file is missing, damaged or not FITS, or if an HDU of ``keep`` is no image. The text says why and
        leaves the file's name and the mend to the caller.
    """
    hdus = Hdus()
    with _opened(Path(path)) as (file, limit):
        try:
            for index, (_, header) in enumerate(fits_blocks.headers(file)):
                name = text(header, "EXTNAME").upper()
                layout = fits_blocks.data_layout(header, index)
                if layout.size > limit:
                    raise FitsError(
                        f"the header of HDU {name} announces {layout.size} bytes, more than the file can hold"
                    )
                _inherit(header, hdus)
                hdu = Hdu(header, _data(file, header, name, layout, name in keep and name not in hdus))
                hdus.setdefault(name if index else "PRIMARY", hdu)
                if name:
                    hdus.setdefault(name, hdu)
                if until and all(any(n in hdus for n in names) for names in until):
                    break
        except TrailingError as error:
            hdus.trailing = f"{error}, which were not read"
            logger.warning("%s: %s", path, hdus.trailing)
    return hdus


@_as_cube_error()
def number(header: fits.Header, key: str, default: float | None = None) -> float:
    """A card's finite number (see :func:`mangrove.files.fits_blocks.number`).

    Raises
    ------
    CubeError
        If it is no number, or missing without a default.
    """
    return fits_blocks.number(header, key, default)


@_as_cube_error()
def text(header: fits.Header, key: str) -> str:
    """A card's text without blanks around it; empty where the card is missing.

    Raises
    ------
    CubeError
        If it is not text.
    """
    return fits_blocks.text(header, key)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The unpacked content as a file, and an upper limit of its size."""
    size = path.stat().st_size
    with path.open("rb") as f:
        zipped = f.read(2) == b"\x1f\x8b"
    with igzip.open(path) if zipped else path.open("rb") as f:
        yield f, size * (_MAX_INFLATION if zipped else 1)


def _inherit(header: fits.Header, hdus: Hdus) -> None:
    """Give an HDU that says INHERIT the cards of the primary header that it lacks."""
    if header.get("INHERIT") is True and "PRIMARY" in hdus:
        primary = hdus["PRIMARY"].header
        for key in _INHERITED:
            if key in primary and key not in header:
                header[key] = primary[key]


def _data(file: BinaryIO, header: fits.Header, name: str, layout: Layout, keep: bool) -> np.ndarray | None:
    """The image of the HDU at whose data the file stands, which are passed."""
    if header.get("ZIMAGE") is True and (keep or name == _TILES):
        raise CubeError(f"HDU {name} is tile-compressed (.fz); unpack the file with 'funpack'.")
    if not keep or not layout.size:
        _skip(file, layout.size, name)
        _skip_padding(file, layout.padding)
        return None
    kind = text(header, "XTENSION") or "IMAGE"
    if kind != "IMAGE" or layout.size != layout.dtype.itemsize * math.prod(layout.shape):
        raise CubeError(f"HDU {name} is a {kind} of {layout.size} bytes; an image is needed.")
    values = np.empty(layout.shape, layout.dtype)
    _fill(file, values.reshape(-1).view(np.uint8), name)
    _skip_padding(file, layout.padding)
    return _scaled(_native(values), header)


def _fill(file: BinaryIO, buffer: np.ndarray, name: str) -> None:
    view, done = memoryview(buffer), 0
    while done < len(view):
        n = file.readinto(view[done : done + _CHUNK])
        if not n:
            raise FitsError(f"it ends in HDU {name}, after {done} of {len(view)} bytes")
        done += n


def _skip(file: BinaryIO, size: int, name: str) -> None:
    scratch = np.empty(min(size, _CHUNK), np.uint8)
    while size:
        _fill(file, scratch[:size], name)
        size -= scratch[:size].size


def _skip_padding(file: BinaryIO, size: int) -> None:
    """Pass what fills the last block of an HDU, which some programs leave out at the end of the file."""
    while size and (piece := file.read(size)):
        size -= len(piece)


def _native(values: np.ndarray) -> np.ndarray:
    """Values in the machine's byte order, turned in place."""
    native = values.dtype.newbyteorder("=")
    return values if native == values.dtype else values.byteswap(inplace=True).view(native)


def _scaled(values: np.ndarray, header: fits.Header) -> np.ndarray:
    """Physical values, NaN where whole numbers are undefined (BLANK).

    Whole numbers stay so where only a whole zero is added (FITS's unsigned integers) and none can be undefined.
    """
    scale, zero, blank = number(header, "BSCALE", 1.0), number(header, "BZERO", 0.0), fits_blocks.blank(header)
    if scale == 0:
        raise FitsError("BSCALE is 0: its values are lost")
    if blank is not None:
        undefined = values == blank
        physical = values.astype(np.float64) * scale + zero
        physical[undefined] = np.nan
        return physical
    if (scale, zero) == (1, 0):
        return values
    if values.dtype.kind in "iu" and scale == 1 and zero == int(zero) and abs(zero) < 2**62:
        return values.astype(np.int64) + int(zero)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float64) * scale + zero
