"""Files over HTTP: attempts, waits between them, and going on where an attempt was cut."""

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import NamedTuple

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random_exponential

from mangrove.errors import DownloadError, MissingError
from mangrove.survey.archive.integrity import Checker, Damaged
from mangrove.survey.archive.partial import Origin, Partial
from mangrove.survey.archive.progress import Progress

logger = logging.getLogger(__name__)

#: An attempt ends when, over `Patience.timeout` seconds of waiting for data, less than this arrives per second.
MIN_RATE = 10_000
#: The longest wait that a server may ask for, s.
MAX_RETRY_AFTER = 300.0
_PIECE = 1 << 18
_CODES = httpx.codes
_MISSING = (_CODES.NOT_FOUND, _CODES.GONE)
_FORBIDDEN = (_CODES.UNAUTHORIZED, _CODES.FORBIDDEN)
_BUSY = (_CODES.REQUEST_TIMEOUT, _CODES.TOO_EARLY, _CODES.TOO_MANY_REQUESTS)
#: Half of the wait is fixed, half is drawn, so that clients which were cut together do not come back together.
_BACK_OFF = wait_exponential(multiplier=0.5, max=30) + wait_random_exponential(multiplier=0.5, max=30)


class Patience(NamedTuple):
    """How long to try.

    Attributes
    ----------
    timeout : float
        Seconds without data, or too slow (see :data:`MIN_RATE`), after which an attempt ends.
    attempts : int
    sleep : callable
        Waits so many seconds between attempts.
    """

    timeout: float = 60.0
    attempts: int = 6
    sleep: Callable[[float], None] = time.sleep


class _Again(Exception):
    """An attempt failed in a way that may pass; ``after``: seconds that the server asks to wait."""

    def __init__(self, reason: str, after: float = 0.0):
        super().__init__(reason)
        self.after = after


def download(url: str, part: Partial, checker: Checker, patience: Patience) -> None:
    """Bring the file of an address into ``part``, checked to its end.

    Timeouts, cut connections, 408, 425, 429 and 5xx are tried again, after a wait that grows and as late as
    ``Retry-After`` asks; the file goes on where it was cut if the server's validator says that it is the same.

    Raises
    ------
    MissingError
        404 or 410.
    DownloadError
        Any other refusal, or if all attempts fail.
    Damaged, WrongFile
        If the file came in one piece but is not what it should be (see :mod:`mangrove.survey.archive.integrity`).
    """
    attempts = Retrying(
        retry=retry_if_exception_type(_Again),
        stop=stop_after_attempt(patience.attempts),
        wait=_wait,
        sleep=patience.sleep,
        before_sleep=lambda state: _log(url, state),
        reraise=True,
    )
    # The archive's bytes themselves: a cube is gzip already, and ranges count in them.
    headers = {"Accept-Encoding": "identity"}
    with httpx.Client(
        timeout=patience.timeout, headers=headers, follow_redirects=True, verify=_certificates()
    ) as client:
        try:
            attempts(_attempt, client, url, part, checker, patience.timeout)
        except _Again as error:
            raise DownloadError(
                f"{url} could not be fetched in {patience.attempts} attempts ({error}). "
                "Run again later: it resumes where it stopped if the server allows that."
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError(
                f"{url} could not be fetched ({error or type(error).__name__}). Check survey.base."
            ) from error


def exists(url: str, patience: Patience) -> bool:
    """Whether a server knows an address; True if it cannot be asked."""
    try:
        answer = httpx.head(url, timeout=patience.timeout, follow_redirects=True, verify=_certificates())
    except httpx.HTTPError:
        return True
    return answer.status_code not in _MISSING


def retry_after(headers: httpx.Headers, now: datetime) -> float:
    """Seconds that a server asks to wait, from ``Retry-After`` in seconds or as a date; 0 if it does not.

    A date is compared with the server's own clock where it tells it.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    until, clock = _date(value), _date(headers.get("Date", ""))
    return max(0.0, (until - (clock or now)).total_seconds()) if until else 0.0


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _wait(state: RetryCallState) -> float:
    asked = getattr(state.outcome.exception(), "after", 0.0)
    return min(asked, MAX_RETRY_AFTER) + _BACK_OFF(state)


def _log(url: str, state: RetryCallState) -> None:
    logger.warning("%s: %s; trying again in %.1f s", url, state.outcome.exception(), state.next_action.sleep)


def _attempt(client: httpx.Client, url: str, part: Partial, checker: Checker, timeout: float) -> None:
    offset, origin = _resume_point(url, part)
    headers = {"Range": f"bytes={offset}-", "If-Range": origin.validator} if offset else {}
    try:
        with client.stream("GET", url, headers=headers) as response:
            _raise_for_status(url, response)
            offset = _begin(url, response, part, offset, origin)
            length = _length(response, offset)
            _catch_up(checker, part, offset)
            with Progress(url.rpartition("/")[2], length, offset) as progress:
                for piece in _pieces(response, timeout):
                    part.write(piece)
                    checker.feed(piece)
                    progress.add(len(piece))
        checker.finish()
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects):
        raise
    except httpx.TransportError as error:
        raise _Again(str(error) or type(error).__name__) from error
    except Damaged as error:
        part.restart(None)
        if offset:
            raise _Again(f"the parts do not fit together: {error}") from error
        raise


def _resume_point(url: str, part: Partial) -> tuple[int, Origin | None]:
    """Where to resume, and what the part belongs to; (0, None) to start from the beginning."""
    origin = part.origin()
    if origin is None or origin.url != url or not part.size:
        return 0, None
    # A part may be all of the file, if its process was killed before the end of the check: a range of no byte is an
    # error, so the last byte is fetched again.
    return (part.size if origin.length is None else min(part.size, origin.length - 1)), origin


def _raise_for_status(url: str, response: httpx.Response) -> None:
    code, answer = response.status_code, f"{url} answered {response.status_code} {response.reason_phrase}"
    if code in _MISSING:
        raise MissingError(f"{answer}: the archive has no such file. Check survey.base and survey.release.")
    if code in _FORBIDDEN:
        raise DownloadError(
            f"{answer}: the archive does not allow access to this file. Check survey.base, or use a mirror."
        )
    if code in _BUSY or code >= _CODES.INTERNAL_SERVER_ERROR:
        raise _Again(f"{code} {response.reason_phrase}", retry_after(response.headers, datetime.now(UTC)))
    if code not in (_CODES.OK, _CODES.PARTIAL_CONTENT, _CODES.REQUESTED_RANGE_NOT_SATISFIABLE):
        raise DownloadError(f"{answer}. Check survey.base in the configuration.")


def _begin(url: str, response: httpx.Response, part: Partial, offset: int, origin: Origin | None) -> int:
    """Make the part ready for the answer; returns where its bytes belong."""
    if response.status_code == _CODES.OK:
        length, validator = response.headers.get("Content-Length"), _validator(response)
        part.restart(Origin(url, validator, int(length) if length else None) if validator else None)
        return 0
    start, total = _content_range(response)
    known = origin is not None and origin.validator == _validator(response) and origin.length in (None, total)
    if response.status_code != _CODES.PARTIAL_CONTENT or start != offset or not known:
        part.restart(None)
        raise _Again("the file changed between two requests; fetching it from the start")
    part.truncate(offset)
    return offset


def _validator(response: httpx.Response) -> str:
    """A strong ETag, else the date of the last change; empty if there is neither."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """First byte and length of the whole from 'bytes 10-99/100'; None for what it does not say."""
    span, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    first = span.partition("-")[0]
    return (int(first) if first.isdigit() else None), (int(total) if total.isdigit() else None)


def _length(response: httpx.Response, offset: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _catch_up(checker: Checker, part: Partial, offset: int) -> None:
    """Bring the checker to where the answer begins."""
    if checker.position == offset:
        return
    checker.restart()
    for piece in part.pieces(offset):
        checker.feed(piece)


def _pieces(response: httpx.Response, timeout: float) -> Iterator[bytes]:
    """What arrives, in pieces large enough to be cheap; what had arrived before an error comes before it."""
    gathered: list[bytes] = []
    size, waited, arrived = 0, 0.0, 0
    stream = response.iter_raw()
    try:
        while True:
            start = time.monotonic()
            piece = next(stream, b"")
            waited, arrived = waited + time.monotonic() - start, arrived + len(piece)
            if not piece:
                break
            gathered.append(piece)
            size += len(piece)
            if waited > timeout:
                if arrived < MIN_RATE * waited:
                    raise _Again(f"too slow: {arrived} bytes in {waited:.0f} s")
                waited, arrived = 0.0, 0
            if size >= _PIECE:
                yield b"".join(gathered)
                gathered, size = [], 0
    except (httpx.TransportError, _Again):
        yield b"".join(gathered)
        raise
    yield b"".join(gathered)
