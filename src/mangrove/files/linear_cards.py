"""Cards of a frame's linear part that WCS libraries pass over or guess: text for a number, two matrices, a missing row."""

import re

from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.files.fits_stream import number

_LINEAR = re.compile(r"(?:CRPIX|CRVAL|CDELT|CROTA)[1-3]|(?:CD|PC)[1-3]_[1-3]")
_N_AXES = 3


def check_linear(header: fits.Header, axes: tuple[int, ...]) -> None:
    """Refuse cards that leave the step along some axis undetermined.

    WCSLIB takes 1 where a card is text, and for an axis without any card of a CD matrix that others have; of CD and PC
    side by side, which the FITS Standard forbids (4.0, section 8.1), it mixes both.

    Parameters
    ----------
    header : Header
    axes : tuple of int
        From 1, as FITS counts.

    Raises
    ------
    CubeError
        If a card is no number, CD and PC stand beside each other, or the CD matrix lacks one of the axes.
    """
    values = {key: number(header, key) for key in header if _LINEAR.fullmatch(key)}
    matrices = {kind: [key for key in values if key.startswith(kind)] for kind in ("CD", "PC")}
    matrices["CD"] = [key for key in matrices["CD"] if "_" in key]
    if matrices["CD"] and matrices["PC"]:
        raise CubeError(
            f"its header has {matrices['CD'][0]} and {matrices['PC'][0]}: CD and PC exclude each other. Delete one of the two matrices."
        )
    for axis in axes:
        row = [f"CD{axis}_{j}" for j in range(1, _N_AXES + 1)]
        if matrices["CD"] and not any(values.get(key) for key in row):
            raise CubeError(
                f"axis {axis} of its WCS has no step: CD{axis}_{axis} is missing or 0, and CDELT{axis} is ignored if there is a CD matrix "
                f"({matrices['CD'][0]}). Write CD{axis}_{axis}."
            )
