"""Wavelengths by the cards of a spectral axis: unit, medium, scale, and the frame in which they are measured."""

import warnings
from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.wcs import (
    WCS,
    WCSSUB_SPECTRAL,
    FITSFixedWarning,
    InvalidSubimageSpecificationError,
    NonseparableSubimageCoordinateSystemError,
    WcsError,
)

from mangrove.errors import CubeError
from mangrove.files.fits_stream import number, text
from mangrove.files.linear_cards import check_linear
from mangrove.files.units import unit_of, with_standard_units

#: First four letters of CTYPE: wavelength in vacuum and in air.
_MEDIA = {"WAVE": False, "AWAV": True}
#: Spectral axes that are no wavelengths (Greisen et al. 2006, A&A 446, 747, table 1).
NO_WAVELENGTH = ("FREQ", "ENER", "WAVN", "VRAD", "VOPT", "ZOPT", "VELO", "BETA", "FELO")
#: Letters of the standard's words for SPECSYS; some write HELIOCENTRIC for HELIOCEN.
_WORD = 8
#: SPECSYS of wavelengths whose Doppler shift is that of the Sun, within 0.02 km/s.
_SOLAR = ("", "BARYCENT", "HELIOCEN")
_REST = "SOURCE"
#: Values of cards about the medium, in lower case, and whether they mean air.
_MEDIUM_CARDS = {
    "AIRORVAC": {"air": True, "vac": False, "vacuum": False},
    "VACUUM": dict.fromkeys(("true", "t", "1", "1.0", "yes"), False)
    | dict.fromkeys(("false", "f", "0", "0.0", "no"), True),
}


class SpectralAxis(NamedTuple):
    """Pixels of a spectral axis.

    Attributes
    ----------
    wave : ndarray, shape (n_wave,)
        Centres, Angstrom.
    edges : ndarray, shape (n_wave + 1,)
        Angstrom.
    air : bool
        Whether these are wavelengths in air.
    """

    wave: np.ndarray
    edges: np.ndarray
    air: bool


def spectral_axis(header: fits.Header, axis: int = 3) -> SpectralAxis:
    """An axis of a header, which has wavelengths in air or vacuum, linear or not, in any unit of length.

    Parameters
    ----------
    header : Header
    axis : int
        From 1, as FITS counts.

    Raises
    ------
    CubeError
        If the axis is something else, is coupled to the others, or cards are missing or contradict each other.
    """
    kind = text(header, f"CTYPE{axis}")
    if kind[:4].upper() not in _MEDIA:
        raise CubeError(
            f"axis {axis} is {kind or 'not named'} (CTYPE{axis}); it must be wavelengths: 'AWAV' in air, 'WAVE' in vacuum. "
            "Convert the axis."
        )
    for key in ("CRVAL", "CRPIX"):
        number(header, f"{key}{axis}")
    if not any(key in header for key in (f"CD{axis}_{axis}", f"CDELT{axis}", f"PC{axis}_{axis}")):
        raise CubeError(
            f"axis {axis} has no step: CD{axis}_{axis}, or CDELT{axis} (times PC{axis}_{axis}), is missing."
        )
    check_linear(header, (axis,))
    air = _MEDIA[kind[:4].upper()]
    if (stated := stated_medium(header)) and (stated.air != air):
        raise CubeError(
            f"CTYPE{axis} is '{kind}', wavelengths in {'air' if air else 'vacuum'}, but {stated.key} is '{stated.value}'. "
            "Correct the wrong card."
        )
    pixels = np.arange(2 * int(number(header, f"NAXIS{axis}")) + 1) / 2.0 - 0.5
    wave = _wavelengths(header, axis, pixels)
    return SpectralAxis(wave[1::2], wave[::2], air)


class Medium(NamedTuple):
    """The card that says whether wavelengths are in air, its value, and what it means."""

    key: str
    value: str
    air: bool


def stated_medium(header: fits.Header) -> Medium | None:
    """What AIRORVAC and VACUUM, of SDSS and IRAF, say of the wavelengths; None where neither says anything.

    Raises
    ------
    CubeError
        If a value is not known, or the two contradict each other.
    """
    found = []
    for key, words in _MEDIUM_CARDS.items():
        value = str(header.get(key, "")).strip()
        if value and value.lower() not in words:
            raise CubeError(f"{key} is '{value}'; it must be one of {', '.join(words)}. Correct the card.")
        if value:
            found.append(Medium(key, value, words[value.lower()]))
    if len({medium.air for medium in found}) > 1:
        said = " and ".join(f"{medium.key} '{medium.value}'" for medium in found)
        raise CubeError(f"{said} contradict each other. Delete the wrong card.")
    return found[0] if found else None


def check_vacuum(hdus_of_cards: dict[str, fits.Header]) -> None:
    """Refuse wavelengths that a header says are in air, or are something else.

    Parameters
    ----------
    hdus_of_cards : dict of str to Header
        Headers that may say so, by the name of their HDU.

    Raises
    ------
    CubeError
        Where CTYPE of the spectral axis, AIRORVAC or VACUUM say that they are no vacuum wavelengths.
    """
    for name, header in hdus_of_cards.items():
        kinds = [(f"CTYPE{i}", str(header.get(f"CTYPE{i}", "")).strip().upper()) for i in (1, 2, 3)]
        said = [(key, kind) for key, kind in kinds if kind[:4] == "AWAV" or kind[:4] in NO_WAVELENGTH]
        if (medium := stated_medium(header)) and medium.air:
            said.append((medium.key, medium.value))
        if said:
            key, value = said[0]
            raise CubeError(
                f"{key} of HDU {name} is '{value}': files of this kind have wavelengths in vacuum. Convert them, "
                "resample the spectra to a log-linear vacuum grid, and correct the card."
            )


def velocity_frame(*headers: fits.Header) -> str:
    """A note about the frame of the wavelengths; empty where it is that of the Sun or no header says.

    Nothing is shifted: a cube is the mean of exposures of different dates, whose motions the header does not give.

    Raises
    ------
    CubeError
        If the wavelengths are those at rest in the source.
    """
    system = next((s for s in (text(header, "SPECSYS").upper()[:_WORD] for header in headers) if s), "")
    if system in _SOLAR:
        return ""
    if system == _REST:
        raise CubeError(
            "SPECSYS is 'SOURCE': the wavelengths are already in the rest frame of the object, so its redshift would count "
            "twice. Give the cube as observed."
        )
    what = "topocentric" if system == "TOPOCENT" else f"in the frame {system}"
    return f"wavelengths are {what} (SPECSYS) and were not shifted: velocities and redshifts are not barycentric" + (
        ", and off by up to 30 km/s" if system == "TOPOCENT" else ""
    )


def _wavelengths(header: fits.Header, axis: int, pixels: np.ndarray) -> np.ndarray:
    """Wavelengths, Angstrom, at positions on an axis, from 0."""
    key = f"CUNIT{axis}"
    unit = unit_of(text(header, key))
    if unit is None or not unit.is_equivalent(u.m):
        raise CubeError(f"{key} is '{text(header, key)}'; a unit of length is needed, such as 'Angstrom' or 'nm'.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            spectral = WCS(with_standard_units(header)).sub([WCSSUB_SPECTRAL])
            if spectral.naxis != 1:
                raise CubeError(f"the cards of axis {axis} do not describe a spectral axis (CTYPE{axis}, {key}).")
            values = spectral.all_pix2world(pixels[:, None], 0)[:, 0]
            return (values * u.Unit(spectral.wcs.cunit[0])).to_value(u.AA)
    except (InvalidSubimageSpecificationError, NonseparableSubimageCoordinateSystemError) as error:
        raise CubeError(
            "the wavelength varies over the field: its axis is coupled to the others (CD3_1, PC3_1 or similar). "
            "Resample the cube."
        ) from error
    except (
        ValueError,
        LookupError,
        ArithmeticError,
        TypeError,
        AttributeError,
        MemoryError,
        fits.VerifyError,
        WcsError,
    ) as error:
        raise CubeError(f"its spectral axis (WCS) cannot be used ({type(error).__name__}: {error}).") from error
