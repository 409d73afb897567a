"""Seconds per baxel and core for fit and labels on the real MaNGA spectra, with MaStar and with E-MILES, and what dominates.

REAL_DATA=FOLDER python benchmarks/fit_labels.py
"""

import cProfile
import os
import pstats
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from support.results import print_result
from threadpoolctl import threadpool_limits

from mangrove.artefacts import Artefact
from mangrove.physics.cosmology import universe_age
from mangrove.spectra.fit.galaxy import GalaxyFit, as_columns, prepare_galaxy
from mangrove.spectra.fit.ppxf.one_spectrum import fit_spectrum
from mangrove.spectra.fit.settings import FitSettings
from mangrove.spectra.fit.spectrum import Spectrum
from mangrove.spectra.labels.galaxy_labels import baxel_labels, bpt_classes
from mangrove.spectra.labels.populations import TemplateTable, template_table
from mangrove.ssp.loading import load_library, younger_than
from mangrove.survey.readers.reading import read_cube

DATA = Path(os.environ.get("REAL_DATA", "../shared/data"))
LIBRARIES = {"MaStar": "mastar", "E-MILES": str(DATA / "templates" / "emiles_kroupa_basti.h5")}
SETTINGS = FitSettings()
PIXEL_SCALE = 0.5
REPEATS = 3
#: Seconds per baxel and core: the project's limit, and what the published fits took (Teimoorinia et al. 2022).
LIMIT = 1.0
PUBLISHED = (30.0, 120.0)
DR15_BAXELS = 1_170_539
TOP = 5

report = partial(print_result, "fit_labels")


class Problem(NamedTuple):
    """A spectrum with all that a fit and labels of it need."""

    galaxy: GalaxyFit
    spectrum: Spectrum
    table: TemplateTable


def main() -> int:
    """Print the results as JSON lines; 1 where E-MILES is slower than the limit."""
    medians = {}
    with threadpool_limits(1):
        for library, name in LIBRARIES.items():
            problems = load(name)
            labelled(problems[0])  # imports and caches
            times = [statistics.median(cpu_seconds(labelled, p) for _ in range(REPEATS)) for p in problems]
            medians[library] = statistics.median(times)
            about = {"library": library, "templates": problems[0].galaxy.stars.flux.shape[1], "spectra": len(problems)}
            limit = LIMIT if library == "E-MILES" else None
            report("fit and labels, per baxel and core, median", medians[library], "s", limit=limit, **about)
            report("fit and labels, per baxel and core, mean", statistics.mean(times), "s", **about)
            report("labels, per baxel and core", label_seconds(problems[0]), "s", **about)
            hours = statistics.mean(times) * DR15_BAXELS / 3600
            report(f"DR15, {DR15_BAXELS} baxels, fit and labels", hours, "CPU hours", **about)
            for row in dominating(problems):
                report("share of the time", row.pop("share"), "ratio", library=library, **row)
    low, high = PUBLISHED
    report("published fits, per spectrum", low, "s", upper=high, faster_than=round(low / medians["E-MILES"], 1))
    return int(medians["E-MILES"] > LIMIT)


def load(name: str) -> list[Problem]:
    """Every spectrum that has data, ready to fit with a library."""
    path, problems = DATA / "manga" / "MaNGA_test_spectra.fits.gz", []
    for i, z in enumerate(fits.getdata(path, "Z").astype(float)):
        cube = read_cube(path, i)
        if not cube.good.any():
            continue
        columns = cube.flux[:, 0, 0], cube.ivar[:, 0, 0], ~cube.good[:, 0, 0], cube.lsf
        data = {k: [c] for k, c in zip(("flux", "ivar", "mask", "lsf"), columns, strict=True)}
        extract = Artefact("extract", data | {"wave": cube.wave}, {"plateifu": ""}, "")
        galaxy, (spectrum,) = prepare_galaxy(extract, z, 0.0, name, SETTINGS)
        library = younger_than(load_library(name), universe_age(z))
        problems.append(Problem(galaxy, spectrum, template_table(library)))
    return problems


def labelled(problem: Problem) -> dict:
    """Fit a spectrum and derive all of its labels."""
    result = fit_spectrum(problem.spectrum, *problem.galaxy)
    return labels_of(problem, result)


def labels_of(problem: Problem, result) -> dict:
    """Labels from a fit."""
    columns = as_columns([result], problem.galaxy, np.zeros(1))
    labels = baxel_labels(columns, problem.table, problem.galaxy.z, PIXEL_SCALE)
    return labels | {"bpt_class": bpt_classes(columns, labels["d_bpt"])}


def label_seconds(problem: Problem) -> float:
    """Time of the labels alone."""
    result = fit_spectrum(problem.spectrum, *problem.galaxy)
    return statistics.median(cpu_seconds(labels_of, problem, result) for _ in range(5 * REPEATS))


def dominating(problems: list[Problem]) -> list[dict]:
    """The functions with the largest share of the time that is their own."""
    profile = cProfile.Profile()
    profile.enable()
    for problem in problems:
        labelled(problem)
    profile.disable()
    stats = pstats.Stats(profile)
    own = sorted(stats.stats.items(), key=lambda item: -item[1][2])[:TOP]
    return [
        {
            "function": f"{Path(file).stem}.{function}" if line else function,
            "calls": calls,
            "share": time_own / stats.total_tt,
        }
        for (file, line, function), (_, calls, time_own, *_) in own
    ]


def cpu_seconds(function, *args) -> float:
    """Processor time of a call: other work on the machine does not count."""
    start = time.process_time()
    function(*args)
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
