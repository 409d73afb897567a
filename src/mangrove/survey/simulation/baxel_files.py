"""Simulated baxels as artefacts: their spectra as kind 'extract', their truth as kind 'truth', on the same small image."""

import numpy as np

from mangrove.codes import SpaxelStatus
from mangrove.physics.lines import window_lines
from mangrove.survey.simulation.baxels import SimulatedBaxels
from mangrove.survey.simulation.instrument import SPAXEL, WAVE
from mangrove.survey.simulation.simulate import truth_images
from mangrove.survey.target import MISSING, Target

NOTES = "single spectra of a simulated galaxy: rows and columns of the maps are no places on the sky"


def image_of_baxels(n: int) -> np.ndarray:
    """Which pixels of the smallest square image hold ``n`` baxels, row by row: bool, shape (side, side)."""
    side = int(np.ceil(np.sqrt(n)))
    return (np.arange(side**2) < n).reshape(side, side)


def extract_of(baxels: SimulatedBaxels, target: Target, version: str) -> tuple[dict, dict]:
    """Datasets and attributes of the artefact 'extract'.

    Every baxel is one pixel of an image, by rising radius, so that what takes spaxels and their bins takes these too.
    Places on the sky and radii are those in the galaxy. There are no images, and windows of lines without pixels.

    Parameters
    ----------
    baxels : SimulatedBaxels
    target : Target
        The galaxy, as the sample sheet has it.
    version : str
        Of the pipeline whose data the spectra resemble.
    """
    n = len(baxels.flux)
    inside = image_of_baxels(n)
    y, x = np.nonzero(inside)
    bin_id = np.full(inside.shape, -1, np.int32)
    bin_id[inside] = np.arange(n)
    lines, nothing = window_lines().name, np.zeros(n)
    data = {
        "wave": WAVE,
        "bin_id": bin_id,
        "spaxel_status": np.where(inside, SpaxelStatus.BINNED, SpaxelStatus.OUTSIDE_FIELD).astype(np.int8),
        "signal": _image(baxels.signal, inside),
        "noise": _image(baxels.noise, inside),
        "image": np.zeros((0, *inside.shape)),
        "band": np.array([], dtype=str),
        "flux": baxels.flux,
        "ivar": baxels.ivar,
        "mask": baxels.mask.astype(np.int8),
        "lsf": baxels.lsf,
        "n_spaxel": np.ones(n, np.int32),
        "area": np.full(n, SPAXEL**2),
        "x": x,
        "y": y,
        "ra": baxels.galaxy.ra + baxels.east / 3600.0 / np.cos(np.deg2rad(baxels.galaxy.dec)),
        "dec": baxels.galaxy.dec + baxels.north / 3600.0,
        "radius": baxels.radius,
        "radius_re": baxels.radius / (target.r_e if target.r_e > 0 else np.nan),
        "extent": nothing,
        "extent_re": nothing if target.r_e > 0 else np.full(n, np.nan),
        "snr": baxels.signal / baxels.noise,
        "covariance_factor": np.ones(n),
        "line": np.array(lines),
        "window_wave": np.zeros((len(lines), 0)),
        "window_flux": np.zeros((len(lines), 0, *inside.shape)),
        "window_ivar": np.zeros((len(lines), 0, *inside.shape)),
    }
    return data, _attributes(baxels, target, version)


def truth_of(baxels: SimulatedBaxels) -> dict[str, np.ndarray]:
    """Datasets of the artefact 'truth', on the image of :func:`extract_of`."""
    return truth_images(baxels.truth, image_of_baxels(len(baxels.flux)))


def _image(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    image = np.zeros(inside.shape, np.float32)
    image[inside] = values
    return image


def _attributes(baxels: SimulatedBaxels, target: Target, version: str) -> dict:
    return {
        "status": "ok",
        "reason": "",
        "plateifu": target.plateifu,
        "mangaid": target.mangaid,
        "z": target.z,
        "ebv_galactic": target.ebv,
        "instrument": "MaNGA",
        "drpver": version,
        "notes": NOTES,
        "pixel_scale": SPAXEL,
        "psf_fwhm": baxels.galaxy.psf_fwhm,
        "r_e": target.r_e,
        "pa": target.pa,
        "ba": target.ba,
        "wcs": "",
        "x_centre": MISSING,
        "y_centre": MISSING,
        "centre_in_field": False,
    }
