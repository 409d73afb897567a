"""What libraries raise over files that are damaged, or whose headers contradict themselves."""

import lzma
import struct
import zlib
from tokenize import TokenError
from zipfile import BadZipFile

from astropy.io import fits

#: Beside those that say so, errors that a library never meant: it takes what a file states on trust.
DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError),
    *(RuntimeError, AssertionError, UnboundLocalError, fits.VerifyError, struct.error, zlib.error, BadZipFile),
    # Headers of NumPy's files are Python; some packings need packages that are not there.
    *(SyntaxError, TokenError, lzma.LZMAError, ImportError),
)
_LONGEST = 200


def words_of(error: Exception) -> str:
    """What a library says of a file, in one line of at most 200 characters: some repeat what the file holds."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:_LONGEST]
