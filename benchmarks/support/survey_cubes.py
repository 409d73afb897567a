"""The line cubes of a simulated survey.

A cube is a disc of exponential profile at the angle of its galaxy; its lines have a sigma of one pixel of 69 km/s and are
shifted by rotation. Halpha goes with the type, [NII] with the mass, [OIII] with the nucleus.
"""

from collections.abc import Mapping

import numpy as np
from support.survey_galaxies import PIXEL_SCALE, Galaxies
from support.survey_tables import CUBES, OK, Survey

from mangrove import artefacts
from mangrove.codes import SpaxelStatus
from mangrove.physics.lines import window_lines
from mangrove.physics.wavelengths import C_KMS

#: Lines of the cubes, all of which the networks see; native pixels about each, and spaxels of a side.
LINES, N_PIXEL, SIDE = ("OIII_5008", "Halpha_6565", "NII_6585"), 10, 32
#: Every so many galaxies one has no line cube.
_WITHOUT_CUBE = 97
#: Cubes in memory at a time; step of a pixel, km/s; error of a pixel, in units of the flux.
_BLOCK, _PIXEL_KMS, _ERROR = 100, 69.0, 0.02


def with_cubes(galaxies: Galaxies) -> np.ndarray:
    """Indices of the galaxies that have a line cube, in the order of the set."""
    number = np.arange(len(galaxies.kind))
    return np.flatnonzero((galaxies.n_baxel > 0) & (number % _WITHOUT_CUBE != _WITHOUT_CUBE - 1))


def write_cubes(survey: Survey, galaxies: Galaxies) -> None:
    """Write the artefact 'line_cube_set' of galaxies block by block."""
    n, path = len(galaxies.kind), survey.path("line_cube_set")
    dims = {"plateifu": n, "line": len(LINES), "window_pixel": N_PIXEL, "spaxel_y": SIDE, "spaxel_x": SIDE}
    with artefacts.writer(path, "line_cube_set", dims, survey.provenance(path), OK) as file:
        for name, values in _about(galaxies).items():
            file[name][...] = values
        for start in range(0, n, _BLOCK):
            rows = slice(start, min(start + _BLOCK, n))
            for name, values in _noisy(galaxies.of(rows), survey.random(CUBES, start)).items():
                file[name][rows] = values


def noiseless_cubes(galaxies: Galaxies) -> np.ndarray:
    """Flux of line cubes without noise, float32, shape (n, n_line, n_pixel, side, side)."""
    radius, angle = _polar(galaxies)
    light = np.exp(-radius)[:, None, None]
    shift = 2.0 * np.sqrt(1 - galaxies.ba**2)[:, None, None] * np.tanh(2 * radius) * np.cos(angle)
    pixel = np.arange(N_PIXEL, dtype=np.float32)[:, None, None] - (N_PIXEL - 1) / 2
    profile = np.exp(-0.5 * (pixel - shift[:, None]) ** 2)
    strength = line_strengths(galaxies)[:, :, None, None, None]
    return (light * (0.3 + strength * profile[:, None])).astype(np.float32)


def line_strengths(galaxies: Galaxies) -> np.ndarray:
    """Peak of each line over three times the continuum, shape (n, n_line)."""
    halpha = 0.1 + galaxies.kind
    nii = halpha * 10 ** (-0.4 + 0.3 * (galaxies.log_mass - 10.5))
    oiii = np.where(galaxies.has_nucleus, 1.0, 0.3) * halpha
    return np.stack([oiii, halpha, nii], axis=1)


def in_field(galaxies: Galaxies) -> np.ndarray:
    """Whether a spaxel of the square lies in the field of the cube, shape (n, side, side)."""
    y, x = np.abs(np.mgrid[:SIDE, :SIDE] - SIDE // 2)
    half = galaxies.half_width[:, None, None]
    # A hexagon with corners left and right.
    return (x + y / np.sqrt(3.0) <= half) & (y <= np.sqrt(3.0) / 2.0 * half)


def _about(galaxies: Galaxies) -> Mapping[str, np.ndarray]:
    """The datasets that fit into memory."""
    lines = window_lines()
    wave = np.array([lines.wave[lines.index(name)] for name in LINES])
    step = np.exp((np.arange(N_PIXEL) - (N_PIXEL - 1) / 2) * _PIXEL_KMS / C_KMS)
    return {
        **{name: getattr(galaxies, name).astype(object) for name in ("plateifu", "mangaid")},
        **{name: getattr(galaxies, name) for name in ("z", "r_e", "split")},
        "pixel_scale": np.full(len(galaxies.kind), PIXEL_SCALE),
        "centre_in_field": np.ones(len(galaxies.kind), np.int8),
        "line": np.array(LINES, object),
        "window_wave": (1.0 + galaxies.z)[:, None, None] * wave[:, None] * step,
        "spaxel_status": np.where(in_field(galaxies), SpaxelStatus.BINNED, SpaxelStatus.OUTSIDE_FIELD),
    }


def _noisy(galaxies: Galaxies, rng: np.random.Generator) -> dict[str, np.ndarray]:
    flux = noiseless_cubes(galaxies)
    flux += np.float32(_ERROR) * rng.standard_normal(flux.shape, dtype=np.float32)
    valid = np.broadcast_to(in_field(galaxies)[:, None, None], flux.shape)
    return {"flux": np.where(valid, flux, 0.0), "ivar": np.where(valid, _ERROR**-2.0, 0.0), "valid": valid}


def _polar(galaxies: Galaxies) -> tuple[np.ndarray, np.ndarray]:
    """Elliptical radius over half the effective one, and angle from the major axis, of the spaxels, shape (n, side, side)."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    pa, ba = np.deg2rad(galaxies.pa)[:, None, None], galaxies.ba[:, None, None]
    along, across = y * np.cos(pa) - x * np.sin(pa), (y * np.sin(pa) + x * np.cos(pa)) / ba
    scale = (0.5 * galaxies.r_e / PIXEL_SCALE)[:, None, None]
    return np.hypot(along, across) / scale, np.arctan2(across, along)
