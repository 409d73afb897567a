"""What a run will cost, before it starts."""

from typing import NamedTuple

#: DR15: 1,170,539 baxels of 4,682 cubes (Teimoorinia et al. 2022).
BAXELS_PER_GALAXY = 250
#: Core seconds: one fit with the embedded templates (benchmarks/fit_spectra.py), and everything else of a galaxy (the
#: demo takes half of it; most fields of the survey are larger).
FIT_S, OTHER_S = 0.4, 15.0
#: Bytes: a cube of the archive (20-170 MB), and the artefacts of a galaxy.
CUBE_BYTES, ARTEFACT_BYTES = 60e6, 18e6
#: Runs of fewer galaxies start without a word.
LARGE = 100


class Plan(NamedTuple):
    """Core hours, and gigabytes on disk."""

    core_hours: float
    disk_gb: float


def plan(n_galaxy: int, keep_cubes: bool) -> Plan:
    """Time and disk of a run from nothing."""
    seconds = n_galaxy * (BAXELS_PER_GALAXY * FIT_S + OTHER_S)
    disk = n_galaxy * (ARTEFACT_BYTES + CUBE_BYTES * keep_cubes)
    return Plan(seconds / 3600.0, disk / 1e9)
