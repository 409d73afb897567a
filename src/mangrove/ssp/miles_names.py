"""Names of files of the MILES pages: population, isochrones, abundances, sampling and line spread."""

import re
from typing import NamedTuple

import numpy as np

from mangrove.errors import TemplateError
from mangrove.physics.wavelengths import C_KMS, SIGMA_TO_FWHM

_FILE_NAME = re.compile(
    r"(?P<range>[A-Z])(?P<imf>[a-z]{2})(?P<slope>\d+\.\d+)Z(?P<sign>[mp])(?P<metallicity>\d+\.\d+)T(?P<age>\d+\.\d+)"
    r"(?:_i(?P<isochrones>[PT])(?P<alpha>[mp]\d+\.\d+))?(?P<rest>[_.][\w.+-]*?)?(?i:\.fits?(?:\.gz)?)"
)
#: Line spread: FWHM in Angstrom, sigma in km/s, resolving power; 'variable' is the library's own.
_SPREAD = re.compile(r"_(?P<kind>fwhm|sigma|sig|r)[_=]?(?P<value>\d+(?:\.\d+)?|variable)(?=_|$)", re.IGNORECASE)
_SAMPLING = re.compile(r"_(linear|lin|log|ln)(?=_|$)", re.IGNORECASE)
#: Words about the stars' abundances.
_ABUNDANCES = re.compile(r"_(?:baseFe|[A-Za-z]{1,3}[mp]\d+\.\d+)(?=_|$)")
#: The line spread of MILES (Falcon-Barroso et al. 2011), Angstrom FWHM.
MILES_FWHM = 2.51
_LEAST = 0.9


class MilesName(NamedTuple):
    """What the name of a MILES file says of the population; age in Gyr, [M/H] and alpha in dex, alpha None if not given."""

    spectral_range: str
    imf: str
    slope: float
    metallicity: float
    age: float
    isochrones: str
    alpha: float | None


class MilesVariant(NamedTuple):
    """What the rest of the name says of the spectrum.

    Attributes
    ----------
    abundances : str
        Words such as 'baseFe'.
    logarithmic : bool or None
        Whether the wavelengths are sampled in their logarithm; None if not given.
    spread : str
        'fwhm' (Angstrom), 'sigma' (km/s) or 'r' (wavelength over FWHM); empty for the library's own.
    value : float
        Of the line spread; 0 for the library's own.
    """

    abundances: str
    logarithmic: bool | None
    spread: str
    value: float


def parse_miles_name(name: str) -> MilesName | None:
    """Parts of a name like ``Eku1.30Zp0.06T00.0300_iTp0.00_baseFe.fits``; None for other names."""
    match = _FILE_NAME.fullmatch(name)
    if not match:
        return None
    signed = {"m": -1.0, "p": 1.0}
    alpha = match["alpha"]
    return MilesName(
        spectral_range=match["range"],
        imf=match["imf"],
        slope=float(match["slope"]),
        metallicity=signed[match["sign"]] * float(match["metallicity"]),
        age=float(match["age"]),
        isochrones=match["isochrones"] or "",
        alpha=signed[alpha[0]] * float(alpha[1:]) if alpha else None,
    )


def parse_variant(name: str) -> MilesVariant:
    """The end of a name that :func:`parse_miles_name` knows, such as ``_baseFe_linear_FWHM_5.00``.

    Raises
    ------
    TemplateError
        If it has words that are not known, which might say anything, or two line spreads.
    """
    rest = _FILE_NAME.fullmatch(name)["rest"] or ""
    spreads, samplings = list(_SPREAD.finditer(rest)), _SAMPLING.findall(rest)
    abundances = "".join(_ABUNDANCES.findall(rest))
    unknown = _ABUNDANCES.sub("", _SAMPLING.sub("", _SPREAD.sub("", rest)))
    if unknown or len(spreads) > 1 or len(samplings) > 1:
        raise TemplateError(
            f"{name}: '{unknown or rest}' in the name is not understood; valid words are baseFe, linear, log, FWHM_2.51 "
            "(Angstrom), sigma_100 (km/s), R_2000 and FWHM_variable. Remove it from the names if it concerns neither "
            "wavelengths nor resolution."
        )
    own = not spreads or spreads[0]["value"].lower() == "variable"
    return MilesVariant(
        abundances,
        samplings[0].lower() in ("log", "ln") if samplings else None,
        "" if own else {"sig": "sigma"}.get(kind := spreads[0]["kind"].lower(), kind),
        0.0 if own else float(spreads[0]["value"]),
    )


def lsf_fwhm(variant: MilesVariant, wave, own: np.ndarray | None) -> np.ndarray:
    """Line spread of a library, Angstrom FWHM, shape (n_wave,).

    Smoothing only widens: where the library is coarser than the name says (E-MILES outside of 3541-8950 Angstrom), it
    keeps its own.

    Parameters
    ----------
    variant : MilesVariant
    wave : ndarray, shape (n_wave,)
        Angstrom.
    own : ndarray or None
        The library's line spread before smoothing; None where it is not known.

    Raises
    ------
    TemplateError
        If neither name nor library tell, or the name states less than the library has anywhere.
    """
    wave = np.asarray(wave, float)
    stated = {
        "": lambda _: None,
        "fwhm": lambda value: np.full(wave.shape, value),
        "sigma": lambda value: SIGMA_TO_FWHM * value / C_KMS * wave,
        "r": lambda value: wave / value if value else None,
    }[variant.spread](variant.value)
    if stated is None and own is None:
        raise TemplateError(
            "the resolution of this spectral range is unknown (only ranges E and M, the first letter of the names, are "
            "known). Give it at the end of the names, as in ..._baseFe_linear_FWHM_1.50.fits."
        )
    if stated is None or own is None:
        return own if stated is None else stated
    if np.all(stated < _LEAST * own):
        raise TemplateError(
            f"the names state a resolution of {variant.value:g} ({variant.spread}), finer than the library's own "
            f"{own.min():g} Angstrom. Correct the names."
        )
    return np.maximum(stated, own)
