"""The only reading of a cube: bins, baxel spectra, line windows, images."""

import logging
import re
from dataclasses import replace

import numpy as np

from mangrove import artefacts
from mangrove.codes import SpaxelStatus
from mangrove.errors import CubeError
from mangrove.logs import rule_log
from mangrove.physics.lines import window_lines
from mangrove.spectra.binning import extraction as extract
from mangrove.spectra.linecubes.windows import line_windows
from mangrove.survey.bitmasks import DrpQuality, has
from mangrove.survey.cube import Cube
from mangrove.survey.galaxy import MISSING, PLATEIFU, Galaxy, check_galaxy
from mangrove.survey.readers.missing import empty_cube, reason_missing_in
from mangrove.survey.readers.reading import advice, read_cube

logger = logging.getLogger("mangrove.extract")

CRITICAL = "critical", "the cube has the quality bit CRITICAL (DRP3QUAL, bit 30): not to be used"
OFF_CENTRE = "the object's position (ra, dec of the sample sheet) lies outside the field: its line cube is empty"


def main(inputs, outputs, params, log=None, threads=1):
    """Read ``inputs.cube`` and write the artefact 'extract' to ``outputs.extract``."""
    with rule_log(log):
        galaxy = Galaxy(**{k: params[k] for k in Galaxy.__dataclass_fields__ if k in dict(params.items())})
        check_galaxy(galaxy, "params of extract")
        missing = reason_missing_in(inputs.cube)
        fetched = bool(params.get("fetched", False))
        cube = read_cube(inputs.cube, galaxy.spectrum, fetched) if missing is None else empty_cube(galaxy.plateifu)
        check_name(cube, galaxy, inputs.cube, fetched)
        data, attrs = extract_galaxy(cube, galaxy, params)
        if missing is not None:
            attrs |= {"status": "missing", "reason": missing}
        logger.info("%s: %s %s %s", galaxy.plateifu, attrs["status"], attrs["reason"], attrs["notes"])
        # Where the cube came from changes what an error advises, and no result.
        recorded = {key: value for key, value in params.items() if key != "fetched"}
        prov = artefacts.provenance(outputs.extract, recorded, [inputs.cube])
        artefacts.write(outputs.extract, "extract", data, prov, attrs)


def check_name(cube: Cube, galaxy: Galaxy, path, fetched: bool) -> None:
    """Refuse another galaxy's cube with a CubeError; only a row that is named by plateifu says which one it wants."""
    if cube.name and re.fullmatch(PLATEIFU, galaxy.plateifu) and cube.name != galaxy.plateifu:
        raise CubeError(f"{path} holds the cube of {cube.name}, not of {galaxy.plateifu}. {advice(path, fetched)}")


def extract_galaxy(cube: Cube, galaxy: Galaxy, params) -> tuple[dict, dict]:
    """Datasets and attributes of the artefact 'extract'."""
    snr = extract.spaxel_snr(cube, params["continuum_range"], params["min_snr"])
    critical = params.get("drop_critical", True) and has(cube.quality, DrpQuality.CRITICAL)
    if critical:
        snr, cube = without_data(snr, cube)
    bin_id = extract.bin_cube(snr, params["target_snr"], params["covariance"], params["engine"])
    baxels = extract.coadd(cube, bin_id, params["covariance"])
    shape = extract.geometry(cube, bin_id, snr.signal, galaxy)
    windows = line_windows(cube, galaxy.z, window_lines(), params["window_pixels"])
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
        "snr": extract.baxel_snr(cube.wave, baxels, params["continuum_range"]),
        "covariance_factor": extract.covariance_factor(n, params["covariance"]),
        "line": np.array(window_lines().name),
        "window_wave": windows.wave,
        "window_flux": windows.flux,
        "window_ivar": windows.ivar,
    }
    status, reason = CRITICAL if critical else outcome(snr.status, n.size, params["min_snr"])
    place = centre(cube, galaxy)
    return data, {
        "status": status,
        "reason": reason,
        "plateifu": galaxy.plateifu,
        "mangaid": galaxy.mangaid,
        "z": galaxy.z,
        "ebv_galactic": galaxy.ebv,
        "instrument": cube.instrument,
        "drpver": cube.version,
        "notes": "; ".join(filter(None, [cube.notes, "" if place["centre_in_field"] else OFF_CENTRE])),
        "pixel_scale": cube.pixel_scale,
        "psf_fwhm": cube.psf_fwhm,
        "r_e": galaxy.r_e,
        "pa": galaxy.pa,
        "ba": galaxy.ba,
        "wcs": cube.wcs.to_header_string() if cube.wcs is not None else "",
        **place,
    }


def without_data(snr: extract.SpaxelSnr, cube: Cube) -> tuple[extract.SpaxelSnr, Cube]:
    """The same with no spaxel to bin and no good pixel; signal, noise and images stay for inspection."""
    status = np.where(snr.status == SpaxelStatus.BINNED, SpaxelStatus.MASKED, snr.status)
    return snr._replace(status=status), replace(cube, good=np.zeros_like(cube.good))


def outcome(spaxel_status, n_baxel: int, min_snr: float) -> tuple[str, str]:
    """Status and reason of a galaxy after binning."""
    if n_baxel:
        return "ok", ""
    if np.any(spaxel_status == SpaxelStatus.BELOW_MIN_SNR):
        return "too_faint", f"no spaxel reaches a signal to noise of {min_snr:g}"
    return "all_masked", "no spaxel has enough good pixels in the continuum range"


def centre(cube: Cube, galaxy: Galaxy) -> dict[str, float | bool]:
    """Column and row (from 0) of the object's centre, and whether they are in the field.

    The middle of the field without a celestial frame; -9999 where the position has no pixel (far away on the sky).
    """
    ny, nx = cube.foreground.shape
    x, y = (nx - 1) / 2.0, (ny - 1) / 2.0
    if cube.wcs is not None:
        x, y = map(float, cube.wcs.world_to_pixel_values(galaxy.ra, galaxy.dec))
    if not np.isfinite([x, y]).all():
        x, y = MISSING, MISSING
    inside = -0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5
    return {"x_centre": x, "y_centre": y, "centre_in_field": inside}


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
