"""Readers of data cubes: what a file holds decides which one reads it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from astropy.io.fits import VerifyError

from mangrove.errors import CubeError
from mangrove.files.fits_stream import Hdus, read_hdus
from mangrove.survey.cube import Cube
from mangrove.survey.readers import logcube, muse, single_spectra
from mangrove.survey.target import PLATEIFU

#: In the order in which they are asked.
_READERS = (logcube, muse, single_spectra)
_IMAGES = frozenset(name for reader in _READERS for name in reader.HDUS)
_OWN = "Correct the file, or the columns 'path' and 'spectrum' of the sample sheet; docs/data.md says what can be read."
_FETCHED = "Delete it and run again to fetch it again; if the archive's file is the same, remove the galaxy from the sample sheet."


def read_cube(path: str | Path, spectrum: int = -1, fetched: bool = False) -> Cube:
    """Read a cube; what the file holds decides how.

    Parameters
    ----------
    path : path-like
        MaNGA LOGCUBE (DR15 or DR17), MUSE cube, or a file of MaNGA spectra; plain or gzip.
    spectrum : int
        Row of a file of single spectra, which becomes a cube of one spaxel.
    fetched : bool
        Whether mangrove fetched the file from an archive and can do so again; of others nobody is told to delete them.

    Raises
    ------
    CubeError
        If the file is damaged, packed in a form that is not read, none of these, or says of itself something that
        mangrove cannot use. The text names it and how to mend it.
    """
    mend = advice(path, fetched)
    with _mend(path, mend):
        hdus = read_hdus(path, _IMAGES, logcube.UNTIL)
    reader = next((reader for reader in _READERS if reader.recognises(hdus)), None)
    if reader is None:
        raise CubeError(
            f"{path} holds the HDUs {', '.join(hdus)}: neither a MaNGA LOGCUBE, nor a MUSE cube, nor MaNGA spectra. "
            f"{mend if hdus.trailing else _OWN}"
        )
    with _mend(path, f"{muse.MEND} {mend}" if reader is muse else mend, hdus):
        cube = reader.read(hdus, spectrum) if reader is single_spectra else reader.read(hdus)
    return replace(cube, notes="; ".join(filter(None, [cube.notes, hdus.trailing])))


def read_cube_of(plateifu: str, path: str | Path, spectrum: int = -1, fetched: bool = False) -> Cube:
    """Read the cube of a galaxy; other parameters and errors as in :func:`read_cube`.

    Parameters
    ----------
    plateifu : str
        Name of the galaxy; only a plateifu says which cube is wanted, other names are the user's own.

    Raises
    ------
    CubeError
        Also if it is another galaxy's cube.
    """
    cube = read_cube(path, spectrum, fetched)
    if cube.name and re.fullmatch(PLATEIFU, plateifu) and cube.name != plateifu:
        raise CubeError(f"{path} holds the cube of {cube.name}, not of {plateifu}. {advice(path, fetched)}")
    return cube


def advice(path: str | Path, fetched: bool) -> str:
    """What to do about a file that cannot be used: of one's own, behind a link, or fetched by mangrove."""
    if Path(path).is_symlink():
        return f"It is a link to {Path(path).resolve()}: put a correct file there. {'' if fetched else _OWN}".strip()
    return _FETCHED if fetched else _OWN


@contextmanager
def _mend(path: str | Path, how: str, hdus: Hdus | None = None) -> Iterator[None]:
    """Give errors of a cube the file's name, what was not read of it, and what to do about them."""
    try:
        yield
    except (CubeError, VerifyError) as error:
        why = f"a header card is garbled ({error})." if isinstance(error, VerifyError) else error
        rest = f" Moreover, {hdus.trailing}." if hdus is not None and hdus.trailing else ""
        raise CubeError(f"{path}: {why}{rest} {how}") from error
