"""Spectra in files of their own: FITS tables, those of SDSS (``spec-*.fits``) among them, and HDF5."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from astropy import units as u
from astropy.io import fits

from mangrove.errors import CubeError, SpectrumError
from mangrove.files.spectral_axis import stated_medium
from mangrove.files.units import angstrom_factor, flux_factor, unit_of
from mangrove.physics.wavelengths import SIGMA_TO_FWHM

#: Names of columns, in lower case. Wavelengths, and their decimal logarithm (Angstrom):
WAVE, LOG_WAVE = ("wave", "wavelength", "lambda"), ("loglam", "log_wave")
FLUX, IVAR, ERROR = ("flux",), ("ivar",), ("error", "err", "flux_err", "flux_error")
#: Line spread: Gaussian sigma and full width at half maximum (Angstrom), and SDSS's sigma in pixels of 1e-4 dex.
LSF, FWHM, WDISP = ("lsf",), ("fwhm",), ("wdisp",)
MASK, AND_MASK = ("mask",), ("and_mask",)
REDSHIFT = ("z", "redshift")
#: SDSS's warnings of a redshift, which stand beside it: 0 if all is well.
REDSHIFT_WARNING = ("zwarning",)
#: Bits of SDSS's SPPIXMASK that leave no data: FULLREJECT, NOSKY, NODATA, BADFLUXFACTOR. Others inform.
_NO_DATA = 1 << 18 | 1 << 22 | 1 << 24 | 1 << 26
_SDSS_PIXEL = 1e-4 * np.log(10.0)


class SpectrumFile(NamedTuple):
    """What a file holds of a spectrum.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Observed wavelength, Angstrom.
    flux : ndarray or Quantity, shape (n_wave,)
        Plain in 1e-17 erg/s/cm2/Angstrom, or in units of no importance.
    ivar : ndarray or Quantity or None, shape (n_wave,)
        Inverse variance; None where the file has no errors.
    mask : ndarray of bool, shape (n_wave,)
        True where a pixel is no data.
    lsf : ndarray or None, shape (n_wave,)
        Line spread, Gaussian sigma, Angstrom; None where the file does not say.
    z : float or None
    air : bool or None
        Whether the wavelengths are in air; None where the file does not say.
    z_doubtful : bool
        Whether the pipeline that measured the redshift warns of it (ZWARNING other than 0).
    """

    wave: np.ndarray
    flux: np.ndarray | u.Quantity
    ivar: np.ndarray | u.Quantity | None
    mask: np.ndarray
    lsf: np.ndarray | None
    z: float | None
    air: bool | None
    z_doubtful: bool


class _Columns(NamedTuple):
    """Columns of a table by their names in lower case, and the units that the file gives."""

    values: Mapping[str, np.ndarray]
    units: Mapping[str, str]

    def find(self, names: tuple[str, ...]) -> str | None:
        """The first of some names that there is."""
        return next((name for name in names if name in self.values), None)

    @property
    def is_spectrum(self) -> bool:
        """Whether they have wavelengths and fluxes."""
        return bool(self.find(WAVE + LOG_WAVE) and self.find(FLUX))


def read_spectrum(path) -> SpectrumFile:
    """Read the spectrum of a file.

    A table (of FITS, or of HDF5, or HDF5 datasets side by side) with a column of wavelengths (wave, wavelength or lambda,
    or loglam), and flux; ivar or error, mask, lsf, fwhm or wdisp if it has them. The redshift is a card or an attribute (Z,
    REDSHIFT), or a column of a table of one row, as SDSS has it in SPECOBJ.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    SpectrumError
        If the file is missing, is neither FITS nor HDF5, or holds no spectrum or more than one.
    """
    path = Path(path)
    if not path.is_file():
        raise SpectrumError(f"{path} does not exist. Correct the path.")
    read = _read_hdf5 if h5py.is_hdf5(path) else _read_fits
    try:
        return read(path)
    except (OSError, ValueError, TypeError, KeyError, IndexError, CubeError) as error:
        raise SpectrumError(
            f"{path} cannot be read as a spectrum ({type(error).__name__}: {error}). It must be a FITS table or HDF5."
        ) from error


def _read_fits(path: Path) -> SpectrumFile:
    with fits.open(path, memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        columns = [_fits_columns(hdu) for hdu in tables]
        found = [(hdu.header, one) for hdu, one in zip(tables, columns, strict=True) if one.is_spectrum]
        if not found:
            raise _no_spectrum(path, ", ".join(dict.fromkeys(name for one in columns for name in one.values)))
        header, spectrum = found[0]
        medium = stated_medium(header) or stated_medium(hdus[0].header)
        places = [header, hdus[0].header, *(one.values for one in columns)]
        return _spectrum(path, spectrum, _redshift(places), medium.air if medium else None)


def _fits_columns(hdu) -> _Columns:
    named = {column.name.lower(): column for column in hdu.columns}
    units = {name: column.unit or "" for name, column in named.items()}
    return _Columns({name: np.asarray(hdu.data[column.name]) for name, column in named.items()}, units)


def _read_hdf5(path: Path) -> SpectrumFile:
    with h5py.File(path, "r") as f:
        groups = list(_hdf5_columns(f))
        found = [(holder, one) for holder, one in groups if one.is_spectrum]
        if not found:
            raise _no_spectrum(path, ", ".join(dict.fromkeys(name for _, one in groups for name in one.values)))
        holder, spectrum = found[0]
        attributes = [{name.lower(): value for name, value in one.attrs.items()} for one in (holder, f)]
        air = next((bool(one["air"]) for one in attributes if "air" in one), None)
        places = [*attributes, *(one.values for _, one in groups)]
        return _spectrum(path, spectrum, _redshift(places), air)


def _hdf5_columns(group: h5py.Group) -> Iterator[tuple[h5py.Group | h5py.Dataset, _Columns]]:
    """Columns of a group's datasets together, of each of them that is a table, and of the groups within."""
    plain = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            yield from _hdf5_columns(item)
        elif item.dtype.names:
            yield item, _Columns({key.lower(): item[key] for key in item.dtype.names}, {})
        elif item.dtype.kind in "fiub":
            plain[name.lower()] = item
    units = {name: _text(item.attrs.get("units", item.attrs.get("unit", ""))) for name, item in plain.items()}
    yield group, _Columns({name: item[()] for name, item in plain.items()}, units)


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _no_spectrum(path: Path, names: str) -> SpectrumError:
    return SpectrumError(
        f"{path} holds no spectrum: a table with a column of wavelengths ({', '.join(WAVE + LOG_WAVE)}) and one named flux "
        f"is needed; there are {names or 'no columns'}."
    )


def _redshift(places: list[Mapping[str, Any]]) -> tuple[float | None, bool]:
    """The first redshift in headers and attributes (any case), or tables of one row, and whether it is doubtful."""
    for place in places:
        z = _number(place, REDSHIFT)
        if z is not None:
            return z, bool(_number(place, REDSHIFT_WARNING))
    return None, False


def _number(place: Mapping[str, Any], wanted: tuple[str, ...]) -> float | None:
    """The first single number of some names, in any case."""
    names = {str(name).lower(): name for name in place}
    for name in wanted:
        value = np.asarray(place[names[name]]) if name in names else np.empty(0)
        if value.size == 1 and value.dtype.kind in "fiu":
            return float(value.ravel()[0])
    return None


def _spectrum(path: Path, columns: _Columns, redshift: tuple[float | None, bool], air: bool | None) -> SpectrumFile:
    flux = _vector(path, columns, columns.find(FLUX))
    flux_unit = _flux_unit(columns.units.get(columns.find(FLUX), ""))
    wave = _wavelengths(path, columns)
    mask = np.zeros(wave.shape, bool)
    for name, bits in ((columns.find(MASK), -1), (columns.find(AND_MASK), _NO_DATA)):
        if name:
            mask |= (_vector(path, columns, name).astype(np.int64) & bits) != 0
    z, doubtful = redshift
    ivar, lsf = _ivar(path, columns, flux_unit), _lsf(path, columns, wave)
    return SpectrumFile(wave, flux * flux_unit, ivar, mask, lsf, z, air, doubtful)


def _vector(path: Path, columns: _Columns, name: str) -> np.ndarray:
    """A column as one number per pixel; a table may hold all of them in a single row."""
    values = np.asarray(columns.values[name])
    values = values[0] if values.ndim == 2 and len(values) == 1 else values
    if values.ndim != 1:
        raise SpectrumError(
            f"{path}: {name} has shape {values.shape}; one spectrum per file is needed. Write each into a file of its own."
        )
    # FITS has its own byte order.
    return values.astype(values.dtype.newbyteorder("="))


def _wavelengths(path: Path, columns: _Columns) -> np.ndarray:
    name = columns.find(WAVE)
    if name is None:
        return 10.0 ** _vector(path, columns, columns.find(LOG_WAVE)).astype(float)
    return _vector(path, columns, name).astype(float) * _length(path, columns, name)


def _length(path: Path, columns: _Columns, name: str) -> float:
    """Factor to Angstrom of a column; 1 without a unit."""
    text = columns.units.get(name, "").strip()
    factor = angstrom_factor(text) if text else 1.0
    if factor is None:
        raise SpectrumError(f"{path}: {name} is in '{text}'; a unit of length is needed, such as Angstrom or nm.")
    return factor


def _flux_unit(text: str) -> float | u.UnitBase:
    """What fluxes are multiplied with: a factor for a flux per wavelength, also one without a unit, or another unit."""
    factor, unit = flux_factor(text), unit_of(text)
    if factor is not None:
        return factor
    return 1.0 if unit is None or unit.is_equivalent(u.one) else unit


def _ivar(path: Path, columns: _Columns, flux_unit: float | u.UnitBase) -> np.ndarray | u.Quantity | None:
    """Inverse variance in the unit of the flux, in which columns of errors are taken to be."""
    if name := columns.find(IVAR):
        return _vector(path, columns, name).astype(float) * flux_unit**-2
    if name := columns.find(ERROR):
        error = _vector(path, columns, name).astype(float)
        # An error of 0 or less is none.
        return np.divide(1.0, error**2, out=np.zeros_like(error), where=error > 0) * flux_unit**-2
    return None


def _lsf(path: Path, columns: _Columns, wave: np.ndarray) -> np.ndarray | None:
    scale: dict[tuple[str, ...], Callable[[str], Any]] = {
        LSF: lambda name: _length(path, columns, name),
        FWHM: lambda name: _length(path, columns, name) / SIGMA_TO_FWHM,
        WDISP: lambda name: wave * _SDSS_PIXEL,
    }
    for names, factor in scale.items():
        if name := columns.find(names):
            sigma = _vector(path, columns, name).astype(float) * factor(name)
            known = np.isfinite(sigma) & (sigma > 0)
            return np.where(known, sigma, 0.0) if known.any() else None
    return None
