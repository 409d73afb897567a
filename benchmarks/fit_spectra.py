"""Seconds per fit and core on the real MaNGA spectra, beside plain pPXF, and what a second process gains.

REAL_DATA=FOLDER python benchmarks/fit_spectra.py
"""

import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from peers.plain_ppxf import plain_ppxf
from threadpoolctl import threadpool_limits

from mangrove.lines import fit_lines
from mangrove.spectra.composition import Spectrum
from mangrove.spectra.fit_galaxy import GalaxyFit, fit_all
from mangrove.spectra.fit_settings import FitSettings
from mangrove.spectra.fitting import fit_spectrum
from mangrove.spectra.libraries import load_library
from mangrove.spectra.preparation import prepare
from mangrove.spectra.templates import StellarTemplates, match_line_spread
from mangrove.survey.readers import read_cube

REPEATS = 5
#: Fits per timing of the processes: enough that starting them does not count.
BATCH = 32
SETTINGS = FitSettings()
LINES = fit_lines()


def main() -> None:
    """Print the results as JSON lines."""
    path = Path(os.environ.get("REAL_DATA", "../shared/data")) / "manga" / "MaNGA_test_spectra.fits.gz"
    with threadpool_limits(1):
        problems = load(path)
        ours = [
            statistics.median(seconds(fit_spectrum, s, z, t, LINES, SETTINGS) for _ in range(3)) for s, z, t in problems
        ]
        plain = [
            statistics.median(seconds(plain_ppxf, s, t, LINES, SETTINGS) for _ in range(3)) for s, _, t in problems
        ]
        report("seconds per fit and core, median", statistics.median(ours), "s", statistics.median(plain))
        spectrum, z, templates = problems[2]
        galaxy = GalaxyFit(z, templates, LINES, SETTINGS)
        gains = [two_processes(galaxy, [spectrum] * BATCH) for _ in range(REPEATS)]
    report("two processes over one, median of 5", statistics.median(gains), "ratio")


def load(path: Path) -> list[tuple[Spectrum, float, StellarTemplates]]:
    """Every spectrum that has data, ready to fit, with its redshift and templates."""
    problems, library = [], load_library("mastar")
    for i, z in enumerate(fits.getdata(path, "Z")):
        cube = read_cube(path, i)
        if not cube.good.any():
            continue
        flux, ivar, bad = cube.flux[:, 0, 0], cube.ivar[:, 0, 0], ~cube.good[:, 0, 0]
        spectrum = prepare(cube.wave, flux, ivar, bad, cube.lsf, z, np.ones(cube.wave.size), SETTINGS)
        problems.append(
            (spectrum, float(z), match_line_spread(library, spectrum.log_step, spectrum.wave, spectrum.sigma))
        )
    return problems


def two_processes(galaxy: GalaxyFit, spectra: list[Spectrum]) -> float:
    """Time of one process over that of two, one after the other."""
    return seconds(fit_all, galaxy, spectra, 1) / seconds(fit_all, galaxy, spectra, 2)


def seconds(function, *args) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def report(metric: str, value: float, unit: str, peer: float | None = None) -> None:
    """Print one result."""
    row = {"benchmark": "fit_spectra", "metric": metric, "value": round(value, 4), "unit": unit}
    if peer is not None:
        row |= {"peer": round(peer, 4), "ratio": round(value / peer, 4)}
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
