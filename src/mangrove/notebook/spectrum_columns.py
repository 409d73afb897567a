"""From the columns of a table, whatever file it is in, to a spectrum with its units."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from astropy import units as u

from mangrove.errors import SpectrumError
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
#: Every name that is looked at: other columns are not read.
KNOWN = frozenset(
    WAVE + LOG_WAVE + FLUX + IVAR + ERROR + LSF + FWHM + WDISP + MASK + AND_MASK + REDSHIFT + REDSHIFT_WARNING
)
#: More pixels than any spectrograph has; a file that promises more is no spectrum.
MAX_PIXELS = 10**6

#: Bits of SDSS's SPPIXMASK that leave no data: FULLREJECT, NOSKY, NODATA, BADFLUXFACTOR. Others inform.
_NO_DATA = 1 << 18 | 1 << 22 | 1 << 24 | 1 << 26
_SDSS_PIXEL = 1e-4 * np.log(10.0)
#: Bits of a mask beyond these are lost in a float, and no mask has as many.
_MASK_LIMIT = 2.0**52
#: Units longer than that, or to such a power, are none; astropy would take long to compute them.
_LONGEST_UNIT, _HUGE_POWER = 100, re.compile(r"(\*\*|\^)[\s({]*[+-]?[\d.]{3,}|\d{5,}\s*[*^]|[eE][+-]?\d{3,}")
_LIMITS = (1000.0, 33000.0)


class SpectrumFile(NamedTuple):
    """What a file holds of a spectrum.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Observed wavelength, Angstrom, increasing.
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
    flux_stated : bool
        Whether the file says in which unit its flux is; if not, its fluxes are relative ones.
    """

    wave: np.ndarray
    flux: np.ndarray | u.Quantity
    ivar: np.ndarray | u.Quantity | None
    mask: np.ndarray
    lsf: np.ndarray | None
    z: float | None
    air: bool | None
    z_doubtful: bool
    flux_stated: bool


class LazyColumn(NamedTuple):
    """A column that is read when it is needed, once its size is known to be harmless.

    Attributes
    ----------
    shape : tuple of int
    unit : str
        As the file writes it, empty where it does not say.
    read : callable
        Gives the values, of that shape.
    """

    shape: tuple[int, ...]
    unit: str
    read: Callable[[], np.ndarray]


class Columns(NamedTuple):
    """A table: the columns of :data:`KNOWN` names, in lower case, and the names of all, for messages."""

    known: Mapping[str, LazyColumn]
    names: tuple[str, ...]

    def find(self, names: tuple[str, ...]) -> str | None:
        """The first of some names that there is."""
        return next((name for name in names if name in self.known), None)

    @property
    def is_spectrum(self) -> bool:
        """Whether they have wavelengths and fluxes."""
        return bool(self.find(WAVE + LOG_WAVE) and self.find(FLUX))

    @property
    def single_numbers(self) -> dict[str, np.ndarray]:
        """Values of redshifts and warnings that a table of one row holds."""
        return {
            name: np.asarray(self.known[name].read())
            for name in REDSHIFT + REDSHIFT_WARNING
            if name in self.known and np.prod(self.known[name].shape) == 1
        }


def no_spectrum(tables: Iterable[Columns]) -> SpectrumError:
    """The error for a file without a spectrum, which names the columns that there are."""
    names = list(dict.fromkeys(name for one in tables for name in one.names))
    shown = ", ".join(names[:30]) + (", ..." if len(names) > 30 else "")
    return SpectrumError(
        f"holds no spectrum: a table with a column of wavelengths ({', '.join(WAVE + LOG_WAVE)}) and one named flux is "
        f"needed; there are {shown or 'no columns'}."
    )


def spectrum_of(columns: Columns, places: Iterable[Mapping[str, Any]], air: bool | None) -> SpectrumFile:
    """The spectrum of a table.

    Parameters
    ----------
    columns : Columns
        With wavelengths and flux.
    places : iterable of mapping
        Where a redshift may stand, the most trusted first: cards, attributes, tables of one row.
    air : bool or None
        Whether the wavelengths are in air, if the file says.

    Raises
    ------
    SpectrumError
        If there are too many pixels, shapes or units do not fit, or wavelengths do not increase.
    """
    wave = _wavelengths(columns)
    flux_unit = _density_unit("flux", columns.known[columns.find(FLUX)].unit)
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        flux = _vector(columns, columns.find(FLUX), wave.size) * (1.0 if flux_unit is None else flux_unit)
        ivar = _ivar(columns, flux_unit, wave.size)
        lsf = _lsf(columns, wave)
        mask = _mask(columns, wave.size)
    z, doubtful = _redshift(places)
    return SpectrumFile(wave, flux, ivar, mask, lsf, z, air, doubtful, flux_unit is not None)


def number(place: Mapping[str, Any], wanted: tuple[str, ...]) -> float | None:
    """The first single number of some names, in any case."""
    names = {str(name).lower(): name for name in place}
    for name in wanted:
        value = np.asarray(place[names[name]]) if name in names else np.empty(0)
        if value.size == 1 and value.dtype.kind in "fiu":
            return float(value.ravel()[0])
    return None


def _redshift(places: Iterable[Mapping[str, Any]]) -> tuple[float | None, bool]:
    """The first redshift, and whether it is doubtful."""
    for place in places:
        z = number(place, REDSHIFT)
        if z is not None:
            return z, bool(number(place, REDSHIFT_WARNING))
    return None, False


def _vector(columns: Columns, name: str, size: int | None = None) -> np.ndarray:
    """A column as one float per pixel; a table may hold all of them in a single row."""
    column = columns.known[name]
    shape = column.shape[1:] if len(column.shape) == 2 and column.shape[0] == 1 else column.shape
    if len(shape) != 1:
        raise SpectrumError(
            f"{name} has shape {column.shape}; one spectrum per file is needed. Write each into a file of its own."
        )
    if shape[0] > MAX_PIXELS:
        raise SpectrumError(f"{name} has {shape[0]} pixels; at most {MAX_PIXELS} are read. Cut out what is to be used.")
    if size is not None and shape[0] != size:
        raise SpectrumError(f"{name} has {shape[0]} values for {size} wavelengths; one per pixel is needed.")
    values = np.asarray(column.read())
    if values.dtype.kind not in "fiub":
        raise SpectrumError(f"{name} has values of type {values.dtype}; numbers are needed.")
    return values.reshape(shape).astype(float)


def _wavelengths(columns: Columns) -> np.ndarray:
    name = columns.find(WAVE) or columns.find(LOG_WAVE)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        wave = _vector(columns, name)
        wave = 10.0**wave if name in LOG_WAVE else wave * _length(columns, name)
    if wave.size < 2:
        raise SpectrumError(f"{name} has {wave.size} values; a spectrum has at least two pixels.")
    wrong = np.flatnonzero(~np.isfinite(wave) | (wave <= 0))
    if wrong.size:
        raise SpectrumError(
            f"the wavelength of pixel {wrong[0] + 1} is {wave[wrong[0]]:g}; all must be finite and positive. Leave out "
            "pixels without one."
        )
    back = np.flatnonzero(np.diff(wave) <= 0)
    if back.size:
        raise SpectrumError(
            f"wavelengths must increase: pixel {back[0] + 2} has {wave[back[0] + 1]:g} Angstrom after {wave[back[0]]:g}. Sort "
            "the pixels, and leave out those that are there twice."
        )
    if wave[0] < _LIMITS[0] or wave[-1] > _LIMITS[1]:
        unit = columns.known[name].unit.strip()
        taken = f"in '{unit}'" if unit else "without a unit and so taken to be in Angstrom"
        raise SpectrumError(
            f"the wavelengths ({name}, {taken}) run from {wave[0]:g} to {wave[-1]:g} Angstrom; they must lie within "
            f"{_LIMITS[0]:g}-{_LIMITS[1]:g}. State their unit: TUNIT in FITS, the attribute units in HDF5, 'wave [nm]' in CSV."
        )
    return wave


def _length(columns: Columns, name: str) -> float:
    """Factor to Angstrom of a column; 1 without a unit."""
    text = columns.known[name].unit.strip()
    factor = (None if _is_strange(text) else angstrom_factor(text)) if text else 1.0
    if factor is None or not (np.isfinite(factor) and factor > 0):
        raise SpectrumError(
            f"{name} is in '{text[:_LONGEST_UNIT]}'; a unit of length is needed, such as Angstrom or nm."
        )
    return factor


def _is_strange(unit: str) -> bool:
    return len(unit) > _LONGEST_UNIT or bool(_HUGE_POWER.search(unit))


def _density_unit(name: str, text: str, power: int = 1) -> float | u.UnitBase | None:
    """What values are multiplied with: a factor for a flux per wavelength (to a power), another unit, None where none is stated."""
    if _is_strange(text):
        raise SpectrumError(
            f"{name} is in '{text[:_LONGEST_UNIT]}'; a flux density is needed, such as 1e-17 erg/s/cm2/Angstrom."
        )
    factor, unit = flux_factor(text, power), unit_of(text)
    if factor is not None and np.isfinite(factor) and factor > 0:
        return factor
    return None if unit is None or unit.is_equivalent(u.one) else unit


def _mask(columns: Columns, size: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    if name := columns.find(MASK):
        mask |= _vector(columns, name, size) != 0
    if name := columns.find(AND_MASK):
        bits = np.nan_to_num(_vector(columns, name, size), nan=_NO_DATA)
        mask |= (np.clip(bits, -_MASK_LIMIT, _MASK_LIMIT).astype(np.int64) & _NO_DATA) != 0
    return mask


def _ivar(columns: Columns, flux_unit: float | u.UnitBase | None, size: int) -> np.ndarray | u.Quantity | None:
    """Inverse variance; in the unit of the flux where the column of errors does not say."""
    name = columns.find(IVAR) or columns.find(ERROR)
    if name is None:
        return None
    power = -2 if name in IVAR else 1
    own, values = _density_unit(name, columns.known[name].unit, power), _vector(columns, name, size)
    if own is not None and (flux_unit is None or isinstance(own, float) != isinstance(flux_unit, float)):
        raise SpectrumError(
            f"{name} is in '{columns.known[name].unit}' and flux in '{columns.known[columns.find(FLUX)].unit or 'no unit'}': "
            "both need a unit of one kind."
        )
    if power == 1:
        # An error of 0 or less is none.
        values = np.divide(1.0, values**2, out=np.zeros_like(values), where=values > 0)
    scale = (own if power == -2 else own**-2) if own is not None else (1.0 if flux_unit is None else flux_unit) ** -2
    return values * scale


def _lsf(columns: Columns, wave: np.ndarray) -> np.ndarray | None:
    scale: dict[tuple[str, ...], Callable[[str], Any]] = {
        LSF: lambda name: _length(columns, name),
        FWHM: lambda name: _length(columns, name) / SIGMA_TO_FWHM,
        WDISP: lambda name: wave * _SDSS_PIXEL,
    }
    for names, factor in scale.items():
        if name := columns.find(names):
            sigma = _vector(columns, name, wave.size) * factor(name)
            known = np.isfinite(sigma) & (sigma > 0)
            return np.where(known, sigma, 0.0) if known.any() else None
    return None
