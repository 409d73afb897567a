"""Views made once in the background while the first page is read, so that the first visit of each finds all it needs.

A survey's indices take a second to make and some libraries one to import: neither may keep the first page waiting, nor the
first click.
"""

import threading
from collections.abc import Callable, Iterable

from flask import Flask, Response, request


def after_first_page(server: Flask, makers: Iterable[Callable[[], object]]) -> None:
    """Call ``makers`` one after the other, in a thread that does not keep the process alive, once a page was served."""
    begun = threading.Event()

    @server.after_request
    def begin(response: Response) -> Response:
        # A page is what the server answers to a callback of the frame, which has been sent before.
        if request.method == "POST" and not begun.is_set():
            begun.set()
            threading.Thread(target=_call, args=(list(makers),), name="warm", daemon=True).start()
        return response


def _call(makers: list[Callable[[], object]]) -> None:
    for make in makers:
        make()
