"""Spectra in files of their own, or in memory: FITS tables, HDF5, text. What the bytes are, they say themselves."""

import io
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

from mangrove.errors import MangroveError, SpectrumError
from mangrove.files import packed
from mangrove.notebook.spectrum_columns import SpectrumFile
from mangrove.notebook.spectrum_fits import read_fits
from mangrove.notebook.spectrum_hdf5 import read_hdf5
from mangrove.notebook.spectrum_text import read_text

_GZIP, _FITS, _HDF5 = b"\x1f\x8b", b"SIMPLE  =", b"\x89HDF\r\n\x1a\n"
#: Where HDF5 may begin: at the start, or after a block of the user's.
_HDF5_STARTS = (0, 512, 1024, 2048)
#: Largest content of a gzip file, bytes: a spectrum is far smaller, a bomb is not.
MAX_UNPACKED = 1 << 27


def read_spectrum(path) -> SpectrumFile:
    """Read the spectrum of a file.

    A table (of FITS, or of HDF5, or HDF5 datasets side by side, or of text: CSV) with a column of wavelengths (wave,
    wavelength or lambda, or loglam), and flux; ivar or error, mask, lsf, fwhm or wdisp if it has them. The redshift is a
    card or an attribute (Z, REDSHIFT), a comment of text ('# z = 0.02'), or a column of a table of one row, as SDSS has it
    in SPECOBJ. The content tells the format, not the name; it may be packed by gzip.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    SpectrumError
        If the file is missing, is damaged or of another format, holds no spectrum or more than one, or leaves in doubt
        what is meant.
    """
    path = Path(path)
    if not path.is_file():
        raise SpectrumError(f"{path} does not exist. Correct the path.")
    with path.open("rb") as file:
        return parse_spectrum(file, str(path))


def parse_spectrum(content: bytes | BinaryIO, name: str = "the file") -> SpectrumFile:
    """The spectrum in the bytes of a file, as :func:`read_spectrum` reads it.

    It looks at nothing but these bytes, and its memory is bounded: sizes are checked before anything is unpacked.

    Parameters
    ----------
    content : bytes, or binary file that is seekable
    name : str
        For messages.

    Raises
    ------
    SpectrumError
    """
    file = io.BytesIO(content) if isinstance(content, bytes | bytearray) else content
    try:
        return _parsed(file)
    except MangroveError as error:
        raise SpectrumError(f"{name}: {error}") from error
    except Exception as error:
        # On damaged bytes astropy and h5py raise nearly anything.
        about = f"{type(error).__name__}: {error}"[:200]
        raise SpectrumError(
            f"{name}: cannot be read as a spectrum ({about}). It must be a FITS table, HDF5 or CSV. Save it again."
        ) from error


def _parsed(file: BinaryIO) -> SpectrumFile:
    first = _first(file)
    if first.startswith(_GZIP):
        file = _unpacked(file)
        first = _first(file)
    if first.startswith(_FITS):
        return read_fits(file, _size(file))
    if any(_at(file, start, len(_HDF5)) == _HDF5 for start in _HDF5_STARTS):
        file.seek(0)
        return read_hdf5(file)
    if not first.strip():
        raise SpectrumError("is empty. Save or download it again.")
    if tool := packed.unpacking(first):
        raise SpectrumError(f"is {tool}.")
    if first.lstrip()[:1] == b"<":
        raise SpectrumError("is a web page or XML (VOTable): save the spectrum as a FITS table, HDF5 or CSV.")
    file.seek(0)
    return read_text(file)


def _first(file: BinaryIO) -> bytes:
    return _at(file, 0, packed.N_FIRST)


def _at(file: BinaryIO, start: int, n: int) -> bytes:
    file.seek(start)
    found = file.read(n)
    file.seek(0)
    return found


def _size(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _unpacked(file: BinaryIO) -> BinaryIO:
    try:
        with igzip.open(file) as packed_file:
            content = packed_file.read(MAX_UNPACKED + 1)
    except (OSError, EOFError, isal_zlib.error) as error:
        raise SpectrumError(f"is compressed (gzip) and damaged ({error}). Save or download it again.") from error
    if len(content) > MAX_UNPACKED:
        raise SpectrumError(f"unpacks to more than {MAX_UNPACKED >> 20} MiB; give the spectrum alone.")
    return io.BytesIO(content)
