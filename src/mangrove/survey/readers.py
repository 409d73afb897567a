"""Readers of data cubes: what a file holds decides which one reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mangrove.errors import CubeError
from mangrove.survey import logcube, muse, single_spectra
from mangrove.survey.cube import Cube
from mangrove.survey.fits_stream import read_hdus

#: In the order in which they are asked.
_READERS = (logcube, muse, single_spectra)
_IMAGES = frozenset(name for reader in _READERS for name in reader.HDUS)


def read_cube(path: str | Path, spectrum: int = -1) -> Cube:
    """Read a cube; what the file holds decides how.

    Parameters
    ----------
    path : path-like
        MaNGA LOGCUBE (DR15 or DR17), MUSE cube, or a file of MaNGA spectra; plain or gzip.
    spectrum : int
        Row of a file of single spectra, which becomes a cube of one spaxel.

    Raises
    ------
    CubeError
        If the file is damaged, or is none of these. The text names it.
    """
    with _mend(path, logcube.MEND):
        hdus = read_hdus(path, _IMAGES, logcube.LAST)
    reader = next((reader for reader in _READERS if reader.recognises(hdus)), None)
    if reader is None:
        raise CubeError(
            f"{path} holds the HDUs {', '.join(hdus)}: neither a MaNGA LOGCUBE, nor a MUSE cube, nor MaNGA spectra. "
            "Correct the column 'path' of the sample sheet; docs/data.md says which files can be read."
        )
    with _mend(path, reader.MEND):
        return reader.read(hdus, spectrum) if reader is single_spectra else reader.read(hdus)


@contextmanager
def _mend(path: str | Path, how: str) -> Iterator[None]:
    """Give errors of a cube the file's name and what to do about them."""
    try:
        yield
    except CubeError as error:
        raise CubeError(f"{path}: {error} {how}") from error
