"""The command that shows a run in the browser: ``mangrove explore RUN``."""

import os
import sys
from typing import Annotated

import typer

from mangrove.runs import run_folder


def explore(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="port of the page; 0 takes a free one")] = 8050,
    host: Annotated[str, typer.Option(help="address to listen on; others than 127.0.0.1 let others in")] = "127.0.0.1",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="open the page in the browser")] = False,
):
    """Show a run in the browser: its maps, anomalies, galaxies, the emulator, and a spectrum of yours (docs/explorer.md)."""
    from mangrove.explorer.server import serve

    serve(run_folder(run), host, port, open_browser)
    # Whoever reads a file in the background may have HDF5's lock: Python's own end would wait for it for ever. Nothing is
    # half written, and the processes that fit and read uploads end with the pipes to them.
    sys.stdout.flush()
    os._exit(0)
