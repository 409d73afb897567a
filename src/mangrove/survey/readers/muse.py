"""Reader of VLT/MUSE cubes: their wavelengths, most often linear and in air, become mangrove's log-linear vacuum scale."""

import numpy as np

from mangrove.errors import CubeError
from mangrove.files.fits_stream import Hdu, text
from mangrove.files.spectral_axis import SpectralAxis, spectral_axis, velocity_frame
from mangrove.physics.wavelengths import SIGMA_TO_FWHM, air_to_vacuum, log_edges, mean_smoothing, overlap_matrix
from mangrove.survey.cube import Cube
from mangrove.survey.readers import error_arrays
from mangrove.survey.readers.sky_frame import celestial_frame, check_undistorted, spaxel_side

#: Images to keep.
HDUS = ("DATA", "STAT", "DQ")
#: What helps where a cube is refused.
MEND = (
    "Give the cube as MUSE's pipeline writes it: DATA and STAT of the same shape, CTYPE3 'AWAV' in Angstrom with CRVAL3, "
    "CRPIX3 and CD3_3, a celestial frame, BUNIT '10**(-20)*erg/s/cm**2/Angstrom'."
)
#: Step of the output scale in dex, MaNGA's.
STEP = 1e-4
#: Largest part of an output pixel that may come from bad input pixels.
_BAD_FRACTION = 0.1
#: Angstrom; MUSE covers 4650 to 9300.
_RANGE = (2000.0, 30000.0)
_NOTE = "rebinned to log-linear vacuum wavelengths; their variance includes the covariance of neighbouring pixels"


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
    the rest. The line spread includes what the rebinning adds.

    Raises
    ------
    CubeError
        If the third axis is no wavelength, the unit is no flux per wavelength, the errors contradict their header, HDUs
        disagree in shape, there is no celestial frame, or the cube is another instrument's.
    """
    _check_instrument(hdus)
    header = hdus["DATA"].header
    data, stat, quality = (hdus[n].data if n in hdus else None for n in HDUS)
    if any(other is not None and other.shape != data.shape for other in (stat, quality)):
        raise CubeError(f"its HDUs {', '.join(n for n in HDUS if n in hdus)} disagree in shape.")
    check_undistorted(header)
    axis, wcs = _axis(hdus), celestial_frame(header)
    edges_file = axis.edges
    edges = air_to_vacuum(edges_file) if axis.air else edges_file
    # MUSE's line spread is a function of the wavelength in air.
    edges_air = edges_file if axis.air else np.interp(edges, air_to_vacuum(edges), edges)
    wave = _vacuum_scale(edges)
    unit, errors = _units(hdus)
    matrix = overlap_matrix(edges, log_edges(wave))
    # The flux in a pixel stays, its width in vacuum is larger.
    stretch = (np.diff(edges_file) / np.diff(edges))[:, None]
    ny_nx, n = data.shape[1:], axis.wave.size
    flux = data.reshape(n, -1).astype(np.float64) * (unit * stretch)
    variance = error_arrays.variance(stat.reshape(n, -1), errors) * stretch**2
    bad = ~np.isfinite(flux) | ~np.isfinite(variance) | ~(variance > 0)
    if quality is not None:
        bad |= error_arrays.quality_flags("DQ", hdus["DQ"]).reshape(n, -1) != 0
    flux_out = matrix @ np.where(bad, 0.0, flux)
    variance_out = matrix @ (np.where(bad, 0.0, variance) * np.diff(edges)[:, None])
    variance_out /= np.diff(log_edges(wave))[:, None]
    # The flux density of an output pixel is the mean over the part that good input pixels cover.
    covered = 1.0 - matrix @ bad.astype(float)
    good = (covered >= 1.0 - _BAD_FRACTION) & (variance_out > 0)
    np.divide(flux_out, covered, out=flux_out, where=good)
    np.divide(variance_out, covered**2, out=variance_out, where=good)
    with np.errstate(over="ignore"):
        ivar = np.divide(1.0, variance_out, out=np.zeros_like(variance_out), where=good)
    flux_out, ivar = error_arrays.single(flux_out), error_arrays.single(ivar)
    # What single precision cannot hold is no data.
    good &= np.isfinite(flux_out) & np.isfinite(ivar) & (ivar > 0)
    flux_out, ivar = (np.where(good, values, np.float32(0)).reshape(wave.size, *ny_nx) for values in (flux_out, ivar))
    lsf = np.hypot(
        fwhm(np.interp(wave, edges, edges_air)) / SIGMA_TO_FWHM, mean_smoothing(edges, log_edges(wave), wave)
    )
    return Cube(
        name="",
        wave=wave,
        flux=flux_out,
        ivar=ivar,
        good=good.reshape(flux_out.shape),
        lsf=lsf.astype(np.float32),
        foreground=np.zeros(ny_nx, bool),
        pixel_scale=spaxel_side(wcs),
        wcs=wcs,
        images={"white": flux_out.mean(axis=0)},
        instrument="MUSE",
        notes="; ".join(filter(None, [_NOTE, velocity_frame(header, hdus["PRIMARY"].header)])),
    )


def _axis(hdus: dict[str, Hdu]) -> SpectralAxis:
    axis = spectral_axis(hdus["DATA"].header)
    wave = axis.wave
    if wave.size < 2 or not _RANGE[0] < wave[0] < wave[-1] < _RANGE[1] or np.any(np.diff(wave) <= 0):
        raise CubeError(
            f"its {wave.size} wavelengths run from {wave[0]:.6g} to {wave[-1]:.6g} Angstrom (CRVAL3, CRPIX3, CUNIT3 and "
            "CD3_3, or CDELT3 and PC3_3), which no MUSE cube has."
        )
    return axis


def _units(hdus: dict[str, Hdu]) -> tuple[float, error_arrays.Errors]:
    """What makes DATA fluxes in 1e-17 erg/s/cm2/Angstrom/spaxel, and what STAT holds."""
    error_arrays.check_content("DATA", "STAT", hdus)
    header, primary = hdus["DATA"].header, hdus["PRIMARY"].header
    unit = text(header, "BUNIT") or text(primary, "BUNIT")
    factor = error_arrays.flux_scale("DATA", unit)
    errors = error_arrays.meaning_of_errors("STAT", hdus["STAT"].header, error_arrays.VARIANCE, unit, factor)
    return factor, errors


def _check_instrument(hdus: dict[str, Hdu]) -> None:
    """Refuse a cube of another instrument, whose line spread is not MUSE's."""
    names = (str(hdus[n].header.get("INSTRUME", "")).strip() for n in ("DATA", "PRIMARY"))
    name = next(filter(None, names), "MUSE")
    if not name.upper().startswith("MUSE"):
        raise CubeError(f"INSTRUME is '{name}', but only the LSF of MUSE is known.")


def _vacuum_scale(edges: np.ndarray) -> np.ndarray:
    """Log-linear centres whose pixels lie inside the edges."""
    low, high = np.log10(edges[[0, -1]])
    n = int(np.floor((high - low) / STEP))
    return 10 ** (low + STEP * (np.arange(n) + 0.5))
