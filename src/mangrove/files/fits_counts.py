"""Counts of axes and columns in headers of FITS files, which astropy takes on trust and counts up to."""

import re
from pathlib import Path

from astropy.utils.data import get_readable_fileobj

_MOST = 999
_CARD = re.compile(rb"(NAXIS   |TFIELDS )=\s*\+?(\d+)")
_CARD_BYTES = 80
#: Whole blocks of FITS, so that no card lies in two pieces.
_PIECE_BYTES = 2880 * 4096


def demand_possible_counts(path: str | Path) -> None:
    """Refuse a FITS file, packed or not, with more axes or columns than FITS allows: opening it would not end.

    Raises
    ------
    ValueError
        If NAXIS or TFIELDS of any HDU is above 999 (FITS standard 4.0, sections 4.4.1 and 7.2.1).
    OSError
        If the file cannot be read.
    """
    with get_readable_fileobj(str(path), encoding="binary") as file:
        while piece := file.read(_PIECE_BYTES):
            for card in _CARD.finditer(piece):
                # Elsewhere it is a part of a text, or of data.
                if card.start() % _CARD_BYTES == 0 and len(card[2].lstrip(b"0")) > len(str(_MOST)):
                    name = card[1].decode().strip()
                    raise ValueError(f"{name} is {card[2].decode()[:20]}, and FITS allows at most {_MOST}")
