"""The only reading of a cube: bins, baxel spectra, line windows, images."""

import logging

import numpy as np

from mangrove import artefacts
from mangrove.lines import window_lines
from mangrove.logs import rule_log
from mangrove.spectra import extract
from mangrove.spectra.line_windows import line_windows
from mangrove.survey.cube import Cube, read_cube
from mangrove.survey.sample import Galaxy

logger = logging.getLogger("mangrove.extract")


def main(inputs, outputs, params, log=None, threads=1):
    """Read ``inputs.cube`` and write the artefact 'extract' to ``outputs.extract``."""
    with rule_log(log):
        galaxy = Galaxy(**{k: params[k] for k in Galaxy.__dataclass_fields__ if k in dict(params.items())})
        cube = read_cube(inputs.cube, galaxy.spectrum)
        data, attrs = extract_galaxy(cube, galaxy, params)
        logger.info("%s: %s %s", galaxy.plateifu, attrs["status"], attrs["reason"])
        prov = artefacts.provenance(outputs.extract, dict(params.items()), [inputs.cube])
        artefacts.write(outputs.extract, "extract", data, prov, attrs)


def extract_galaxy(cube: Cube, galaxy: Galaxy, params) -> tuple[dict, dict]:
    """Datasets and attributes of the artefact 'extract'."""
    snr = extract.spaxel_snr(cube, params["continuum_range"], params["min_snr"])
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
        "window_line": np.array(window_lines().name),
        "window_wave": windows.wave,
        "window_flux": windows.flux,
        "window_ivar": windows.ivar,
    }
    status, reason = outcome(snr.status, n.size, params["min_snr"])
    return data, {
        "status": status,
        "reason": reason,
        "plateifu": galaxy.plateifu,
        "mangaid": galaxy.mangaid,
        "z": galaxy.z,
        "ebv_galactic": galaxy.ebv,
        "instrument": cube.instrument,
        "drpver": cube.version,
        "notes": cube.notes,
        "pixel_scale": cube.pixel_scale,
        "wcs": cube.wcs.to_header_string() if cube.wcs is not None else "",
        **centre(cube, galaxy),
    }


def outcome(spaxel_status, n_baxel: int, min_snr: float) -> tuple[str, str]:
    """Status and reason of a galaxy after binning."""
    if n_baxel:
        return "ok", ""
    if np.any(spaxel_status == extract.BELOW_MIN_SNR):
        return "too_faint", f"no spaxel reaches a signal to noise of {min_snr:g}"
    return "all_masked", "no spaxel has enough good pixels in the continuum range"


def centre(cube: Cube, galaxy: Galaxy) -> dict[str, float]:
    """Column and row (from 0) of the object's centre; the middle of the field without a celestial frame."""
    if cube.wcs is None:
        ny, nx = cube.foreground.shape
        return {"x_centre": (nx - 1) / 2.0, "y_centre": (ny - 1) / 2.0}
    x, y = cube.wcs.world_to_pixel_values(galaxy.ra, galaxy.dec)
    return {"x_centre": float(x), "y_centre": float(y)}


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
