"""Uploaded spectra: their bytes from the browser, and those that are kept for a while, each for who uploaded it."""

import base64
import binascii
import dataclasses
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from mangrove.errors import SpectrumError
from mangrove.explorer.own_spectrum import Taken
from mangrove.explorer.security import UPLOAD_BYTES
from mangrove.notebook.spectrum_columns import SpectrumFile

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

#: What file systems allow: a name that is cut would not be found by the lines of Python that people copy.
_SHOWN_NAME = 255


def uploaded(contents: Any) -> bytes:
    """The bytes of a file as the browser sends them: 'data:TYPE;base64,...'. The type it claims is not looked at.

    Raises
    ------
    SpectrumError
        If there is nothing, it is too large, or is not what a browser sends.
    """
    _, comma, text = contents.partition(",") if isinstance(contents, str) else ("", "", "")
    if not comma:
        raise SpectrumError("no file arrived. Choose it again.")
    # Before it is decoded, which takes memory: four letters for three bytes.
    if len(text) > 4 * (UPLOAD_BYTES // 3 + 1):
        raise too_large()
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SpectrumError("the file did not arrive whole. Choose it again.") from None
    if not content:
        raise SpectrumError("the file is empty. Save or download it again.")
    if len(content) > UPLOAD_BYTES:
        raise too_large()
    return content


def too_large() -> SpectrumError:
    """The error for a file above the limit."""
    return SpectrumError(
        f"the file has more than {UPLOAD_BYTES >> 20} MiB. Cut out the spectrum, or use mangrove.api on your machine."
    )


def shown_name(name: Any) -> str:
    """The name of a file for messages, in which it is only text: printable, and not without end."""
    text = "".join(c for c in name if c.isprintable()) if isinstance(name, str) else ""
    return text[:_SHOWN_NAME] or "the file"


@dataclass
class Upload:
    """A spectrum that somebody uploaded, what it was last taken to be, and its fit as that.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    spectrum : SpectrumFile
    asked : int
        How often something was asked of it.
    about : Taken, optional
        What it is taken to be.
    fit : SpectrumFit, optional
        None as long as there is none.
    """

    name: str
    spectrum: SpectrumFile
    asked: int = 0
    about: Taken | None = None
    fit: "SpectrumFit | None" = None

    def ask(self, about: Taken) -> int:
        """Take it to be something from now on; gives the number of the question."""
        self.about, self.fit = about, None
        self.asked += 1
        return self.asked

    @property
    def nbytes(self) -> int:
        """Memory of its arrays and those of its fit, bytes."""
        return _nbytes(self.spectrum) + _nbytes(self.fit)


class UploadStore:
    """Uploads by a random token that only the page has from which they came; the oldest go.

    They stay on the server, since a file that lay in the browser would be sent again, all 20 MB of it, for every change of
    the redshift. The token is in the page and not in its address, which people share.

    Parameters
    ----------
    most : int
        How many are kept.
    seconds : float
        For how long.
    nbytes : int
        How much memory their arrays may take; the latest stays however large it is.
    clock : callable
        Seconds, never going back.
    """

    def __init__(
        self,
        most: int = 32,
        seconds: float = 3600.0,
        nbytes: int = 1 << 28,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._most, self._seconds, self._nbytes, self._clock = most, seconds, nbytes, clock
        self._timer: threading.Timer | None = None
        self._kept: OrderedDict[str, tuple[float, Upload]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, upload: Upload) -> str:
        """Keep an upload, and give its token: 256 random bits."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[token] = self._clock(), upload
            self._forget()
            self._watch()
        return token

    def drop(self, token: Any) -> None:
        """Forget an upload, if it is there."""
        with self._lock:
            self._kept.pop(token if isinstance(token, str) else "", None)

    def of(self, token: Any) -> Upload | None:
        """The upload of a token, None where there is none any more."""
        with self._lock:
            self._forget()
            return self._kept.get(token if isinstance(token, str) else "", (0.0, None))[1]

    def _forget(self) -> None:
        while self._kept and (self._clock() - self._oldest() >= self._seconds or self._too_many()):
            self._kept.popitem(last=False)

    def _oldest(self) -> float:
        """When the oldest upload came."""
        return next(iter(self._kept.values()))[0]

    def _too_many(self) -> bool:
        # Fits come after their uploads, so that the sum is made anew every time.
        size = sum(upload.nbytes for _, upload in self._kept.values())
        return len(self._kept) > self._most or (len(self._kept) > 1 and size > self._nbytes)

    def _watch(self) -> None:
        """Forget the oldest upload when its time is over, although nobody may ask for any by then."""
        if self._kept and self._timer is None:
            self._timer = threading.Timer(max(self._oldest() + self._seconds - self._clock(), 0.0), self._ring)
            self._timer.daemon = True
            self._timer.start()

    def _ring(self) -> None:
        with self._lock:
            self._timer = None
            self._forget()
            self._watch()


def _nbytes(part: Any) -> int:
    """Memory of the arrays in a table, mapping, tuple or dataclass, bytes."""
    if isinstance(part, np.ndarray):
        return part.nbytes
    if isinstance(part, Table):
        return sum(_nbytes(part[name]) for name in part.colnames)
    if isinstance(part, Mapping):
        return sum(map(_nbytes, part.values()))
    if isinstance(part, tuple | list):
        return sum(map(_nbytes, part))
    if dataclasses.is_dataclass(part):
        return sum(_nbytes(getattr(part, field.name)) for field in dataclasses.fields(part))
    return 0
