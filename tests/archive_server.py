"""An archive on loopback that serves files from memory, keeps a record of what it sent, and fails as told."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CHANGED = 1_600_000_000


@dataclass
class Request:
    """What was asked for, and how many bytes of content went out; written before they go, so no client is ahead."""

    path: str
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0


class Archive(ThreadingHTTPServer):
    """A server of ``files`` (content by path).

    Attributes
    ----------
    faults : dict of str to list
        Per path, what answers its next requests in place of the file; then the file itself is served.
    requests : list of Request
    etag, last_modified, ranges : bool
        What the server supports.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.requests = dict(files), []
        self.faults: dict[str, list[Callable[[_Handler, bytes], None]]] = {}
        self.etag = self.last_modified = self.ranges = True
        self.closing = threading.Event()

    @property
    def base(self) -> str:
        """Address of the archive."""
        return f"http://127.0.0.1:{self.server_port}"

    def url(self, path: str) -> str:
        """Address of a file."""
        return f"{self.base}/{path}"

    def handle_error(self, request, client_address):
        """A client that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: Archive
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.asked = Request(self.path.lstrip("/"), self.headers.get("Range"), self.headers.get("If-Range"))
        self.server.requests.append(self.asked)
        faults = self.server.faults.get(self.asked.path, [])
        (faults.pop(0) if faults else whole)(self, self.server.files.get(self.asked.path))

    def do_HEAD(self):
        path = self.path.lstrip("/")
        self.send_response(200 if any(name.startswith(path) for name in self.server.files) else 404)
        self.end_headers()

    def head(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers."""
        self.asked.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def body(self, content: bytes) -> None:
        """Send content."""
        self.asked.sent += len(content)
        self.wfile.write(content)

    def validators(self, content: bytes) -> dict[str, str]:
        """The headers that mark a version of the content."""
        digest = hashlib.sha256(content).hexdigest()
        named = {"ETag": f'"{digest[:16]}"'} if self.server.etag else {}
        date = formatdate(_CHANGED + int(digest[:6], 16), usegmt=True)
        return named | ({"Last-Modified": date} if self.server.last_modified else {})

    def hang_up(self) -> None:
        """Cut the connection."""
        self.close_connection = True

    def log_message(self, *args):
        """Tests read the record, not the log."""


def whole(handler: _Handler, content: bytes | None, length: int | None = None, send=None) -> None:
    """The file, or its range; ``length`` and ``send`` say what is told and sent in place of the right thing."""
    if content is None:
        answer(404)(handler, None)
        return
    marks, first = handler.validators(content), 0
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if asked and handler.server.ranges and handler.headers.get("If-Range") in (None, *marks.values()):
        first = int(asked[1])
        if first >= len(content):
            handler.head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        marks["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
    rest = content[first:]
    handler.head(206 if "Content-Range" in marks else 200, marks | {"Content-Length": str(length or len(rest))})
    (send or handler.body)(rest)


def answer(status: int, body: bytes = b"", **headers: str):
    """Fault: this status, with headers (underscores for hyphens) and body."""

    def fault(handler, content):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.head(status, named | {"Content-Length": str(len(body))})
        handler.body(body)

    return fault


def cut(after: int):
    """Fault: the connection ends after so many bytes."""

    def fault(handler, content):
        whole(handler, content, send=lambda rest: handler.body(rest[:after]))
        handler.hang_up()

    return fault


def stall(after: int):
    """Fault: nothing more comes after so many bytes, but the connection stays."""

    def fault(handler, content):
        whole(handler, content, send=lambda rest: handler.body(rest[:after]))
        handler.server.closing.wait(60)
        handler.hang_up()

    return fault


def trickle(pause: float):
    """Fault: one byte at a time, with pauses of so many seconds."""

    def fault(handler, content):
        def send(rest):
            for i in range(len(rest)):
                handler.body(rest[i : i + 1])
                if handler.server.closing.wait(pause):
                    return

        whole(handler, content, send=send)
        handler.hang_up()

    return fault


def wrong_length(difference: int):
    """Fault: a Content-Length that is wrong by so many bytes; then the connection ends."""

    def fault(handler, content):
        length = len(content) + difference
        whole(handler, content, length=length, send=lambda rest: handler.body(rest[:length]))
        handler.hang_up()

    return fault


def replaced(content: bytes):
    """Fault: the file is another one from now on."""

    def fault(handler, _):
        handler.server.files[handler.asked.path] = content
        whole(handler, content)

    return fault


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Archive]:
    """An archive that runs in a thread for the length of the block."""
    with Archive(files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
