"""Fetching cubes from an archive that fails in every way, from folders and from a mirror."""

import gzip
import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from archive_server import answer, cut, replaced, serving, stall, trickle, whole, wrong_length
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mangrove import artefacts
from mangrove.errors import DownloadError, MissingError
from mangrove.survey.archive.download import fetch
from mangrove.survey.archive.integrity import Damaged, Wanted, check
from mangrove.survey.archive.placeholder import write_placeholder
from mangrove.survey.archive.transfer import MAX_RETRY_AFTER, Patience
from mangrove.survey.readers.missing import reason_missing_in

NAME = "manga-8485-1901-LOGCUBE.fits.gz"
PATH = f"sas/dr17/{NAME}"
CUT = 500_000
HTML = b"<!DOCTYPE html><html>The archive is being mended.</html>" * 100


def plain_cube(plateifu="8485-1901", drpver="v3_1_1", seed=1) -> bytes:
    """A FITS file of three HDUs with checksums."""
    rng = np.random.default_rng(seed)
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(rng.normal(size=(100, 40, 40)).astype(">f4"), name="FLUX")])
    hdus.append(fits.BinTableHDU.from_columns([fits.Column("text", "5A", array=["ab", "c"])], name="OBSINFO"))
    hdus[0].header["PLATEIFU"], hdus[0].header["VERSDRP3"] = plateifu, drpver
    for hdu in hdus:
        hdu.add_checksum()
    content = io.BytesIO()
    hdus.writeto(content)
    return content.getvalue()


PLAIN = plain_cube()
CUBE = gzip.compress(PLAIN, 1, mtime=0)


@pytest.fixture
def archive():
    """An archive with the cube of 8485-1901."""
    with serving({PATH: CUBE}) as server:
        yield server


@pytest.fixture
def target(tmp_path):
    """The final name of a cube."""
    return tmp_path / "data" / NAME


def get(archive, target, attempts=4, timeout=5.0, **options) -> list[float]:
    """Fetch the cube; the waits between the attempts, which are not waited for."""
    waits: list[float] = []
    patience = Patience(timeout, attempts, waits.append)
    fetch(archive.url(PATH), target, "8485-1901", drpver="v3_1_1", patience=patience, **options)
    return waits


def left_behind(target) -> set[str]:
    """Names of the files beside the target."""
    return {path.name for path in target.parent.iterdir()}


def test_a_cube_arrives_whole_and_alone(archive, target):
    assert get(archive, target) == []
    assert target.read_bytes() == CUBE
    assert left_behind(target) == {NAME}


@pytest.mark.parametrize("fault", [cut(CUT), stall(CUT)])
def test_what_was_cut_or_stalled_goes_on_where_it_ended(archive, target, fault):
    archive.faults[PATH] = [fault]
    assert len(get(archive, target, timeout=0.2)) == 1
    first, second = archive.requests
    assert (first.sent, second.range, second.status, second.sent) == (CUT, f"bytes={CUT}-", 206, len(CUBE) - CUT)
    assert target.read_bytes() == CUBE
    assert left_behind(target) == {NAME}


@pytest.mark.parametrize(("etag", "last_modified"), [(True, True), (False, True), (False, False)])
def test_a_range_needs_a_validator(archive, target, etag, last_modified):
    archive.etag, archive.last_modified = etag, last_modified
    archive.faults[PATH] = [cut(CUT)]
    get(archive, target)
    marks = archive.requests[1].if_range
    assert (marks is not None) == (etag or last_modified)
    assert marks is None or marks.startswith('"') == etag
    assert archive.requests[1].sent == len(CUBE) - (CUT if marks else 0)
    assert target.read_bytes() == CUBE


def test_a_weak_etag_is_no_validator(archive, target):
    archive.faults[PATH] = [
        lambda handler, content: (handler.head(200, {"ETag": 'W/"1"', "Content-Length": str(len(content))}),
                                  handler.body(content[:CUT]), handler.hang_up())
    ]  # fmt: skip
    get(archive, target)
    assert archive.requests[1].range is None


def test_a_server_without_ranges_sends_all_again(archive, target):
    archive.ranges = False
    archive.faults[PATH] = [cut(CUT)]
    get(archive, target)
    assert [r.sent for r in archive.requests] == [CUT, len(CUBE)]
    assert target.read_bytes() == CUBE


@pytest.mark.parametrize("polite", [True, False], ids=["If-Range heeded", "If-Range ignored"])
def test_a_file_that_changes_between_two_ranges_is_fetched_anew(archive, target, polite):
    newer = gzip.compress(plain_cube(seed=2), 1, mtime=0)

    def other_version(handler, content):
        if not polite:
            del handler.headers["If-Range"]
        replaced(newer)(handler, content)

    archive.faults[PATH] = [cut(CUT), other_version]
    get(archive, target)
    assert target.read_bytes() == newer


def test_parts_of_two_files_with_one_validator_are_fetched_anew(archive, target):
    """A server whose validator lies: only the check of the whole finds it."""
    newer = gzip.compress(plain_cube(seed=2), 1, mtime=0)
    marks = {"ETag": '"same"', "Content-Length": str(len(newer))}

    def first(handler, _):
        handler.head(200, marks)
        handler.body(CUBE[:CUT])
        handler.hang_up()

    def rest(handler, _):
        span = f"bytes {CUT}-{len(newer) - 1}/{len(newer)}"
        handler.head(206, marks | {"Content-Length": str(len(newer) - CUT), "Content-Range": span})
        handler.body(newer[CUT:])

    archive.faults[PATH], archive.files[PATH] = [first, rest], newer
    get(archive, target)
    assert target.read_bytes() == newer


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_busy_server_is_asked_again(archive, target, status):
    archive.faults[PATH] = [answer(status), answer(status)]
    waits = get(archive, target)
    # Half of the back-off is fixed, half is drawn.
    assert 0.5 <= waits[0] <= 1 and 1 <= waits[1] <= 2
    assert target.read_bytes() == CUBE


def http_date(seconds: float) -> str:
    """The date in so many seconds."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("asked", "least"),
    [("20", 20), (100, 95), ("1000000", MAX_RETRY_AFTER), (-50, 0.5), ("soon", 0.5)],
    ids=["seconds", "date", "too long", "date gone by", "nonsense"],
)
def test_retry_after_is_honoured_up_to_a_limit(archive, target, asked, least):
    """Text is sent as it is, a number as the date in so many seconds."""
    archive.faults[PATH] = [answer(429, Retry_After=asked if isinstance(asked, str) else http_date(asked))]
    (wait,) = get(archive, target)
    assert least <= wait <= least + 10


def test_the_wait_grows_and_ends(archive, target):
    archive.faults[PATH] = [answer(500)] * 20
    waits: list[float] = []
    with pytest.raises(DownloadError, match=r"could not be fetched in 10 attempts \(500"):
        fetch(archive.url(PATH), target, patience=Patience(5.0, 10, waits.append))
    assert waits == sorted(waits[:6]) + waits[6:] and max(waits) <= 60
    assert len(archive.requests) == 10 and len(waits) == 9
    assert left_behind(target) == set()


def test_a_slow_trickle_ends(archive, target):
    archive.faults[PATH] = [trickle(0.02)]
    start = time.monotonic()
    with pytest.raises(DownloadError, match="too slow"):
        get(archive, target, attempts=1, timeout=0.5)
    assert time.monotonic() - start < 3
    assert not target.exists()


@pytest.mark.parametrize(
    ("fault", "error", "message", "requests"),
    [
        (cut(1000), DownloadError, "could not be fetched in 2 attempts", 2),
        (stall(0), DownloadError, "timed out", 2),
        (wrong_length(+1000), DownloadError, "could not be fetched in 2 attempts", 2),
        (wrong_length(-1000), DownloadError, "did not arrive as a complete FITS file", 1),
        (answer(404), MissingError, "404 Not Found: the archive has no such file", 1),
        (answer(410), MissingError, "410 Gone", 1),
        (answer(401), DownloadError, "401 Unauthorized: the archive does not allow access", 1),
        (answer(403), DownloadError, "403 Forbidden: the archive does not allow access", 1),
        (answer(400), DownloadError, "400 Bad Request", 1),
        (answer(503), DownloadError, "in 2 attempts .503", 2),
        (answer(302, Location="ftp://elsewhere/"), DownloadError, "could not be fetched", 1),
        (answer(200, HTML), DownloadError, "it is a web page, not FITS", 1),
        (answer(200, b""), DownloadError, "it is empty", 1),
        (answer(200, bytes(range(256)) * 50), DownloadError, "something that begins with", 1),
        (answer(200, gzip.compress(HTML)), DownloadError, "it is a web page, not FITS", 1),
    ],
)
def test_a_lasting_fault_is_an_error_and_no_file(archive, target, fault, error, message, requests):
    archive.faults[PATH] = [fault] * 5
    with pytest.raises(error, match=message) as caught:
        get(archive, target, attempts=2, timeout=1.0)
    assert type(caught.value) is error and archive.url(PATH) in str(caught.value)
    assert not target.exists()
    assert len(archive.requests) == requests


def test_nobody_at_the_address_is_an_error(target):
    with serving({}) as server:
        url = server.url(PATH)
    server.server_close()
    with pytest.raises(DownloadError, match="in 2 attempts"):
        fetch(url, target, patience=Patience(0.5, 2, lambda seconds: None))
    assert left_behind(target) == set()


def flipped(content: bytes, where: int) -> bytes:
    """The content with one bit changed."""
    return content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]


BAD_CUBES = {
    "cut gzip": (CUBE[: len(CUBE) // 2], "complete FITS file .gzip"),
    "cut in the gzip trailer": (CUBE[:-4], "complete FITS file .gzip"),
    "wrong CRC": (flipped(CUBE, len(CUBE) - 6), "complete FITS file .gzip"),
    "wrong gzip length": (flipped(CUBE, len(CUBE) - 1), "complete FITS file .gzip"),
    "bytes after the gzip": (CUBE + b"garbage", "complete FITS file .gzip"),
    "cut FITS": (gzip.compress(PLAIN[:100_000]), "ends in the data of HDU 1"),
    "cut in a header": (gzip.compress(PLAIN[:1000]), "ends in the header of HDU 0"),
    "bytes after the last HDU": (gzip.compress(PLAIN + b"x" * 2880), "HDU 2 is followed by bytes that are not an HDU"),
    "a header without a size": (gzip.compress(PLAIN.replace(b"NAXIS1  ", b"NAXIS9  ", 1)), "does not give its size"),
    "an impossible type": (gzip.compress(PLAIN.replace(b"  -32 /", b"  -33 /", 1)), "BITPIX -33"),
    "bad DATASUM": (gzip.compress(flipped(PLAIN, 200_000)), "HDU 1 does not agree with its DATASUM"),
    "bad CHECKSUM": (gzip.compress(PLAIN.replace(b"'OBSINFO", b"'obsinfo")), "HDU 2 does not agree with its CHECKSUM"),
    "another galaxy": (gzip.compress(plain_cube("8485-1902")), "holds the cube of '8485-1902', not of 8485-1901"),
    "another version": (
        gzip.compress(plain_cube(drpver="v2_4_3")),
        "version 'v2_4_3' of the data reduction pipeline, not v3_1",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD_CUBES.values(), ids=BAD_CUBES)
@pytest.mark.parametrize("way", ["http", "file", "mirror", "link"])
def test_a_bad_cube_never_gets_the_final_name(archive, target, tmp_path, content, message, way):
    archive.files[PATH] = content
    (tmp_path / PATH).parent.mkdir(parents=True)
    (tmp_path / PATH).write_bytes(content)
    ways = {"mirror": {"base": archive.base, "mirror": str(tmp_path)}, "link": {"link": True}}
    url = archive.url(PATH) if way in ("http", "mirror") else f"file://{tmp_path / PATH}"
    with pytest.raises(DownloadError, match=message):
        fetch(url, target, "8485-1901", drpver="v3_1_1", **ways.get(way, {}))
    assert left_behind(target) == set()
    assert len(archive.requests) == (way == "http")


def test_a_wrong_cube_is_refused_after_its_header(archive, target):
    """Not after the tens of megabytes that follow it."""
    archive.faults[PATH] = [
        lambda handler, _: (handler.head(200, {"Content-Length": "1000000000"}),
                            handler.body(gzip.compress(plain_cube("8485-1902"), 1)), handler.server.closing.wait(60))
    ]  # fmt: skip
    with pytest.raises(DownloadError, match="8485-1902"):
        get(archive, target, attempts=1, timeout=0.3)
    assert not target.exists()


#: Where HDUs with data end: what is cut there is a whole file of fewer. Packed files, and lengths that servers state, tell.
WHOLE = set(np.cumsum([hdu.filebytes() for hdu in fits.open(io.BytesIO(PLAIN))])[1:].tolist())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PLAIN) - 1).filter(lambda size: size not in WHOLE))
@example(2880)
def test_no_beginning_of_a_file_passes_for_the_whole(size):
    with pytest.raises(Damaged):
        check(io.BytesIO(PLAIN[:size]), Wanted())


@pytest.mark.parametrize(
    "content",
    [PLAIN, CUBE, gzip.compress(PLAIN[:150_001]) + gzip.compress(PLAIN[150_001:]), CUBE + b"\0" * 700],
    ids=["plain", "gzip", "gzip of two members", "gzip padded with zeros"],
)
def test_sound_files_pass(content):
    check(io.BytesIO(content), Wanted("8485-1901", "v3_1_1"))


def test_wrong_sums_of_a_file_of_the_users_own_are_a_warning(target, tmp_path, caplog):
    (tmp_path / "edited.fits").write_bytes(PLAIN.replace(b"'OBSINFO", b"'obsinfo"))
    fetch(str(tmp_path / "edited.fits"), target, sums=False)
    assert target.is_file() and "HDU 2 does not agree with its CHECKSUM" in caplog.messages


KILLED = """\
import sys
from mangrove.survey.archive.download import fetch
fetch(sys.argv[1], sys.argv[2], "8485-1901")
"""


def test_a_killed_download_leaves_no_file_and_goes_on_next_time(archive, target):
    archive.faults[PATH] = [stall(CUT)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, archive.url(PATH), str(target)])
    part = target.with_name(f".{NAME}.partial")
    deadline = time.monotonic() + 20
    while not (part.is_file() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    arrived = part.stat().st_size
    assert 0 < arrived <= CUT and not target.exists()
    # The sweep at the start of the next run leaves it alone.
    assert artefacts.sweep(target.parent) == []
    get(archive, target)
    assert archive.requests[-1].range == f"bytes={arrived}-"
    assert archive.requests[-1].sent == len(CUBE) - arrived
    assert target.read_bytes() == CUBE
    assert left_behind(target) == {NAME}


@pytest.mark.parametrize(
    "kept",
    [CUBE[:CUT], CUBE, flipped(CUBE, 1000)[:CUT], CUBE + b"more"],
    ids=["begun", "whole", "damaged", "too long"],
)
def test_a_part_of_a_killed_run_is_used_only_if_it_fits(archive, target, kept):
    archive.faults[PATH] = [cut(CUT)]
    with pytest.raises(DownloadError, match="in 1 attempts"):
        get(archive, target, attempts=1)
    assert left_behind(target) == {f".{NAME}.partial", f".{NAME}.partial.json"}
    target.with_name(f".{NAME}.partial").write_bytes(kept)
    get(archive, target)
    assert target.read_bytes() == CUBE
    assert left_behind(target) == {NAME}


@pytest.mark.parametrize("sidecar", ["", "[]", '{"url": "other", "validator": "x", "length": 5}', '{"url": 1}'])
def test_a_part_of_unknown_origin_is_not_used(archive, target, sidecar):
    target.parent.mkdir()
    target.with_name(f".{NAME}.partial").write_bytes(CUBE[:CUT])
    target.with_name(f".{NAME}.partial.json").write_text(sidecar)
    get(archive, target)
    assert archive.requests[0].range is None
    assert target.read_bytes() == CUBE


def test_two_processes_may_fetch_one_cube(archive, target):
    both = threading.Barrier(2)

    def together(handler, content):
        both.wait(10)
        whole(handler, content)

    archive.faults[PATH] = [together] * 2
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(get, archive, target) for _ in range(2)]:
            assert done.result() == []
    assert target.read_bytes() == CUBE
    assert left_behind(target) == {NAME}


@pytest.fixture
def folder(tmp_path):
    """A folder with the archive's layout."""
    path = tmp_path / "an archive" / PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(CUBE)
    (path.parent / "drpall.fits").write_bytes(PLAIN)
    return tmp_path / "an archive"


@pytest.mark.parametrize("link", [True, False], ids=["link", "copy"])
@pytest.mark.parametrize("way", ["path", "file://", "mirror", "mirror by file://"])
def test_local_cubes_are_linked_or_copied(folder, target, link, way):
    bases = {"path": str(folder), "file://": folder.as_uri(), "mirror": "http://127.0.0.1:9/"}
    base = bases.get(way, bases["mirror"])
    mirror = {"mirror": str(folder), "mirror by file://": folder.as_uri()}.get(way, "")
    fetch(f"{base.rstrip('/')}/{PATH}", target, "8485-1901", link, drpver="v3_1_1", base=base, mirror=mirror)
    assert target.read_bytes() == CUBE
    assert target.is_symlink() == link
    assert left_behind(target) == {NAME}


def test_what_the_mirror_lacks_comes_from_the_archive(archive, target, tmp_path):
    get(archive, target, base=archive.base, mirror=str(tmp_path))
    assert len(archive.requests) == 1
    assert target.read_bytes() == CUBE


def test_a_mirror_that_is_not_there_is_an_error(archive, target, tmp_path):
    with pytest.raises(DownloadError, match=r"survey.mirror: the folder .*elsewhere does not exist"):
        get(archive, target, base=archive.base, mirror=str(tmp_path / "elsewhere"))
    assert not target.exists() and not archive.requests


def test_a_file_that_a_folder_lacks_is_missing(folder, target):
    with pytest.raises(MissingError, match=r"none.fits.gz does not exist; check survey.base"):
        fetch(f"{folder}/none.fits.gz", target)
    with pytest.raises(MissingError):
        fetch(f"{folder}/sas/none.fits.gz", target, base=str(folder))
    with pytest.raises(DownloadError, match=r"the folder .*/unmounted/sas does not exist; check survey.base") as caught:
        fetch(f"{folder}/unmounted/sas/none.fits.gz", target, base=f"{folder}/unmounted")
    assert not isinstance(caught.value, MissingError)


def test_a_wrong_address_does_not_make_all_cubes_missing(archive, target):
    with pytest.raises(MissingError):
        fetch(archive.url("sas/none.fits.gz"), target, base=archive.base)
    with pytest.raises(DownloadError, match=r"/sas/sas/ either: survey.base is not the archive") as caught:
        fetch(archive.url(f"sas/{PATH}"), target, base=archive.url("sas/"))
    assert not isinstance(caught.value, MissingError)


def test_a_plain_file_arrives(folder, target):
    fetch(str(folder / "sas/dr17/drpall.fits"), target)
    assert target.read_bytes() == PLAIN


def test_rate_and_total_are_logged(archive, target, caplog):
    caplog.set_level("INFO", "mangrove")
    get(archive, target)
    total = f"{len(CUBE) / 1e6:.1f}"
    assert any(f"{NAME}: {total} of {total} MB, " in text and "MB/s" in text for text in caplog.messages)


def test_a_placeholder_tells_what_is_missing(tmp_path):
    reason = "the archive has no cube of this galaxy"
    for name in ("a.fits.gz", "b.fits.gz"):
        write_placeholder(tmp_path / name, "8485-1901", reason)
    check(io.BytesIO((tmp_path / "a.fits.gz").read_bytes()), Wanted("8485-1901"))
    assert reason_missing_in(tmp_path / "a.fits.gz") == reason
    assert (tmp_path / "a.fits.gz").read_bytes() == (tmp_path / "b.fits.gz").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.fits.gz", "b.fits.gz"}


@pytest.mark.parametrize("content", [CUBE, CUBE[:100], HTML, b""], ids=["cube", "cut", "page", "empty"])
def test_other_files_are_no_placeholders(tmp_path, content):
    path = Path(tmp_path / "cube.fits.gz")
    path.write_bytes(content)
    assert reason_missing_in(path) is None
