"""Headers of tables and FITS files that astropy takes on trust: over some counts, sizes and units it never ends."""

import re
from collections.abc import Iterator
from pathlib import Path

from astropy.utils.data import get_readable_fileobj

from mangrove.files.units import is_endless

_MOST = 999
_CARD = re.compile(rb"(NAXIS   |TFIELDS )=\s*\+?(\d+)")
_NEGATIVE = re.compile(rb"(NAXIS[\d ]{3}|TFIELDS |PCOUNT  |GCOUNT  )=\s*(-[\d.]\S*)")
_TEXT = re.compile(rb"(NAXIS[\d ]{3}|TFIELDS |PCOUNT  |GCOUNT  |BITPIX  )=\s*('[^']{,70})")
_UNIT = re.compile(rb"(TUNIT[\d ]{3})=\s*'([^']{,70})")
#: As YAML and as XML have it.
_STATED = re.compile(r"\bunit(?::|=[\"'])([^,}\n\"'>]*)")
_CARD_BYTES = 80
#: Whole blocks of FITS, so that no card lies in two pieces.
_PIECE_BYTES = 2880 * 4096


def demand_bounded_headers(path: str | Path) -> None:
    """Refuse a FITS file, packed or not, over whose headers astropy would not end.

    It counts up to any number of axes or columns, and looks for the next HDU where the size says, even if that is where
    it has been; where a count is text, it repeats that text so often. Units of columns are parsed when it opens a table.

    Raises
    ------
    ValueError
        If NAXIS or TFIELDS of any HDU is above 999, or one of them, NAXISn, PCOUNT or GCOUNT below 0 or, as BITPIX, no number
        (FITS standard 4.0, sections 4.4.1 and 7), or the unit of a column has a power of four digits or more.
    OSError
        If the file cannot be read.
    """
    with get_readable_fileobj(str(path), encoding="binary") as file:
        while piece := file.read(_PIECE_BYTES):
            for card in _cards(_CARD, piece):
                if len(card[2].lstrip(b"0")) > len(str(_MOST)):
                    raise ValueError(f"{_told(card)}, and FITS allows at most {_MOST}")
            for card in _cards(_NEGATIVE, piece):
                raise ValueError(f"{_told(card)}, and FITS allows nothing below 0")
            for card in _cards(_TEXT, piece):
                raise ValueError(f"{_told(card)}', and FITS allows nothing but whole numbers")
            for card in _cards(_UNIT, piece):
                if is_endless(card[2].decode("ascii", "replace")):
                    raise ValueError(f"{_told(card)}, a power that no unit has")


def demand_bounded_units(text: str) -> None:
    """Refuse the header of an ECSV file, or a VOTable, with a unit that astropy would compute for minutes.

    Raises
    ------
    ValueError
        If a unit has a power of four digits or more.
    """
    for unit in _STATED.finditer(text):
        if is_endless(unit[1]):
            raise ValueError(f"there is the unit {unit[1].strip()[:40]}, a power that no unit has")


def _cards(pattern: re.Pattern, piece: bytes) -> Iterator[re.Match]:
    """Cards of a header; elsewhere the same is a part of a text, or of data."""
    return (card for card in pattern.finditer(piece) if card.start() % _CARD_BYTES == 0)


def _told(card: re.Match) -> str:
    name, value = (part.decode("ascii", "replace").strip() for part in card.groups())
    return f"{name} is {value[:20]}"
