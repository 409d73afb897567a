"""Units as headers write them, read by astropy: fluxes, their errors, and wavelengths."""

import re
import warnings
from contextlib import suppress
from functools import cache

from astropy import units as u
from astropy.io import fits

#: Unit of flux densities in mangrove; a spaxel is no unit in it.
FLUX = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
FLUX_TEXT = "1E-17 erg/s/cm^2/Ang/spaxel"

#: What people write for units that astropy knows by another name. A is no ampere in a spectrum.
_NAMES = {"a": "Angstrom", "aa": "Angstrom", "ang": "Angstrom", "angstrom": "Angstrom", "angstroms": "Angstrom"}
_NAMES |= {"ergs": "erg", "sec": "s", "spaxel": "pix", "spax": "pix", "pixel": "pix", "microns": "micron"}
_WORD = re.compile(r"(?<![A-Za-z_])[A-Za-z]+(?![A-Za-z_])")
#: A power of something in brackets, or one over it, which astropy reads only without a number inside.
_POWER = re.compile(
    r"(?P<over>1\s*/\s*)?\((?P<inner>[^()]*(?:\([^()]*\)[^()]*)*)\)\s*(?:(?:\*\*|\^)?\s*\(?(?P<power>[+-]?\d+)\)?)?"
)
#: A power that no unit has, and that would be computed to its last digit.
_ENDLESS = re.compile(r"(\*\*|\^)[\s({]*[+-]?\d{4,}")


def is_endless(text: str) -> bool:
    """Whether a unit has a power of four digits or more, over which astropy would compute for minutes."""
    return bool(_ENDLESS.search(text))


@cache
def unit_of(text: str) -> u.UnitBase | None:
    """The unit that a text names; None for an unknown one.

    Parameters
    ----------
    text : str
        As in FITS headers, for example '1E-17 erg/s/cm^2/Ang/spaxel' or '(10**(-20)*erg/s/cm**2/Angstrom)**2'.
    """
    if is_endless(text):
        return None
    text = _WORD.sub(lambda word: _NAMES.get(word[0].lower(), word[0]), text.strip())
    text = text.replace("{", "(").replace("}", ")")
    whole = _POWER.fullmatch(text)
    if whole and (whole["over"] or whole["power"]):
        inner, power = unit_of(whole["inner"]), int(whole["power"] or 1)
        try:
            return None if inner is None else inner ** (-power if whole["over"] else power)
        except (OverflowError, ZeroDivisionError):
            return None
    try:
        with warnings.catch_warnings():
            # Several slashes in one unit are bad style, and in every MaNGA header.
            warnings.simplefilter("ignore", u.UnitsWarning)
            unit = u.Unit(text)
        # Logarithms (dex, mag) and structures ('(m,s)') are no values to multiply.
        return unit if isinstance(unit, u.UnitBase) else None
    except (ValueError, TypeError, OverflowError):
        return None


def flux_factor(text: str, power: int = 1) -> float | None:
    """Factor that converts values in a unit to a power of :data:`FLUX`, per spaxel or without a stated area.

    Parameters
    ----------
    text : str
    power : int
        1 for fluxes and their standard deviations, 2 for variances, -2 for inverse variances.

    Returns
    -------
    float or None
        None where the unit is none of a flux density per wavelength to that power.
    """
    unit = unit_of(text)
    for pixels in (0, power):
        try:
            return None if unit is None else float((unit * u.pix**pixels).to(FLUX**power))
        except u.UnitConversionError:
            continue
    return None


def angstrom_factor(text: str, power: int = 1) -> float | None:
    """Factor that converts values in a unit of length to a power (-2: inverse variances) to Angstrom; None for other units."""
    unit = unit_of(text)
    try:
        return None if unit is None else float(unit.to(u.AA**power))
    except u.UnitConversionError:
        return None


def velocity_factor(text: str) -> float | None:
    """Factor that converts values in a unit of velocity to km/s; None for other units."""
    unit = unit_of(text.replace("Km", "km").replace("KM", "km"))
    try:
        return None if unit is None else float(unit.to(u.km / u.s))
    except u.UnitConversionError:
        return None


def with_standard_units(header: fits.Header) -> fits.Header:
    """A copy of a header whose axes have their units (CUNIT) as the FITS Standard spells them, so that WCSLIB knows them."""
    header = header.copy()
    for i in (1, 2, 3):
        unit = unit_of(str(header.get(f"CUNIT{i}", "")))
        if unit is not None and f"CUNIT{i}" in header:
            # The standard cannot spell every unit: WCSLIB says that of them.
            with suppress(ValueError, OverflowError):
                header[f"CUNIT{i}"] = unit.to_string("fits")
    return header
