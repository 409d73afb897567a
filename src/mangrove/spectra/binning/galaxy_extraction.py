"""What is taken from the cube of one galaxy: bins, baxel spectra, line windows, images, and why there may be none."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mangrove.codes import SpaxelStatus
from mangrove.physics.lines import window_lines
from mangrove.spectra.binning import extraction
from mangrove.spectra.binning.coadd import baxel_snr, coadd
from mangrove.spectra.binning.voronoi import covariance_factor
from mangrove.spectra.linecubes.windows import line_windows
from mangrove.survey.bitmasks import DrpQuality, has
from mangrove.survey.cube import Cube
from mangrove.survey.target import MISSING, Target

CRITICAL = "critical", "the cube has the quality bit CRITICAL (DRP3QUAL, bit 30): not to be used"
OFF_CENTRE = "the object's position (ra, dec of the sample sheet) lies outside the field: its line cube is empty"


def extract_galaxy(cube: Cube, target: Target, params: Mapping) -> tuple[dict, dict]:
    """Datasets and attributes of the artefact 'extract'.

    Parameters
    ----------
    cube : Cube
    target : Target
        The galaxy in it.
    params : mapping
        continuum_range (two wavelengths, Angstrom, observed), min_snr, target_snr, covariance, engine, window_pixels;
        drop_critical (True if not given).

    Raises
    ------
    CubeError
        If the cube has no wavelength in the continuum range.
    """
    snr = extraction.spaxel_snr(cube, params["continuum_range"], params["min_snr"])
    critical = params.get("drop_critical", True) and has(cube.quality, DrpQuality.CRITICAL)
    if critical:
        snr, cube = without_data(snr, cube)
    bin_id = extraction.bin_cube(snr, params["target_snr"], params["covariance"], params["engine"])
    baxels = coadd(cube, bin_id, params["covariance"])
    shape = extraction.geometry(cube, bin_id, snr.signal, target)
    windows = line_windows(cube, target.z, window_lines(), params["window_pixels"])
    n = shape["n_spaxel"]
    data = {
        "wave": cube.wave,
        "bin_id": bin_id,
        "spaxel_status": snr.status,
        "signal": snr.signal,
        "noise": snr.noise,
        "image": np.array(list(cube.images.values()) or np.zeros((0, *bin_id.shape))),
        "band": np.array(list(cube.images), dtype=str),
        **baxels._asdict(),
        **shape,
        "snr": baxel_snr(cube.wave, baxels, params["continuum_range"]),
        "covariance_factor": covariance_factor(n, params["covariance"]),
        "line": np.array(window_lines().name),
        "window_wave": windows.wave,
        "window_flux": windows.flux,
        "window_ivar": windows.ivar,
    }
    status, reason = CRITICAL if critical else outcome(snr.status, n.size, params["min_snr"])
    place = centre(cube, target)
    return data, {
        "status": status,
        "reason": reason,
        "plateifu": target.plateifu,
        "mangaid": target.mangaid,
        "z": target.z,
        "ebv_galactic": target.ebv,
        "instrument": cube.instrument,
        "drpver": cube.version,
        "notes": "; ".join(filter(None, [cube.notes, "" if place["centre_in_field"] else OFF_CENTRE])),
        "pixel_scale": cube.pixel_scale,
        "psf_fwhm": cube.psf_fwhm,
        "r_e": target.r_e,
        "pa": target.pa,
        "ba": target.ba,
        "wcs": cube.wcs.to_header_string() if cube.wcs is not None else "",
        **place,
    }


def without_data(snr: extraction.SpaxelSnr, cube: Cube) -> tuple[extraction.SpaxelSnr, Cube]:
    """The same with no spaxel to bin and no good pixel; signal, noise and images stay for inspection."""
    status = np.where(snr.status == SpaxelStatus.BINNED, SpaxelStatus.MASKED, snr.status)
    return snr._replace(status=status), replace(cube, good=np.zeros_like(cube.good))


def outcome(spaxel_status, n_baxel: int, min_snr: float) -> tuple[str, str]:
    """Status and reason of a galaxy after binning."""
    if n_baxel:
        return "ok", ""
    if np.any(spaxel_status == SpaxelStatus.BELOW_MIN_SNR):
        return "too_faint", f"no spaxel reaches an S/N of {min_snr:g}"
    return "all_masked", "no spaxel has enough good pixels in the continuum range"


def centre(cube: Cube, target: Target) -> dict[str, float | bool]:
    """Column and row (from 0) of the object's centre, and whether they are in the field.

    The middle of the field without a celestial frame; -9999 where the position has no pixel (far away on the sky).
    """
    ny, nx = cube.foreground.shape
    x, y = (nx - 1) / 2.0, (ny - 1) / 2.0
    if cube.wcs is not None:
        x, y = map(float, cube.wcs.world_to_pixel_values(target.ra, target.dec))
    if not np.isfinite([x, y]).all():
        x, y = MISSING, MISSING
    inside = -0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5
    return {"x_centre": x, "y_centre": y, "centre_in_field": inside}
