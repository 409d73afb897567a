"""Simulated emission-line cubes as artefacts: kind 'line_cube_set', and their truth beside them as 'line_cube_truth'."""

from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from mangrove import artefacts
from mangrove.artefacts import Provenance
from mangrove.physics.lines import window_lines
from mangrove.ssp.library import load_mastar
from mangrove.survey.simulation.instrument import SPAXEL
from mangrove.survey.simulation.line_cube_survey import LineCubeGalaxy
from mangrove.survey.simulation.line_cubes import SimulatedLineCube, simulate_line_cube
from mangrove.survey.split import split_of

_TRUTH = ("plateifu", "kind", "anomaly", "strength", "sky_line", "line", "line_flux")


def write_line_cubes(
    path,
    truth_path,
    galaxies: Sequence[LineCubeGalaxy],
    params: Mapping,
    provenances: tuple[Provenance, Provenance],
    noiseless: bool = False,
) -> None:
    """Observe galaxies; write their line cubes and their truth, one galaxy a row.

    Parameters
    ----------
    path, truth_path : path-like
        Of the artefacts 'line_cube_set' and 'line_cube_truth'.
    galaxies : sequence of LineCubeGalaxy
    params : mapping
        window_pixels, size: of the cubes; split_seed, validation_fraction, test_fraction: of the split.
    provenances : tuple of Provenance
        Of the two artefacts.
    noiseless : bool
        Whether the truth holds the cubes without noise.
    """
    lines, ssp = window_lines().name, load_mastar()
    dims = {"plateifu": len(galaxies), "line": len(lines), "window_pixel": params["window_pixels"]}
    dims |= dict.fromkeys(("spaxel_y", "spaxel_x"), params["size"])
    attrs = {"status": "ok" if galaxies else "empty", "reason": "" if galaxies else "the sample sheet lists no galaxy"}
    only = {*_TRUTH, "noiseless"} if noiseless else set(_TRUTH)
    with (
        artefacts.writer(path, "line_cube_set", dims, provenances[0], attrs) as cubes,
        artefacts.writer(truth_path, "line_cube_truth", dims, provenances[1], attrs, only) as truth,
    ):
        cubes["line"][...] = truth["line"][...] = lines
        for i, planned in enumerate(galaxies):
            cube = simulate_line_cube(planned, params["window_pixels"], params["size"], ssp)
            _fill_cube(cubes, i, planned, cube, params)
            _fill_truth(truth, i, planned, cube)
            if noiseless:
                truth["noiseless"][i] = cube.noiseless


def _fill_cube(out: h5py.File, i: int, planned: LineCubeGalaxy, cube: SimulatedLineCube, params: Mapping) -> None:
    galaxy = planned.galaxy
    for name in ("flux", "ivar", "window_wave", "spaxel_status"):
        out[name][i] = getattr(cube, name)
    out["valid"][i] = (cube.ivar > 0).astype(np.int8)
    fractions = params["validation_fraction"], params["test_fraction"]
    row = {
        "plateifu": galaxy.plateifu,
        "mangaid": galaxy.mangaid,
        "z": galaxy.redshift,
        "r_e": galaxy.effective_radius,
        "pixel_scale": SPAXEL,
        "centre_in_field": 1,
        "split": split_of(galaxy.mangaid, params["split_seed"], *fractions),
    }
    for name, value in row.items():
        out[name][i] = value


def _fill_truth(out: h5py.File, i: int, planned: LineCubeGalaxy, cube: SimulatedLineCube) -> None:
    row = {
        "plateifu": planned.galaxy.plateifu,
        "kind": planned.galaxy.kind,
        "anomaly": planned.anomaly,
        "strength": planned.strength,
        "sky_line": planned.sky_line,
        "line_flux": cube.line_flux,
    }
    for name, value in row.items():
        out[name][i] = value
