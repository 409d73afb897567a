"""Simple stellar populations (SSPs): what a library is, and the embedded MaStar library."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mangrove.errors import TemplateError
from mangrove.files.damaged import DAMAGED, words_of
from mangrove.resources import resource


class SspLibrary(NamedTuple):
    """Spectra of simple stellar populations on a grid of metallicity and age.

    Attributes
    ----------
    name : str
    wave : ndarray, shape (n_wave,)
        Vacuum wavelength, Angstrom, increasing, rest frame.
    flux : ndarray, shape (n_metallicity, n_age, n_wave)
        Flux density, solar luminosities per Angstrom and solar mass formed; relative if ``normalised``.
    age : ndarray, shape (n_age,)
        Gyr, increasing.
    metallicity : ndarray, shape (n_metallicity,)
        [M/H], dex, increasing.
    fwhm : ndarray, shape (n_wave,)
        Line spread of the library as its pixels hold it (integration over them included), Angstrom FWHM.
    ml_r : ndarray, shape (n_metallicity, n_age), or None
        Stellar mass with remnants over r-band luminosity, solar units; None if unknown.
    mass_fraction : ndarray, shape (n_metallicity, n_age), or None
        Mass in stars and remnants per mass formed; None if unknown.
    imf, isochrones : str
        What spectra and masses assume.
    normalised : bool
        True if the spectra carry no luminosity.
    citation, licence, source : str
        Whom to cite, under which terms the spectra come, and from which file.
    """

    name: str
    wave: np.ndarray
    flux: np.ndarray
    age: np.ndarray
    metallicity: np.ndarray
    fwhm: np.ndarray
    ml_r: np.ndarray | None
    mass_fraction: np.ndarray | None
    imf: str
    isochrones: str
    normalised: bool
    citation: str = ""
    licence: str = ""
    source: str = ""

    @property
    def has_masses(self) -> bool:
        """Whether labels that need a mass can be made."""
        return self.ml_r is not None and self.mass_fraction is not None


def check_library(library: SspLibrary) -> SspLibrary:
    """The library itself, its arrays made read-only.

    Raises
    ------
    TemplateError
        If shapes do not fit together, an axis does not increase, or a value is not finite and positive.
    """

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise TemplateError(f"Template library '{library.name}': {what}")

    grid = (library.metallicity.size, library.age.size)
    require(library.flux.shape == (*grid, library.wave.size), f"flux has shape {library.flux.shape}")
    require(library.fwhm.shape == library.wave.shape, f"fwhm has shape {library.fwhm.shape}")
    for axis in ("wave", "age", "metallicity"):
        require(bool(np.all(np.diff(getattr(library, axis)) > 0)), f"{axis} does not increase")
    for name in ("flux", "wave", "age", "fwhm", "ml_r", "mass_fraction"):
        values = getattr(library, name)
        if values is None:
            continue
        require(bool(np.all(np.isfinite(values) & (values > 0))), f"{name} is not finite and positive")
        if name in ("ml_r", "mass_fraction"):
            require(values.shape == grid, f"{name} has shape {values.shape}")
    for values in library:
        if isinstance(values, np.ndarray):
            values.flags.writeable = False
    return library


def numbers(values, where: str) -> np.ndarray:
    """An array as float64.

    Raises
    ------
    TemplateError
        If it does not hold real numbers, but text or yes and no.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise TemplateError(f"{where} holds values of type {values.dtype}; numbers are needed.")
    return values.astype(float)


@cache
def load_mastar() -> SspLibrary:
    """The MaStar SSPs (Maraston et al. 2020) that travel with mangrove: 6 metallicities, 9 ages.

    The spectra are normalised to median 1; the masses come from E-MILES and are for a Kroupa IMF. The line spread is
    the published one, a Gaussian before pixels, with the variance of a pixel. The arrays are read-only.

    Raises
    ------
    TemplateError
        If the file is damaged.
    """
    return read_packed(resource("mastar_ssp.h5"))


def read_packed(path: str | Path) -> SspLibrary:
    """A library in the layout of ``resources/mastar_ssp.h5`` (see ``tools/pack_mastar.py``).

    Raises
    ------
    TemplateError
        If the file is damaged or of another layout.
    """
    try:
        with h5py.File(path) as file:
            arrays = {name: numbers(file[name][:], f"{path}: {name}") for name in file}
            about = {name: file.attrs[name] for name in ("name", "imf", "isochrones", "citation", "licence", "source")}
            normalised = bool(file.attrs["normalised"])
        fwhm = arrays["wave"] / arrays.pop("resolving_power")
        return check_library(SspLibrary(fwhm=fwhm, normalised=normalised, **arrays, **about))
    except DAMAGED as error:
        raise TemplateError(f"{path}: damaged or not a packed template library ({words_of(error)})") from error
