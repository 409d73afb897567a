"""Whether bytes that arrive are a whole, undamaged FITS file, and the cube asked for. Nothing is held in memory."""

import io
import logging
import queue
import threading
from typing import BinaryIO, NamedTuple

import numpy as np
from astropy.io import fits
from isal import igzip, isal_zlib

from mangrove.files.fits_blocks import FitsError, TrailingError, data_layout, headers
from mangrove.survey.readers.missing import NO_CUBE

logger = logging.getLogger(__name__)

#: Bytes per step: small enough for the processor's cache.
_PIECE = 1 << 18
#: Pieces on their way to the thread that checks them.
_QUEUED = 16
_ALL_ONES = 0xFFFFFFFF


class Damaged(Exception):
    """The bytes are no whole FITS file; the text says what is wrong."""


class WrongFile(Exception):
    """A whole file, but not the one asked for; the text begins with a verb: 'holds ...'."""


class Wanted(NamedTuple):
    """What a file must be.

    Attributes
    ----------
    plateifu, drpver : str or None
        Galaxy (PLATEIFU) and version of the reduction (VERSDRP3); None where any will do.
    sums : bool
        Whether a wrong DATASUM or CHECKSUM, bytes after the last HDU and a last block that is not filled are errors;
        warnings otherwise, as files that people have edited keep the sums of their originals, and astropy reads them.
    """

    plateifu: str | None = None
    drpver: str | None = None
    sums: bool = True


def check(file: BinaryIO, wanted: Wanted) -> None:
    """Read a file to its end and check it.

    Checked are: CRC and length of every gzip member, the header of every HDU, that the HDUs add up to the whole,
    DATASUM and CHECKSUM where an HDU has them (FITS Standard 4.0, appendix J), and who the file says it is. Identity
    is checked as soon as the primary header is there, so that a wrong file ends a download early.

    Parameters
    ----------
    file : binary file
        Plain FITS or gzip; the content tells. It need not seek.
    wanted : Wanted

    Raises
    ------
    Damaged
        If the content is cut, damaged or no FITS file.
    WrongFile
        If it is another galaxy's cube, or one of another version.
    """
    buffered = io.BufferedReader(file, _PIECE)
    try:
        zipped = buffered.peek(2)[:2] == b"\x1f\x8b"
        _check_hdus(igzip.IGzipFile(fileobj=buffered) if zipped else buffered, wanted)
    except (EOFError, igzip.BadGzipFile, isal_zlib.error) as error:
        raise Damaged(f"gzip: {error}") from error
    except FitsError as error:
        raise Damaged(str(error)) from error
    except fits.VerifyError as error:
        raise Damaged(f"a header cannot be read: {error}") from error
    finally:
        buffered.detach()


class Checker:
    """Runs :func:`check` in a thread of its own on what it is given piece by piece.

    The network and the unpacking overlap, as both leave Python's lock while they work. Close it in the end.
    """

    def __init__(self, wanted: Wanted):
        self._wanted = wanted
        self._start()

    def _start(self) -> None:
        #: Bytes given since the beginning of the file.
        self.position = 0
        self._error: BaseException | None = None
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        self._thread = threading.Thread(target=self._run, args=(self._pieces,), daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """Start again with an empty file."""
        self.close()
        self._start()

    def feed(self, piece: bytes) -> None:
        """Give the next piece.

        Raises
        ------
        Damaged, WrongFile
            What :func:`check` has found so far.
        """
        if self._error is not None:
            raise self._error
        self._pieces.put(piece)
        self.position += len(piece)

    def finish(self) -> None:
        """Say that the file ends here, and wait for the verdict.

        Raises
        ------
        Damaged, WrongFile
            As :func:`check`.
        """
        self.close()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _run(self, pieces: queue.Queue) -> None:
        source = _ArrivingFile(pieces)
        try:
            check(source, self._wanted)
        except BaseException as error:
            self._error = error
        source.drain()


class _ArrivingFile(io.RawIOBase):
    """A queue of pieces as a file; None is its end."""

    def __init__(self, pieces: queue.Queue):
        self._pieces, self._piece, self._ended = pieces, memoryview(b""), False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._piece and not self._ended:
            self._next()
        n = min(len(buffer), len(self._piece))
        buffer[:n] = self._piece[:n]
        self._piece = self._piece[n:]
        return n

    def drain(self) -> None:
        """Take what still comes, so that nobody waits for room in the queue."""
        while not self._ended:
            self._next()

    def _next(self) -> None:
        piece = self._pieces.get()
        self._ended = piece is None
        self._piece = memoryview(piece or b"")


def _check_hdus(file: BinaryIO, wanted: Wanted) -> None:
    try:
        _check_each(file, wanted)
    except TrailingError as error:
        if wanted.sums:
            raise
        logger.warning("%s; they are not read", error)


def _check_each(file: BinaryIO, wanted: Wanted) -> None:
    n_byte, is_placeholder = 0, False
    for index, (content, header) in enumerate(headers(file)):
        if index == 0:
            _check_identity(header, wanted)
        summed = "CHECKSUM" in header or "DATASUM" in header
        layout = data_layout(header, index)
        n_byte += layout.size
        is_placeholder = index == 0 and NO_CUBE in header
        may_lack = 0 if wanted.sums else layout.padding
        total = _pass(file, layout.size + layout.padding, may_lack, index, summed)
        wrong = _wrong_sum(header, _ones_sum(content), total) if summed else ""
        if wrong and wanted.sums:
            raise Damaged(f"HDU {index} does not agree with its {wrong}")
        if wrong:
            logger.warning("HDU %d does not agree with its %s", index, wrong)
    if not n_byte and not is_placeholder:
        raise Damaged("it holds headers alone, no data")


def _check_identity(header: fits.Header, wanted: Wanted) -> None:
    plateifu, drpver = (str(header.get(key, "")).strip() for key in ("PLATEIFU", "VERSDRP3"))
    if wanted.plateifu is not None and plateifu != wanted.plateifu:
        raise WrongFile(f"holds the cube of '{plateifu}', not of {wanted.plateifu}. Report it to the archive.")
    if wanted.drpver is not None and drpver != wanted.drpver:
        raise WrongFile(
            f"was made by version '{drpver}' of the data reduction pipeline, not {wanted.drpver}. "
            "Check survey.release and survey.base in the configuration."
        )


def _pass(file: BinaryIO, size: int, may_lack: int, index: int, summed: bool) -> int:
    """Read an HDU's data, whose last bytes may be lacking; the sum of its 32-bit words if asked for, else 0."""
    total, done, scratch = 0, 0, bytearray(min(size, _PIECE))
    while done < size:
        want = memoryview(scratch)[: min(len(scratch), size - done)]
        filled = 0
        while filled < len(want) and (n := file.readinto(want[filled:])):
            filled += n
        lacking = size - done - filled
        if filled < len(want) and lacking > may_lack:
            raise Damaged(f"it ends in the data of HDU {index}, {lacking} bytes too early")
        if filled < len(want):
            logger.warning("HDU %d ends %d bytes before the end of its last block", index, lacking)
            want[filled:] = bytes(len(want) - filled)
        total += _ones_sum(want) if summed else 0
        done = done + filled if filled == len(want) else size
    return total


def _ones_sum(content) -> int:
    """Sum of big-endian 32-bit words, not yet folded; ``content`` is a multiple of 4 bytes."""
    return int(np.frombuffer(content, ">u4").sum(dtype=np.uint64))


def _folded(total: int) -> int:
    """A sum in ones' complement of 32 bits."""
    while total > _ALL_ONES:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


def _wrong_sum(header: fits.Header, head: int, data: int) -> str:
    """The card that the sums of header and data contradict; empty if none. An empty card says nothing."""
    recorded = str(header.get("DATASUM", "")).strip()
    if recorded and recorded != str(_folded(data)):
        return "DATASUM"
    if str(header.get("CHECKSUM", "")).strip() and _folded(head + data) != _ALL_ONES:
        return "CHECKSUM"
    return ""
