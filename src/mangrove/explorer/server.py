"""The explorer as a server, until it is interrupted."""

import errno
import sys
import webbrowser
from pathlib import Path

from waitress.server import create_server

from mangrove.errors import MangroveError
from mangrove.explorer.app import create_app
from mangrove.explorer.security import BODY_BYTES, is_loopback

#: Requests that are answered at the same time.
_THREADS = 8
#: How long a thread that computes in Python may keep the others waiting, seconds: a page asks for many rows of files one after
#: the other, and after each it would wait for the views that are made in the background. Python's own is 0.005.
_SWITCH_INTERVAL = 0.0002


def serve(folder: Path, host: str = "127.0.0.1", port: int = 8050, open_browser: bool = False) -> None:
    """Serve the explorer of a run, and print its address; ends when it is interrupted (Ctrl+C).

    Parameters
    ----------
    folder : Path
        results/RUN.
    host : str
        Address to listen on. Anything but loopback lets others in, which a printed warning says.
    port : int
        0 takes any that is free.
    open_browser : bool
        Whether to open the page in the browser of this machine.

    Raises
    ------
    ArtefactError
        If there is no such folder.
    MangroveError
        If the port is in use, or the address is not one of this machine.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL)
    server = bound(folder, host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{server.effective_port}"
    if not is_loopback(host):
        print(
            f"Warning: on {host} everyone who reaches this machine can see the run, without a password and without "
            "encryption. For your own use from elsewhere, leave --host out and use an ssh tunnel (docs/explorer.md)."
        )
    print(f"The explorer of {folder} is {address} (Ctrl+C ends it)", flush=True)
    if open_browser:
        webbrowser.open(address)
    server.run()


def bound(folder: Path, host: str, port: int):
    """A server that listens but does not answer yet: its ``run()`` does, its ``effective_port`` says where.

    Raises
    ------
    ArtefactError, MangroveError
        As :func:`serve`.
    """
    app = create_app(folder, host, warm=True)
    try:
        return create_server(app.server, host=host, port=port, threads=_THREADS, max_request_body_size=BODY_BYTES)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise MangroveError(
                f"port {port} of {host} is in use, perhaps by another explorer: end that one, or choose another port with "
                f"--port {port + 1}."
            ) from None
        raise MangroveError(
            f"the explorer cannot listen on {host}, port {port} ({error.strerror}). --host takes an address of this machine, "
            "--port one from 1024 to 65535."
        ) from None
