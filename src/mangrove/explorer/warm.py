"""Views made once in the background while the first page is read, so that the first visit of each finds all it needs.

A survey's indices take a second to make and some libraries one to import: neither may keep the first page waiting, nor the
first click.
"""

import threading
from collections.abc import Callable

# Figures look whether pandas is among the loaded modules, and fail where another thread is just loading it (with xarray,
# for a view): it is there before the first figure.
import pandas  # noqa: F401
from flask import Flask, Response, request


def after_first_page(server: Flask, make: Callable[[], None]) -> None:
    """Call ``make`` once, when a page was served, in a thread that does not keep the process alive."""
    begun = threading.Event()

    @server.after_request
    def begin(response: Response) -> Response:
        # A page is what the server answers to a callback of the frame, which has been sent before.
        if request.method == "POST" and not begun.is_set():
            begun.set()
            threading.Thread(target=make, name="warm", daemon=True).start()
        return response
