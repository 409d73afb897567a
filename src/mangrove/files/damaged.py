"""What libraries raise over files that are damaged, or whose headers contradict themselves."""

import struct
import zlib
from tokenize import TokenError
from zipfile import BadZipFile

from astropy.io import fits

#: Beside those that say so, errors that a library never meant: it takes what a file states on trust.
DAMAGED = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError),
    *(RuntimeError, AssertionError, UnboundLocalError, fits.VerifyError, struct.error, zlib.error, BadZipFile),
    # Headers of NumPy's files are Python.
    *(SyntaxError, TokenError),
)
