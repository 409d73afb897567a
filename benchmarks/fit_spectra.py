"""Seconds per fit and core on the real MaNGA spectra, beside plain pPXF, and what a second process gains.

REAL_DATA=FOLDER python benchmarks/fit_spectra.py
"""

import os
import statistics
import sys
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from peers.plain_ppxf import plain_ppxf
from support.results import median_seconds, print_result, seconds
from threadpoolctl import threadpool_limits

from mangrove.physics.lines import fit_lines
from mangrove.spectra.fit.galaxy import GalaxyFit
from mangrove.spectra.fit.ppxf.one_spectrum import fit_spectrum
from mangrove.spectra.fit.ppxf.pool import fit_all
from mangrove.spectra.fit.preparation import prepare
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.fit.templates import StellarTemplates, match_lsf
from mangrove.ssp.loading import load_library
from mangrove.survey.readers.reading import read_cube

REPEATS = 5
#: Seconds per fit and core; time of one process over that of two.
MOST_TIME, LEAST_GAIN = 0.8, 1.8
#: Fits per timing of the processes: enough that starting them does not count.
BATCH = 32
SETTINGS = FitSettings()
LINES = fit_lines()

report = partial(print_result, "fit_spectra")


def main() -> int:
    """Print the results as JSON lines; 1 if a limit is missed."""
    path = Path(os.environ.get("REAL_DATA", "../shared/data")) / "manga" / "MaNGA_test_spectra.fits.gz"
    with threadpool_limits(1):
        problems = load(path)
        ours = statistics.median(median_seconds(3, fit_spectrum, s, z, t, LINES, SETTINGS) for s, z, t in problems)
        plain = statistics.median(median_seconds(3, plain_ppxf, s, t, LINES, SETTINGS) for s, _, t in problems)
        report("seconds per fit and core, median", ours, "s", plain, MOST_TIME)
        spectrum, z, templates = problems[2]
        galaxy = GalaxyFit(z, templates, LINES, SETTINGS)
        gain = statistics.median(two_processes(galaxy, [spectrum] * BATCH) for _ in range(REPEATS))
    report(f"two processes over one, median of {REPEATS}", gain, "ratio", limit=LEAST_GAIN)
    return int(ours > MOST_TIME or gain < LEAST_GAIN)


def load(path: Path) -> list[tuple[Spectrum, float, StellarTemplates]]:
    """Every spectrum that has data, ready to fit, with its redshift and templates."""
    problems, library = [], load_library("mastar")
    for i, z in enumerate(fits.getdata(path, "Z")):
        cube = read_cube(path, i)
        if not cube.good.any():
            continue
        flux, ivar, bad = cube.flux[:, 0, 0], cube.ivar[:, 0, 0], ~cube.good[:, 0, 0]
        spectrum = prepare(cube.wave, flux, ivar, bad, cube.lsf, z, np.ones(cube.wave.size), SETTINGS)
        problems.append((spectrum, float(z), match_lsf(library, spectrum.log_step, spectrum.wave, spectrum.lsf_sigma)))
    return problems


def two_processes(galaxy: GalaxyFit, spectra: list[Spectrum]) -> float:
    """Time of one process over that of two, one after the other."""
    return seconds(fit_all, galaxy, spectra, 1) / seconds(fit_all, galaxy, spectra, 2)


if __name__ == "__main__":
    sys.exit(main())
