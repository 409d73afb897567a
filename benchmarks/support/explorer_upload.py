"""A spectrum of a run that is brought to the explorer as a file."""

import base64
from collections.abc import Mapping
from typing import Any

from astropy.table import Table
from support.explorer_client import Visitor

from mangrove.explorer.downloads import fits_bytes

_PAGE = "your-spectrum"


def contents_of(given: Mapping[str, Any]) -> str:
    """A spectrum as a FITS table, as a browser sends a file.

    Parameters
    ----------
    given : mapping
        wave, flux, ivar, mask, lsf and z, as :meth:`mangrove.notebook.runs.Run.fit_arguments` has them.
    """
    table = Table({name: given[name] for name in ("wave", "flux", "ivar", "mask", "lsf")})
    table.meta |= {"Z": given["z"], "VACUUM": True}
    return f"data:application/fits;base64,{base64.b64encode(fits_bytes(table)).decode()}"


def upload(visitor: Visitor, contents: str) -> float:
    """Seconds until a file is read.

    Raises
    ------
    RuntimeError
        If it is refused.
    """
    took = visitor.click(f"{_PAGE}-sent", "data", contents)
    _check(visitor, f"{_PAGE}-problem")
    return took


def fit_anew(visitor: Visitor, i: int) -> float:
    """Seconds until the upload is fitted and placed, with the i-th E(B-V).

    Raises
    ------
    RuntimeError
        If it is not fitted.
    """
    visitor.put(f"{_PAGE}-ebv", "value", f"{0.01 + 0.001 * i:.3f}")
    took = visitor.click(f"{_PAGE}-go", "n_clicks", i + 1)
    _check(visitor, f"{_PAGE}-problem")
    if not visitor.shown(f"{_PAGE}-fitted", "data"):
        raise RuntimeError(f"the upload was not fitted: {visitor.shown(f'{_PAGE}-fit-part', 'children')}")
    return took


def _check(visitor: Visitor, problem: str) -> None:
    if told := visitor.shown(problem, "children"):
        raise RuntimeError(f"the upload was refused: {told}")
