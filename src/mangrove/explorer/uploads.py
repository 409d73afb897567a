"""Uploaded spectra: their bytes from the browser, and those that are kept for a while, each for who uploaded it."""

import base64
import binascii
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from mangrove.errors import SpectrumError
from mangrove.notebook.spectrum_columns import SpectrumFile

#: Largest file, bytes; in base64 a third longer, and a request has a little more than the file.
MAX_UPLOAD = 20 * 1000**2
_MAX_REQUEST = MAX_UPLOAD * 4 // 3 + 100_000
_SHOWN_NAME = 60


def limit_requests(server: Flask) -> None:
    """Refuse requests that are longer than the largest upload, before they are read."""
    server.config["MAX_CONTENT_LENGTH"] = _MAX_REQUEST


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
    if len(text) > 4 * (MAX_UPLOAD // 3 + 1):
        raise SpectrumError(
            f"the file has more than {MAX_UPLOAD // 1000**2} MB. Cut out the spectrum, or use mangrove.api on your machine."
        )
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SpectrumError("the file did not arrive whole. Choose it again.") from None


def shown_name(name: Any) -> str:
    """The name of a file for messages, in which it is only text: printable and short."""
    text = "".join(c for c in name if c.isprintable()) if isinstance(name, str) else ""
    return text[:_SHOWN_NAME] or "the file"


@dataclass
class Upload:
    """A spectrum that somebody uploaded, and what was computed of it.

    Attributes
    ----------
    name : str
        Of the file, for messages.
    spectrum : SpectrumFile
    results : dict
        What views keep of it, by keys of their own.
    """

    name: str
    spectrum: SpectrumFile
    results: dict = field(default_factory=dict)


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
