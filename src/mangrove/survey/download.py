"""Fetching cubes: complete, verified, and only then under the final name."""

import gzip
import os
import shutil
import uuid
import zlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
from astropy.io import fits

from mangrove.errors import DownloadError

_BLOCK = 1 << 20
_TIMEOUT = 60.0


def fetch(url: str, target: str | Path, plateifu: str | None = None, link: bool = False) -> None:
    """Fetch a FITS file, verify it, and give it its final name.

    Parameters
    ----------
    url : str
        http(s)://, file://, or a path.
    target : path-like
        Final name; nothing has that name until the file is whole.
    plateifu : str, optional
        The galaxy whose cube this must be; for files without PLATEIFU, None.
    link : bool
        Make a symbolic link to a local file instead of a copy.

    Raises
    ------
    DownloadError
        If the file is not there, is cut, damaged or no FITS file, or holds another galaxy.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    source = local_path(url)
    try:
        if source is None:
            _stream(url, part)
        elif not source.is_file():
            raise DownloadError(f"{source} does not exist; check survey.base in the configuration.")
        elif link:
            part.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, part)
        verify(part, plateifu, url)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def local_path(url: str) -> Path | None:
    """Path of a file:// address or a plain path; None for http(s)."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return None
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)


def verify(path: Path, plateifu: str | None, url: str) -> None:
    """Check that a file is an undamaged FITS file (gzip or plain) of the galaxy asked for.

    Raises
    ------
    DownloadError
        Naming the address and what is wrong.
    """
    try:
        header = _check_integrity(path)
    except (OSError, EOFError, zlib.error, fits.VerifyError) as error:
        raise DownloadError(
            f"{url} did not arrive as a whole FITS file ({error}). Run again to fetch it anew."
        ) from error
    found = str(header.get("PLATEIFU", "")).strip()
    if plateifu is not None and found != plateifu:
        raise DownloadError(f"{url} holds the cube of '{found}', not of {plateifu}. Report it to the archive.")


def _stream(url: str, part: Path) -> None:
    try:
        with (
            httpx.stream("GET", url, timeout=_TIMEOUT, follow_redirects=True) as response,
            part.open("wb") as f,
        ):
            if response.status_code != httpx.codes.OK:
                raise DownloadError(f"{url} answered {response.status_code} {response.reason_phrase}.")
            for block in response.iter_raw(_BLOCK):
                f.write(block)
            expected = response.headers.get("Content-Length")
    except httpx.HTTPError as error:
        raise DownloadError(
            f"{url} could not be fetched ({error or type(error).__name__}). Run again to retry."
        ) from error
    if expected is not None and part.stat().st_size != int(expected):
        raise DownloadError(f"{url} was cut: {part.stat().st_size} of {expected} bytes. Run again to fetch it anew.")


def _check_integrity(path: Path) -> fits.Header:
    """Primary header, after reading a gzip file to its end (its checksum) or opening all HDUs of a plain one."""
    with path.open("rb") as f:
        zipped = f.read(2) == b"\x1f\x8b"
    if zipped:
        with gzip.open(path) as f:
            head = f.read(_BLOCK)
            size = len(head)
            while block := f.read(_BLOCK):
                size += len(block)
        if size % 2880:
            raise OSError(f"{size} bytes are no whole number of FITS blocks")
        return fits.Header.fromstring(_header_text(head))
    with fits.open(path) as hdus:
        hdus.verify("exception")
        return hdus[0].header.copy()


def _header_text(head: bytes) -> str:
    if not head.startswith(b"SIMPLE  ="):
        raise OSError("the content is not FITS")
    for end in range(2880, len(head) + 1, 2880):
        block = head[end - 2880 : end].decode("ascii", "replace")
        if any(block[i : i + 80].rstrip() == "END" for i in range(0, 2880, 80)):
            return head[:end].decode("ascii", "replace").split("END" + " " * 77)[0]
    raise OSError("the FITS header has no end")
