"""Uploaded spectra: their bytes from the browser, and those that are kept for a while, each for who uploaded it."""

import base64
import binascii
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mangrove.errors import SpectrumError
from mangrove.explorer.own_spectrum import Taken
from mangrove.explorer.security import UPLOAD_BYTES
from mangrove.notebook.spectrum_columns import SpectrumFile

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import SpectrumFit

_SHOWN_NAME = 60


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
    """The name of a file for messages, in which it is only text: printable and short."""
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
    clock : callable
        Seconds, never going back.
    """

    def __init__(self, most: int = 32, seconds: float = 3600.0, clock: Callable[[], float] = time.monotonic):
        self._most, self._seconds, self._clock = most, seconds, clock
        self._kept: OrderedDict[str, tuple[float, Upload]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, upload: Upload) -> str:
        """Keep an upload, and give its token: 256 random bits."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[token] = self._clock(), upload
            self._forget()
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
        while self._kept and (
            len(self._kept) > self._most or self._clock() - next(iter(self._kept.values()))[0] > self._seconds
        ):
            self._kept.popitem(last=False)
