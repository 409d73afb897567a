"""Fetching cubes: complete, verified, and only then under the final name."""

import os
import uuid
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mangrove.errors import DownloadError, MissingError
from mangrove.survey.archive import partial, transfer
from mangrove.survey.archive.integrity import Checker, Damaged, Wanted, WrongFile, check
from mangrove.survey.archive.progress import Progress
from mangrove.survey.archive.transfer import Patience

_PIECE = 1 << 20
#: What to do about a damaged file that is not the archive's.
_OWN_FILE = "Replace it by a complete file, or correct survey.base, survey.mirror or the column 'path' of the sheet."


def fetch(
    url: str,
    target: str | Path,
    plateifu: str | None = None,
    link: bool = False,
    *,
    drpver: str | None = None,
    sums: bool = True,
    base: str = "",
    mirror: str = "",
    patience: Patience | None = None,
) -> None:
    """Fetch a FITS file, verify it while it comes, and give it its final name.

    Verified are length, gzip, structure and checksums of all HDUs, and whose cube it is (see
    :func:`mangrove.survey.archive.integrity.check`), for local files as for those of a server.

    Parameters
    ----------
    url : str
        http(s)://, file://, or a path.
    target : path-like
        Final name; nothing has that name until the file is whole.
    plateifu, drpver : str, optional
        The galaxy whose cube this must be, and the version of the reduction; None where the file does not say.
    sums : bool
        Whether a wrong FITS checksum is an error; a warning otherwise.
    link : bool
        Make a symbolic link to a local file instead of a copy.
    base, mirror : str
        Beginning of ``url``, and a local folder (path or file://) of the same layout in which the file is looked for
        first; empty for none.
    patience : Patience, optional
        How long to try; by default six attempts.

    Raises
    ------
    MissingError
        If neither the mirror nor the archive has the file.
    DownloadError
        If the file cannot be had, is cut, damaged or no FITS file, or holds another galaxy or version.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(plateifu, drpver, sums)
    source = in_mirror(url, base, mirror) or _existing(url, base)
    try:
        if source is None:
            _from_server(url, target, wanted, base, patience or Patience())
        else:
            url = str(source)
            _from_disk(source, target, wanted, link)
    except Damaged as error:
        what, how = (
            ("is not a", _OWN_FILE) if source is not None else ("did not arrive as a", "Run again to fetch it again.")
        )
        raise DownloadError(f"{url} {what} complete FITS file ({error}). {how}") from error
    except WrongFile as error:
        raise DownloadError(f"{url} {error}") from error
    except OSError as error:
        raise DownloadError(f"{url} could not be copied to {target} ({error}).") from error


def local_path(url: str) -> Path | None:
    """Path of a file:// address or a plain path; None for http(s)."""
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        return None
    return Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)


def in_mirror(url: str, base: str, mirror: str) -> Path | None:
    """The file of an address below ``base`` in the mirror; None if the mirror, or an empty one, lacks it.

    Raises
    ------
    DownloadError
        If the mirror is no folder.
    """
    if not mirror:
        return None
    folder = local_path(mirror)
    if folder is None or not folder.is_dir():
        raise DownloadError(
            f"survey.mirror: the folder {mirror} does not exist; correct the path, mount it, or leave the key empty."
        )
    path = folder / url.removeprefix(base.rstrip("/")).lstrip("/")
    return path if path.is_file() else None


def _existing(url: str, base: str) -> Path | None:
    """The file of a local address, which must be there; None for http(s)."""
    path = local_path(url)
    if path is None or path.is_file():
        return path
    top = local_path(_top(url, base)) if base else None
    if top is not None and not top.is_dir():
        raise DownloadError(f"the folder {top} does not exist; check survey.base and whether the folder is mounted.")
    raise MissingError(
        f"{path} does not exist; check survey.base and, if survey.source is files, the column path of the sample sheet."
    )


def _top(url: str, base: str) -> str:
    """The first folder of ``url`` below ``base``: an archive without it is not the archive."""
    base = base.rstrip("/")
    return f"{base}/{url.removeprefix(base).lstrip('/').partition('/')[0]}/"


def _from_server(url: str, target: Path, wanted: Wanted, base: str, patience: Patience) -> None:
    with partial.opened(target) as part, closing(Checker(wanted)) as checker:
        try:
            transfer.download(url, part, checker, patience)
        except WrongFile:
            part.restart(None)
            raise
        except MissingError as error:
            # With a wrong address nothing would be found, and every galaxy would count as missing.
            if base and not transfer.exists(_top(url, base), patience):
                raise DownloadError(
                    f"{error} It does not have {_top(url, base)} either: survey.base is not the archive."
                ) from error
            raise
        part.publish(target)


def _from_disk(source: Path, target: Path, wanted: Wanted, link: bool) -> None:
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        if link:
            with source.open("rb") as f:
                check(f, wanted)
            part.symlink_to(source.resolve())
        else:
            _copy(source, part, wanted)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, part: Path, wanted: Wanted) -> None:
    progress = Progress(source.name, source.stat().st_size)
    with closing(Checker(wanted)) as checker, source.open("rb") as f, part.open("wb") as copy, progress:
        while piece := f.read(_PIECE):
            copy.write(piece)
            checker.feed(piece)
            progress.add(len(piece))
        checker.finish()
        copy.flush()
        os.fsync(copy.fileno())
