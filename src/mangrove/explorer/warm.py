"""Views made once in the background while the first page is read, so that the first visit of each finds all it needs.

A survey's indices take a second to make and some libraries one to import: neither may keep the first page waiting, nor the
first click.
"""

import threading
from collections.abc import Callable
from importlib import import_module

# Figures look whether pandas is among the loaded modules, and fail where another thread is just loading it (with xarray,
# for a view): it is there before the first figure.
import pandas  # noqa: F401
from flask import Flask, Response, request

#: Libraries that some pages need and that take half a second and more to import.
_SLOW = ("astropy.cosmology", "astropy.visualization", "matplotlib.image", "xarray")


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


def import_slow_libraries() -> None:
    """Import what pages need beyond the first, before anything else in the background.

    A page that needs one of them while it is being imported waits until all of it is there.
    """
    for name in _SLOW:
        import_module(name)
