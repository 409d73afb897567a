"""Data releases of MaNGA: versions, names of the HDUs that differ, and where the archive keeps its files."""

import re
from typing import NamedTuple

from mangrove.errors import ConfigError, SampleError


class Release(NamedTuple):
    """A data release.

    Attributes
    ----------
    name : str
        ``dr15`` or ``dr17``.
    drpver : str
        Version of the data reduction pipeline.
    lsf_hdu : str
        HDU of the line spread per spaxel (sigma, Angstrom), pixel integration included.
    pre_lsf_hdu : str
        The same before integration over pixels.
    galaxy_table : str or int
        HDU of the galaxies in the summary catalogue.
    n_cube : int
        Number of cubes of galaxies, for plans.
    """

    name: str
    drpver: str
    lsf_hdu: str
    pre_lsf_hdu: str
    galaxy_table: str | int
    n_cube: int

    @property
    def folder(self) -> str:
        """Path of the reduction below the base address."""
        return f"sas/{self.name}/manga/spectro/redux/{self.drpver}"

    @property
    def drpall_path(self) -> str:
        """Path of the summary catalogue below the base address."""
        return f"{self.folder}/drpall-{self.drpver}.fits"

    def cube_path(self, plateifu: str) -> str:
        """Path of a galaxy's LOGCUBE below the base address.

        Raises
        ------
        SampleError
            If the plateifu is malformed.
        """
        plate, ifu = split_plateifu(plateifu)
        return f"{self.folder}/{plate}/stack/manga-{plate}-{ifu}-LOGCUBE.fits.gz"


_RELEASES = {
    "dr15": Release("dr15", "v2_4_3", "DISP", "PREDISP", 1, 4682),
    "dr17": Release("dr17", "v3_1_1", "LSFPOST", "LSFPRE", "MANGA", 10700),
}


def release(name: str) -> Release:
    """A data release by name.

    Raises
    ------
    ConfigError
        If there is none of that name; the text lists the known ones.
    """
    if name not in _RELEASES:
        raise ConfigError(f"Unknown data release '{name}'; choose one of {', '.join(_RELEASES)}.")
    return _RELEASES[name]


def split_plateifu(plateifu: str) -> tuple[int, int]:
    """Plate and IFU design of a plateifu like ``8485-1901``.

    Raises
    ------
    SampleError
        If it is malformed.
    """
    if not re.fullmatch(r"\d{4,5}-\d{3,5}", plateifu):
        raise SampleError(f"'{plateifu}' is not a plateifu; it should look like 8485-1901.")
    plate, ifu = plateifu.split("-")
    return int(plate), int(ifu)


def address(base: str, path: str) -> str:
    """Address of an archive path: https://, file:// or a folder as base."""
    return f"{base.rstrip('/')}/{path}"
