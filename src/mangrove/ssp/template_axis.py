"""Wavelengths of a template's spectrum by the cards of its first axis."""

import numpy as np
from astropy.io import fits

from mangrove.errors import CubeError, TemplateError
from mangrove.files.spectral_axis import NO_WAVELENGTH, spectral_axis, stated_medium
from mangrove.physics.wavelengths import air_to_vacuum
from mangrove.ssp.checks import wavelength_factor

#: First values of log10 and of the natural logarithm of wavelengths in Angstrom (100 to 100,000).
_LOG10, _LN = (2.0, 5.0), (5.0, 11.6)


def vacuum_wavelengths(header: fits.Header, logarithmic: bool | None) -> np.ndarray:
    """Vacuum wavelengths, Angstrom, of the pixels of a one-dimensional spectrum.

    CTYPE1 'WAVE' and 'AWAV' (with '-LOG' and the like) mean what the FITS Standard says. Without them, as in the files
    of the MILES pages, the wavelengths are in air (AIRORVAC and VACUUM may say otherwise) and in Angstrom (CUNIT1), and
    linear, or logarithms where DC-FLAG is 1 or the values can be nothing else.

    Parameters
    ----------
    header : Header
    logarithmic : bool or None
        Whether the file's name says that they are sampled in the logarithm; None if it does not.

    Raises
    ------
    TemplateError
        If cards are missing, contradict each other or the name, or are in no unit of length.
    """
    # WAVE-LOG is of the Standard, WAVELENGTH is not.
    kind = str(header.get("CTYPE1", "")).strip().upper().split("-")[0]
    if kind in NO_WAVELENGTH:
        raise TemplateError(f"CTYPE1 is '{header['CTYPE1']}': not wavelengths. Resample the spectrum.")
    try:
        wave, air = _by_standard(header) if kind in ("WAVE", "AWAV") else _by_hand(header)
    except CubeError as error:
        raise TemplateError(str(error)) from error
    steps = np.diff(wave)
    if not np.all(np.isfinite(wave)) or np.any(steps <= 0) or wave[0] <= 0:
        raise TemplateError(f"its wavelengths, from {wave[0]:g} to {wave[-1]:g} Angstrom, do not increase.")
    is_log = np.ptp(np.diff(np.log(wave))) < np.ptp(steps) / wave.mean()
    if logarithmic is not None and is_log != logarithmic:
        said, found = (("log", "linear"), ("linear", "logarithmic"))[not logarithmic]
        raise TemplateError(
            f"its name says '{said}', but its wavelengths (CRVAL1, CDELT1, DC-FLAG) are {found}. Correct it."
        )
    return air_to_vacuum(wave) if air else wave


def _by_standard(header: fits.Header) -> tuple[np.ndarray, bool]:
    cards = header.copy()
    for key, usual in (("CRPIX1", 1.0), ("CUNIT1", "Angstrom")):
        cards.setdefault(key, usual)
    axis = spectral_axis(cards, 1)
    return axis.wave, axis.air


def _by_hand(header: fits.Header) -> tuple[np.ndarray, bool]:
    if "CD1_1" in header and header.get("CDELT1", 1.0) not in (1.0, header["CD1_1"]):
        raise TemplateError(f"CD1_1 is {header['CD1_1']}, but CDELT1 is {header['CDELT1']}. Delete the wrong one.")
    step = header["CD1_1"] if "CD1_1" in header else header["CDELT1"] * header.get("PC1_1", 1.0)
    values = header["CRVAL1"] + step * (np.arange(header["NAXIS1"]) + 1 - header.get("CRPIX1", 1.0))
    medium = stated_medium(header)
    air = medium is None or medium.air
    unit = str(header.get("CUNIT1", "")).strip()
    if header.get("DC-FLAG", 0) == 1 or (not unit and _LOG10[0] < values[0] < values[-1] < _LOG10[1]):
        # Logarithms of numbers in this unit.
        return 10.0**values * wavelength_factor(unit, "CUNIT1"), air
    if not unit and _LN[0] < values[0] < values[-1] < _LN[1]:
        return np.exp(values), air
    return values * wavelength_factor(unit, "CUNIT1"), air
