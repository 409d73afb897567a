"""The arrays that MaNGA's cubes and single spectra share, in mangrove's units, by what their headers say of them."""

import numpy as np

from mangrove.errors import CubeError
from mangrove.files import spectral_axis
from mangrove.files.fits_stream import Hdu, text
from mangrove.files.units import FLUX_TEXT, angstrom_factor, flux_factor, velocity_factor
from mangrove.physics.wavelengths import C_KMS
from mangrove.survey.readers import error_arrays

#: Name of MaNGA's list of mask bits.
_BITS = "MANGA_DRP3PIXMASK"
#: Gaussian sigma, Angstrom, of a pixel of which the line spread is not known.
_WIDEST = 100.0
#: Line spreads of the optical spectra of galaxies, Gaussian sigma, Angstrom.
_SPREAD = (0.05, 20.0)
_SAMPLE = 100_000


def flux_and_ivar(hdus: dict[str, Hdu]) -> tuple[np.ndarray, np.ndarray]:
    """FLUX and IVAR as float32, in 1e-17 erg/s/cm2/Angstrom/spaxel and its inverse square.

    Without BUNIT they are in these units, as MaNGA's files are.

    Raises
    ------
    CubeError
        If BUNIT, HDUCLAS2 or HDUCLAS3 say that they hold something else.
    """
    error_arrays.check_content("FLUX", "IVAR", hdus)
    header = hdus["FLUX"].header
    unit = text(header, "BUNIT") or text(hdus["PRIMARY"].header, "BUNIT") or FLUX_TEXT
    factor = error_arrays.flux_scale("FLUX", unit)
    kind = error_arrays.meaning_of_errors("IVAR", hdus["IVAR"].header, error_arrays.INVERSE_VARIANCE, unit, factor)
    # Units first, in the precision of the file: erg/s/cm2 are beyond single precision.
    flux = error_arrays.scaled(hdus["FLUX"].data, factor)
    return error_arrays.single(flux), error_arrays.single(error_arrays.inverse_variance(hdus["IVAR"].data, kind))


def mask(hdus: dict[str, Hdu]) -> np.ndarray:
    """MASK as whole numbers with the bits of MANGA_DRP3PIXMASK.

    Raises
    ------
    CubeError
        If it holds something else by its type or header.
    """
    return error_arrays.quality_flags("MASK", hdus["MASK"], _BITS, hdus["PRIMARY"].header)


def wavelengths(hdus: dict[str, Hdu]) -> np.ndarray:
    """WAVE in Angstrom, vacuum. A BUNIT that is a flux's was copied with the header, and says nothing.

    Raises
    ------
    CubeError
        If a header says that they are in air, or in a unit that is none of length.
    """
    headers = {name: hdus[name].header for name in ("PRIMARY", "FLUX", "WAVE")}
    spectral_axis.check_vacuum(headers)
    unit = text(headers["WAVE"], "BUNIT")
    return hdus["WAVE"].data.astype(float) * (1.0 if flux_factor(unit) is not None else _length("WAVE", unit))


def lsf_sigma(name: str, hdus: dict[str, Hdu], wave: np.ndarray) -> np.ndarray:
    """The line spread of an HDU as Gaussian sigma in Angstrom, float32; ``wave`` in Angstrom.

    A BUNIT that is a flux's was copied with the header, and says nothing.

    Raises
    ------
    CubeError
        If BUNIT is no unit of length or velocity, or the values cannot be in it.
    """
    unit = text(hdus[name].header, "BUNIT")
    values = hdus[name].data
    kms = velocity_factor(unit)
    if kms is not None:
        spread = error_arrays.single(values * (kms * wave / C_KMS).reshape(-1, *(1,) * (values.ndim - 1)))
    else:
        copied = flux_factor(unit) is not None
        spread = error_arrays.single(error_arrays.scaled(values, 1.0 if copied else _length(name, unit)))
    check_spread(name, spread)
    return spread


def has_spread(spread: np.ndarray) -> np.ndarray:
    """Whether a pixel has a line spread (Gaussian sigma, Angstrom); MaNGA's is about 1.2."""
    return (spread > 0) & (spread < _WIDEST)


def check_spread(name: str, spread: np.ndarray) -> None:
    """Refuse a line spread (Gaussian sigma, Angstrom) that no such spectrum has: values in a unit that nothing states.

    Raises
    ------
    CubeError
        If the median over the pixels that have one is far from MaNGA's 1.2 Angstrom.
    """
    # A sample of the planes tells it, in little memory.
    sample = spread[:: max(1, spread.size // _SAMPLE)]
    known = sample[np.isfinite(sample) & (sample > 0)]
    if known.size and not _SPREAD[0] < (median := float(np.median(known))) < _SPREAD[1]:
        raise CubeError(
            f"the LSF in HDU {name} has a median of {median:.3g} Angstrom (Gaussian sigma), which is impossible for such spectra. "
            "Correct the values, or state their unit in its BUNIT."
        )


def notes(hdus: dict[str, Hdu]) -> str:
    """What the headers say of the wavelengths that a user must know (see :mod:`mangrove.files.spectral_axis`)."""
    names = [name for name in ("WAVE", "FLUX", "PRIMARY") if name in hdus]
    return spectral_axis.velocity_frame(*(hdus[name].header for name in names))


def _length(name: str, unit: str) -> float:
    factor = angstrom_factor(unit or "Angstrom")
    if factor is None:
        raise CubeError(f"BUNIT of HDU {name} is '{unit}'; a unit of length is needed, such as 'Angstrom' or 'nm'.")
    return factor
