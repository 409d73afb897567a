"""What the arrays of a template library mean: units that a file states, and values that only wrong units give."""

import numpy as np
from astropy import units as u

from mangrove.errors import TemplateError
from mangrove.files.units import angstrom_factor, unit_of

#: Solar units as people write them.
_SOLAR = {"L_sun": "solLum", "Lsun": "solLum", "Lo": "solLum", "M_sun": "solMass", "Msun": "solMass"}
_LUMINOSITY = u.solLum / u.AA
#: Wavelength in Angstrom that every library covers, and the line spread there (Angstrom FWHM) that one may have.
_OPTICAL, _FWHM_RANGE = 5500.0, (0.1, 30.0)
#: Gyr; the oldest populations of published libraries have 17.8.
_OLDEST = 20.0
#: Surviving fractions are below 1; tables are rounded.
_MOST_MASS = 1.02
#: r-band luminosity of a solar mass formed 5-15 Gyr ago, in solar luminosities: 0.1 to 0.7 for the usual mass functions.
_OLD, _OLD_LIGHT = (5.0, 15.0), (0.01, 2.0)


def wavelength_factor(unit: str, where: str) -> float:
    """Factor that converts wavelengths in a unit to Angstrom; an empty unit is Angstrom.

    Raises
    ------
    TemplateError
        If it is no unit of length.
    """
    factor = angstrom_factor(unit or "Angstrom")
    if factor is None:
        raise TemplateError(f"{where} is '{unit}'; a unit of length is needed, such as 'Angstrom' or 'nm'.")
    return factor


def age_factor(unit: str, where: str) -> float:
    """Factor that converts ages in a unit to Gyr; an empty unit is Gyr.

    Raises
    ------
    TemplateError
        If it is no unit of time, as that of logarithms.
    """
    time = unit_of(unit or "Gyr")
    if time is None or not time.is_equivalent(u.Gyr):
        raise TemplateError(
            f"{where} is '{unit}'; a unit of time is needed, such as 'Gyr' or 'Myr' (not its logarithm)."
        )
    return float(time.to(u.Gyr))


def luminosity_factor(unit: str, where: str) -> float:
    """Factor that converts spectra in a unit to L_sun/Angstrom per solar mass formed; an empty unit is that unit.

    Raises
    ------
    TemplateError
        If it is no luminosity per wavelength, with or without 'per solar mass'.
    """
    text = unit.partition(" of ")[0].replace(" per ", " / ")
    for name, ours in _SOLAR.items():
        text = text.replace(name, ours)
    spectra = unit_of(text) if unit else _LUMINOSITY
    for mass in (u.dimensionless_unscaled, u.solMass):
        if spectra is not None and (spectra * mass).is_equivalent(_LUMINOSITY):
            return float((spectra * mass).to(_LUMINOSITY))
    raise TemplateError(f"{where} is '{unit}'; 'L_sun / Angstrom / M_sun' (per solar mass formed) is needed.")


def is_air(frame: str, usual: bool, where: str) -> bool:
    """Whether a word means wavelengths in air; ``usual`` where there is none.

    Raises
    ------
    TemplateError
        If it is neither air nor vacuum.
    """
    word = frame.strip().lower()
    if word and not word.startswith(("air", "vac")):
        raise TemplateError(f"{where} is '{frame}'; write 'air' or 'vacuum'.")
    return word.startswith("air") if word else usual


def check_values(source: str, wave, age, metallicity, fwhm, masses) -> None:
    """Refuse arrays whose values cannot be in mangrove's units.

    Parameters
    ----------
    source : str
        File, for the message.
    wave, fwhm : ndarray, shape (n_wave,)
        Angstrom.
    age : ndarray, shape (n_age,)
        Gyr.
    metallicity : ndarray, shape (n_metallicity,)
        [M/H], dex.
    masses : ndarray or None
        Mass in stars and remnants per mass formed.

    Raises
    ------
    TemplateError
        If one of them is in another unit by its values.
    """

    def require(condition, what: str, wanted: str) -> None:
        if not condition:
            raise TemplateError(f"{source}: {what}; mangrove needs {wanted}. Convert the array.")

    sorted_wave = np.sort(wave)
    require(
        sorted_wave.size > 1 and 1 <= sorted_wave[0] < _OPTICAL < sorted_wave[-1] < np.inf,
        f"wavelengths run from {sorted_wave[0]:.6g} to {sorted_wave[-1]:.6g}",
        "Angstrom, covering at least 5500 Angstrom",
    )
    require(
        age.min() > 0 and age.max() <= _OLDEST and (age.size == 1 or age.min() < _OLD[0]),
        f"ages run from {age.min():g} to {age.max():g}",
        "Gyr (not yr, Myr or log10 of yr)",
    )
    # [M/H] is negative below solar; mass fractions and ratios to the Sun's are all positive.
    positive = metallicity.size > 1 and metallicity.min() > 0
    require(
        np.all(np.abs(metallicity) < 5) and not (positive and (metallicity.max() < 0.1 or metallicity.max() > 0.8)),
        f"metallicities run from {metallicity.min():g} to {metallicity.max():g}",
        "[M/H] in dex (not the mass fraction Z, nor Z in solar units)",
    )
    spread = float(np.interp(_OPTICAL, wave, fwhm))
    require(
        _FWHM_RANGE[0] < spread < _FWHM_RANGE[1],
        f"the resolution at 5500 Angstrom is {spread:g}",
        "the FWHM in Angstrom (not km/s, nm or a resolving power)",
    )
    if masses is not None:
        require(
            np.all((masses > 0) & (masses <= _MOST_MASS)),
            f"masses run from {np.min(masses):g} to {np.max(masses):g}",
            "the mass in stars and remnants per mass formed, between 0 and 1",
        )


def has_luminosities(age, light) -> bool:
    """Whether old populations have the luminosity of a solar mass; normalised spectra, or other units, do not.

    Parameters
    ----------
    age : ndarray, shape (n_age,)
        Gyr.
    light : ndarray, shape (n_metallicity, n_age)
        r-band luminosity, solar units, per solar mass formed.
    """
    old = light[:, (age >= _OLD[0]) & (age <= _OLD[1])]
    return bool(np.all((old > _OLD_LIGHT[0]) & (old < _OLD_LIGHT[1])))
