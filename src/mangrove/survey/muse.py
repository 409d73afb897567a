"""Reader of VLT/MUSE cubes: linear air wavelengths become the log-linear vacuum scale of the rest of mangrove."""

import numpy as np
from astropy.io import fits

from mangrove.errors import CubeError
from mangrove.survey.cube import Cube, celestial_frame, spaxel_side
from mangrove.survey.fits_stream import Hdu, number, text
from mangrove.wavelengths import SIGMA_TO_FWHM, air_to_vacuum, linear_edges, log_edges, overlap_matrix

#: Images to keep.
HDUS = ("DATA", "STAT", "DQ")
#: What to do with a cube that is refused.
MEND = (
    "Give the cube as MUSE's pipeline writes it: DATA and STAT of one shape, CTYPE3 'AWAV' in Angstrom with CRVAL3, "
    "CRPIX3 and CD3_3, a celestial frame, BUNIT '10**(-20)*erg/s/cm**2/Angstrom'."
)
#: Step of the output scale in dex, MaNGA's.
STEP = 1e-4
#: Largest part of an output pixel that may come from bad input pixels.
_BAD_FRACTION = 0.1
#: Angstrom; MUSE covers 4650 to 9300.
_AIR_RANGE = (2000.0, 30000.0)
_TO_1E17 = {"10**(-20)*erg/s/cm**2/Angstrom": 1e-3, "10**(-20)*erg/s/cm**2/Angstrom/spaxel": 1e-3}


def recognises(hdus: dict[str, Hdu]) -> bool:
    """Whether the file has MUSE's DATA and STAT cubes on a wavelength axis."""
    return all(n in hdus and hdus[n].data is not None for n in ("DATA", "STAT")) and hdus["DATA"].data.ndim == 3


def fwhm(wave):
    """Line spread FWHM, Angstrom, at air wavelength, Angstrom (Bacon et al. 2017, A&A 608, A1, UDF-10)."""
    return 5.866e-8 * wave**2 - 9.187e-4 * wave + 6.040


def read(hdus: dict[str, Hdu]) -> Cube:
    """The cube of a MUSE file (see :class:`mangrove.survey.cube.Cube`).

    Flux is conserved. Rebinning shares an input pixel between output pixels, whose noise then correlates; each
    output pixel gets its variance plus its covariance with the others, so that sums over pixels, and fits that take
    pixels as independent, have the right errors. An output pixel of which at most a tenth is bad has the mean over
    the rest. The line spread includes the output pixel.

    Raises
    ------
    CubeError
        If the wavelength axis is not linear air wavelength in Angstrom, the unit is unknown, HDUs disagree in shape,
        or there is no celestial frame.
    """
    header = hdus["DATA"].header
    data, stat, quality = (hdus[n].data if n in hdus else None for n in HDUS)
    if any(other is not None and other.shape != data.shape for other in (stat, quality)):
        raise CubeError(f"its HDUs {', '.join(n for n in HDUS if n in hdus)} disagree in shape.")
    wave_air, unit = _air_scale(header), _unit(header)
    edges_air = linear_edges(wave_air)
    edges = air_to_vacuum(edges_air)
    wave = _vacuum_scale(edges)
    matrix = overlap_matrix(edges, log_edges(wave))
    # The flux in a pixel stays, its width in vacuum is larger.
    unit *= (np.diff(edges_air) / np.diff(edges))[:, None]
    ny_nx = data.shape[1:]
    flux = data.reshape(wave_air.size, -1).astype(np.float64) * unit
    variance = stat.reshape(wave_air.size, -1).astype(np.float64) * unit**2
    bad = ~np.isfinite(flux) | ~np.isfinite(variance) | (variance <= 0)
    if quality is not None:
        bad |= quality.reshape(wave_air.size, -1) != 0
    flux_out = matrix @ np.where(bad, 0.0, flux)
    variance_out = matrix @ (np.where(bad, 0.0, variance) * np.diff(edges)[:, None])
    variance_out /= np.diff(log_edges(wave))[:, None]
    # The flux density of an output pixel is the mean over the part that good input pixels cover.
    covered = 1.0 - matrix @ bad.astype(float)
    good = (covered >= 1.0 - _BAD_FRACTION) & (variance_out > 0)
    np.divide(flux_out, covered, out=flux_out, where=good)
    np.divide(variance_out, covered**2, out=variance_out, where=good)
    ivar = np.divide(1.0, variance_out, out=np.zeros_like(variance_out), where=good)
    lsf = np.hypot(fwhm(np.interp(wave, edges, edges_air)) / SIGMA_TO_FWHM, np.diff(log_edges(wave)) / np.sqrt(12.0))
    wcs = celestial_frame(header)
    shape = (wave.size, *ny_nx)
    flux_out = np.where(good, flux_out, 0.0).astype(np.float32).reshape(shape)
    return Cube(
        name="",
        wave=wave,
        flux=flux_out,
        ivar=ivar.astype(np.float32).reshape(shape),
        good=good.reshape(shape),
        lsf=lsf.astype(np.float32),
        foreground=np.zeros(ny_nx, bool),
        pixel_scale=spaxel_side(wcs),
        wcs=wcs,
        images={"white": flux_out.mean(axis=0)},
        instrument="MUSE",
        notes="rebinned to log-linear vacuum wavelengths; the covariance of neighbouring pixels is in their variance",
    )


def _air_scale(header: fits.Header) -> np.ndarray:
    kind, unit = text(header, "CTYPE3"), text(header, "CUNIT3")
    if kind != "AWAV" or unit.lower() != "angstrom":
        raise CubeError(f"the wavelength axis is {kind or 'not named'} in '{unit}'; a MUSE cube has AWAV in Angstrom.")
    step = number(header, "CD3_3" if "CD3_3" in header else "CDELT3")
    pixels = np.arange(int(number(header, "NAXIS3"))) + 1.0
    wave = number(header, "CRVAL3") + step * (pixels - number(header, "CRPIX3"))
    if wave.size < 2 or not _AIR_RANGE[0] < wave[0] < wave[-1] < _AIR_RANGE[1]:
        raise CubeError(f"its {wave.size} wavelengths begin at {wave[:1]} in steps of {step:g} Angstrom; not MUSE's.")
    return wave


def _unit(header: fits.Header) -> float:
    unit = text(header, "BUNIT")
    if unit not in _TO_1E17:
        raise CubeError(f"BUNIT is '{unit}'; known for MUSE: {', '.join(_TO_1E17)}.")
    return _TO_1E17[unit]


def _vacuum_scale(edges: np.ndarray) -> np.ndarray:
    """Log-linear centres whose pixels lie inside the edges."""
    low, high = np.log10(edges[[0, -1]])
    n = int(np.floor((high - low) / STEP))
    return 10 ** (low + STEP * (np.arange(n) + 0.5))
