"""Reader of VLT/MUSE cubes: linear air wavelengths become the log-linear vacuum scale of the rest of mangrove."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mangrove.errors import CubeError
from mangrove.survey.cube import Cube, spaxel_side
from mangrove.wavelengths import SIGMA_TO_FWHM, air_to_vacuum, linear_edges, log_edges, overlap_matrix

#: Step of the output scale in dex, MaNGA's.
STEP = 1e-4
#: Largest part of an output pixel that may come from bad input pixels.
_BAD_FRACTION = 0.1
_TO_1E17 = {"10**(-20)*erg/s/cm**2/Angstrom": 1e-3, "10**(-20)*erg/s/cm**2/Angstrom/spaxel": 1e-3}


def recognises(hdus: fits.HDUList) -> bool:
    """Whether the file has MUSE's DATA and STAT cubes on a wavelength axis."""
    return "DATA" in hdus and "STAT" in hdus and hdus["DATA"].header.get("NAXIS") == 3


def fwhm(wave):
    """Line spread FWHM, Angstrom, at air wavelength, Angstrom (Bacon et al. 2017, A&A 608, A1, UDF-10)."""
    return 5.866e-8 * wave**2 - 9.187e-4 * wave + 6.040


def read(hdus: fits.HDUList) -> Cube:
    """The cube of an open MUSE file (see :class:`mangrove.survey.cube.Cube`).

    Flux is conserved. Rebinning shares an input pixel between output pixels, whose noise then correlates; each
    output pixel gets its variance plus its covariance with the others, so that sums over pixels, and fits that take
    pixels as independent, have the right errors. The line spread includes the output pixel.

    Raises
    ------
    CubeError
        If the wavelength axis is not linear air wavelength in Angstrom, or the unit is unknown.
    """
    header = hdus["DATA"].header
    wave_air, unit = _air_scale(header), _unit(header)
    edges_air = linear_edges(wave_air)
    edges = air_to_vacuum(edges_air)
    wave = _vacuum_scale(edges)
    matrix = overlap_matrix(edges, log_edges(wave))
    # The flux in a pixel stays, its width in vacuum is larger.
    unit *= (np.diff(edges_air) / np.diff(edges))[:, None]
    ny_nx = hdus["DATA"].shape[1:]
    flux = hdus["DATA"].data.reshape(wave_air.size, -1).astype(np.float64) * unit
    variance = hdus["STAT"].data.reshape(wave_air.size, -1).astype(np.float64) * unit**2
    bad = ~np.isfinite(flux) | ~np.isfinite(variance) | (variance <= 0)
    if "DQ" in hdus:
        bad |= hdus["DQ"].data.reshape(wave_air.size, -1) != 0
    flux_out = matrix @ np.where(bad, 0.0, flux)
    variance_out = matrix @ (np.where(bad, 0.0, variance) * np.diff(edges)[:, None])
    variance_out /= np.diff(log_edges(wave))[:, None]
    good = (matrix @ bad.astype(float) <= _BAD_FRACTION) & (variance_out > 0)
    ivar = np.divide(1.0, variance_out, out=np.zeros_like(variance_out), where=good)
    lsf = np.hypot(fwhm(wave) / SIGMA_TO_FWHM, np.diff(log_edges(wave)) / np.sqrt(12.0))
    wcs = WCS(header).celestial
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
    if header.get("CTYPE3", "").strip() != "AWAV" or header.get("CUNIT3", "").strip().lower() != "angstrom":
        raise CubeError(
            f"the wavelength axis is {header.get('CTYPE3')} in {header.get('CUNIT3')}; a MUSE cube has AWAV in Angstrom."
        )
    step = header.get("CD3_3", header.get("CDELT3"))
    return header["CRVAL3"] + step * (np.arange(header["NAXIS3"]) + 1.0 - header["CRPIX3"])


def _unit(header: fits.Header) -> float:
    unit = header.get("BUNIT", "").strip()
    if unit not in _TO_1E17:
        raise CubeError(f"BUNIT is '{unit}'; known for MUSE: {', '.join(_TO_1E17)}.")
    return _TO_1E17[unit]


def _vacuum_scale(edges: np.ndarray) -> np.ndarray:
    """Log-linear centres whose pixels lie inside the edges."""
    low, high = np.log10(edges[[0, -1]])
    n = int(np.floor((high - low) / STEP))
    return 10 ** (low + STEP * (np.arange(n) + 0.5))
