"""What the arrays beside a flux mean, by their headers: variance, error or inverse variance, in which unit; flags."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.files.fits_stream import Hdu, number, text
from mangrove.files.units import FLUX_TEXT, flux_factor
from mangrove.survey.bitmasks import DrpPixel

#: What an array of errors may hold.
VARIANCE, SIGMA, INVERSE_VARIANCE, INVERSE_SIGMA = "variance", "standard deviation", "inverse variance", "inverse sigma"
#: Power of the flux's unit in which each is.
_POWER = {VARIANCE: 2, SIGMA: 1, INVERSE_VARIANCE: -2, INVERSE_SIGMA: -1}
#: HDUCLAS3 of error arrays (ESO VLT-SPE-ESO-19500-5667).
_DECLARED = {"MSE": VARIANCE, "RMSE": SIGMA, "INVMSE": INVERSE_VARIANCE, "INVRMSE": INVERSE_SIGMA}
_SAME = 1e-6


class Errors(NamedTuple):
    """What an error array holds, and by what its values are multiplied to be in powers of 1e-17 erg/s/cm2/Angstrom."""

    kind: str
    factor: float


def flux_scale(hdu_name: str, unit: str) -> float:
    """By what fluxes of a BUNIT are multiplied to be in 1e-17 erg/s/cm2/Angstrom/spaxel.

    Raises
    ------
    CubeError
        If the unit is no flux density per wavelength.
    """
    factor = flux_factor(unit)
    if factor is None or not 0 < factor < np.inf:
        raise CubeError(
            f"BUNIT of HDU {hdu_name} is '{unit}': not a flux per wavelength (and spaxel) such as '{FLUX_TEXT}'. Convert "
            "the values, and set BUNIT to their unit."
        )
    return factor


def meaning_of_errors(name: str, header: fits.Header, usual: str, flux_unit: str, flux_to_ours: float) -> Errors:
    """What an error array holds by HDUCLAS3 and BUNIT, or as usual for its name where these say nothing.

    A BUNIT that repeats the flux's on an array that is an inverse variance by name was copied with the header, and
    says nothing; on a name that leaves open what it is, it may mean a standard deviation.

    Parameters
    ----------
    name : str
        Of the HDU.
    header : Header
        Of the HDU.
    usual : str
        What the name means in the files of this kind, :data:`VARIANCE` or :data:`INVERSE_VARIANCE`.
    flux_unit : str
        BUNIT of the flux.
    flux_to_ours : float
        By what the fluxes are multiplied to be in mangrove's unit.

    Raises
    ------
    CubeError
        If the cards contradict each other or the name, or the unit is none of these.
    """
    unit, declared = text(header, "BUNIT"), _declared(name, header)
    if not unit:
        kind = declared or usual
        return Errors(kind, flux_to_ours ** _POWER[kind])
    factors = {kind: factor for kind, power in _POWER.items() if (factor := flux_factor(unit, power)) is not None}
    if not factors and unit == f"{flux_unit}**2":
        # The pipeline of MUSE leaves out the brackets: 10**(-20)*erg/s/cm**2/Angstrom**2.
        factors = {VARIANCE: flux_to_ours**2}
    if SIGMA in factors and declared != SIGMA:
        copied = abs(factors[SIGMA] / flux_to_ours - 1.0) < _SAME and (declared or usual == INVERSE_VARIANCE)
        if not copied:
            raise CubeError(_contradiction(name, unit, declared or usual, SIGMA))
        kind = declared or usual
        return Errors(kind, flux_to_ours ** _POWER[kind])
    if not factors:
        raise CubeError(
            f"BUNIT of HDU {name} is '{unit}': not the unit of a variance, an error or an inverse variance of a flux in "
            f"'{flux_unit or FLUX_TEXT}'. Correct it, or delete the card if the array is the {usual} in the unit of the flux."
        )
    kind, factor = next(iter(factors.items()))
    if kind != (declared or (kind if usual == VARIANCE else usual)):
        raise CubeError(_contradiction(name, unit, declared or usual, kind))
    return Errors(kind, factor)


def inverse_variance(values: np.ndarray, errors: Errors) -> np.ndarray:
    """The array as inverse variance in mangrove's unit, of the same type; 0 where it is no positive number.

    An array that is one already is returned itself.
    """
    values = _floats(values)
    if errors.kind == INVERSE_VARIANCE:
        return scaled(values, errors.factor)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        positive = np.where(values > 0, values, np.nan) * errors.factor
        inverse = positive ** {VARIANCE: -1, SIGMA: -2, INVERSE_SIGMA: 2}[errors.kind]
        return np.nan_to_num(inverse, nan=0.0, posinf=np.inf).astype(values.dtype)


def variance(values: np.ndarray, errors: Errors) -> np.ndarray:
    """The array as variance in mangrove's unit, float64; NaN where it is no positive number."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        positive = np.where(values > 0, values, np.nan).astype(np.float64) * errors.factor
        return positive ** {VARIANCE: 1, SIGMA: 2, INVERSE_VARIANCE: -1, INVERSE_SIGMA: -2}[errors.kind]


def scaled(values: np.ndarray, factor: float) -> np.ndarray:
    """Values times a factor, floats in place; as they are where the factor is 1."""
    values = _floats(values)
    if abs(factor - 1.0) > _SAME:
        with np.errstate(over="ignore", invalid="ignore"):
            values *= values.dtype.type(factor)
    return values


def _floats(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def check_content(flux_name: str, errors_name: str, hdus: dict[str, Hdu]) -> None:
    """Refuse a flux and errors whose headers say that they hold another thing, or need a factor besides their unit.

    Parameters
    ----------
    flux_name, errors_name : str
        Of the HDUs.
    hdus : dict of str to Hdu
        With the primary one, whose FSCALE holds for both.

    Raises
    ------
    CubeError
        If HDUCLAS2 is that of another array, or FSCALE, which MPDAF wrote beside the unit, is not 1.
    """
    # A header copied from the flux leaves 'DATA' on its errors.
    for name, others in ((flux_name, ("ERROR", "QUALITY")), (errors_name, ("QUALITY",))):
        if (content := text(hdus[name].header, "HDUCLAS2").upper()) in others:
            raise CubeError(
                f"HDUCLAS2 of HDU {name} is '{content}', which does not agree with its name. Correct the card."
            )
    for name in ("PRIMARY", flux_name, errors_name):
        scale = number(hdus[name].header, "FSCALE", 1.0)
        if scale != 1:
            raise CubeError(f"FSCALE of HDU {name} is {scale:g}: multiply the values by it and set it to 1.")


def quality_flags(name: str, hdu: Hdu, mask_name: str = "", primary: fits.Header | None = None) -> np.ndarray:
    """The flags of a quality array as whole numbers, 0 for good; DONOTUSE where the array is undefined (BLANK).

    Parameters
    ----------
    name : str
        Of the HDU.
    hdu : Hdu
    mask_name : str
        The list of bits that the array must use, where MASKNAME names one; any if empty.
    primary : Header, optional
        Holds MASKNAME where the HDU has none.

    Raises
    ------
    CubeError
        If the array is no such thing by its type, or by HDUCLAS3 or MASKNAME.
    """
    form, bits = text(hdu.header, "HDUCLAS3").upper(), text(hdu.header, "MASKNAME")
    bits = bits or text(primary if primary is not None else hdu.header, "MASKNAME")
    # Which of the two is good is not the same to all who write these words; flags are flags, whatever the word.
    if form in ("MASKZERO", "MASKONE") and not np.any(hdu.data > 1):
        raise CubeError(
            f"HDU {name} is a mask of two values according to HDUCLAS3 ('{form}'). Write flags, 0 for good pixels, and "
            "HDUCLAS3 'FLAG32BIT'."
        )
    if mask_name and bits and bits != mask_name:
        raise CubeError(f"HDU {name} has the bits of {bits} according to MASKNAME; those of {mask_name} are needed.")
    values = hdu.data
    if values.dtype.kind == "f" and "BLANK" in hdu.header and hdu.header["BITPIX"] > 0:
        return np.where(np.isnan(values), float(DrpPixel.DONOTUSE), values).astype(np.int64)
    if values.dtype.kind not in "iu":
        raise CubeError(f"HDU {name} holds {values.dtype}; it needs whole numbers, such as int32.")
    return values


def _declared(name: str, header: fits.Header) -> str:
    """What HDUCLAS3 says that the array holds; empty if it says nothing."""
    form = text(header, "HDUCLAS3").upper()
    if form and form not in _DECLARED:
        raise CubeError(f"HDUCLAS3 of HDU {name} is '{form}'; for errors it must be one of {', '.join(_DECLARED)}.")
    return _DECLARED.get(form, "")


def _contradiction(name: str, unit: str, said: str, by_unit: str) -> str:
    forms = {kind: form for form, kind in _DECLARED.items()}
    return (
        f"HDU {name} is the {said} according to its name or HDUCLAS3, but the {by_unit} according to its BUNIT '{unit}'. Correct BUNIT, or "
        f"set HDUCLAS2 to 'ERROR' and HDUCLAS3 to '{forms[by_unit]}' if it is the {by_unit}."
    )


def single(values: np.ndarray) -> np.ndarray:
    """Values as float32; infinite, and so no data, where that cannot hold them."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)
