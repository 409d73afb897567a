"""A data cube as the rest of mangrove sees it, whatever the instrument. The file's content chooses the reader."""

import gzip
import io
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mangrove.errors import CubeError


@dataclass(frozen=True)
class Cube:
    """A cube on a log-linear vacuum wavelength scale.

    Attributes
    ----------
    name : str
        Name in the file (PLATEIFU); empty if it has none.
    wave : ndarray, shape (n_wave,)
        Observed wavelength, vacuum, Angstrom, log-linear.
    flux, ivar : ndarray of float32, shape (n_wave, ny, nx)
        1e-17 erg/s/cm2/Angstrom/spaxel, and its inverse variance.
    good : ndarray of bool, shape (n_wave, ny, nx)
        Whether a pixel is data: no fatal mask bit, positive inverse variance, finite flux.
    lsf : ndarray of float32, shape (n_wave,) or (n_wave, ny, nx)
        Line spread after pixelisation, Gaussian sigma, Angstrom, observed frame.
    foreground : ndarray of bool, shape (ny, nx)
        Spaxels on a foreground star.
    pixel_scale : float
        Side of a spaxel, arcsec.
    wcs : astropy.wcs.WCS or None
        Celestial; None for single spectra.
    images : dict of str to ndarray, shape (ny, nx)
        Broad-band images by name.
    instrument : str
    version : str
        Version of the pipeline that made the cube; empty if the file does not say.
    notes : str
        What the reader did that a user of the data must know.
    """

    name: str
    wave: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    good: np.ndarray
    lsf: np.ndarray
    foreground: np.ndarray
    pixel_scale: float
    wcs: WCS | None
    images: dict[str, np.ndarray] = field(default_factory=dict)
    instrument: str = "MaNGA"
    version: str = ""
    notes: str = ""

    def __post_init__(self):
        shape = (self.wave.size, *self.foreground.shape)
        for label in ("flux", "ivar", "good"):
            if getattr(self, label).shape != shape:
                raise CubeError(f"{label} has shape {getattr(self, label).shape}, wavelength and field say {shape}.")


def spaxel_side(wcs: WCS) -> float:
    """Side of a square spaxel, arcsec, of a celestial frame."""
    return float(wcs.proj_plane_pixel_area().to_value("arcsec2") ** 0.5)


def read_cube(path: str | Path, spectrum: int = -1) -> Cube:
    """Read a cube; what the file holds decides how.

    Parameters
    ----------
    path : path-like
        MaNGA LOGCUBE (DR15 or DR17), MUSE cube, or a file of MaNGA spectra.
    spectrum : int
        Row of a file of single spectra, which becomes a cube of one spaxel.

    Raises
    ------
    CubeError
        If the file is damaged, or is none of these.
    """
    from mangrove.survey import logcube, muse, single_spectra

    try:
        with fits.open(_unpacked(path), memmap=False) as hdus:
            for reader in (logcube, muse, single_spectra):
                if reader.recognises(hdus):
                    return reader.read(hdus, spectrum) if reader is single_spectra else reader.read(hdus)
            names = ", ".join(h.name or "PRIMARY" for h in hdus)
    except CubeError as error:
        raise CubeError(f"{path}: {error}") from error
    except (OSError, EOFError, zlib.error, KeyError, fits.VerifyError) as error:
        raise CubeError(
            f"{path} cannot be read as a FITS cube ({type(error).__name__}: {error}). Delete it and run again to fetch it anew."
        ) from error
    raise CubeError(f"{path} holds the HDUs {names}: neither a MaNGA LOGCUBE, nor a MUSE cube, nor MaNGA spectra.")


def _unpacked(path: str | Path) -> io.BufferedIOBase:
    """A file's content, unpacked into memory if it is gzip: seeking inside gzip unpacks it again and again."""
    with Path(path).open("rb") as f:
        if f.read(2) != b"\x1f\x8b":
            return Path(path).open("rb")
    with gzip.open(path) as f:
        return io.BytesIO(f.read())
