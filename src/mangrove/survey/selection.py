"""From the survey's summary catalogue (drpall) to a sample: every cut counted and named."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table

from mangrove.config import Sample
from mangrove.errors import CatalogueError
from mangrove.survey.bitmasks import DrpQuality, has
from mangrove.survey.releases import Release
from mangrove.survey.sample import MISSING, Galaxy

_COLUMNS = ("plateifu", "mangaid", "drp3qual", "mngtarg1", "mngtarg3", "nsa_z", "objra", "objdec", "ebvgal")
#: Columns of the sample sheet that drpall may lack.
_OPTIONAL = {
    "r_e": "nsa_elpetro_th50_r",
    "pa": "nsa_elpetro_phi",
    "ba": "nsa_elpetro_ba",
    "sersic_n": "nsa_sersic_n",
    "sersic_ba": "nsa_sersic_ba",
}


class Selection(NamedTuple):
    """Selected galaxies, and how many rows each cut removed, in the order of the cuts."""

    galaxies: list[Galaxy]
    removed: dict[str, int]


def read_drpall(path: str | Path, release: Release) -> Table:
    """The galaxies of a summary catalogue.

    Raises
    ------
    CatalogueError
        If the file cannot be read, or lacks the table or columns of the release.
    """
    try:
        with fits.open(path) as hdus:
            table = Table(hdus[release.galaxy_table].data)
    except (OSError, KeyError, IndexError) as error:
        raise CatalogueError(f"{path} cannot be read as the drpall of {release.name.upper()} ({error}).") from error
    missing = [c for c in _COLUMNS if c not in table.colnames]
    if missing:
        raise CatalogueError(f"{path} lacks the column(s) {', '.join(missing)}; is it the drpall of {release.name}?")
    return table


def select(drpall: Table, sample: Sample) -> Selection:
    """Apply the cuts of the configuration's section ``sample``.

    Galaxies have a bit set in mngtarg1 (main samples) or mngtarg3 (ancillary programmes); the redshift is NSA's.
    """
    z = np.asarray(drpall["nsa_z"], float)
    cuts = {
        "no galaxy target": (np.asarray(drpall["mngtarg1"]) == 0) & (np.asarray(drpall["mngtarg3"]) == 0),
        "no redshift": ~np.isfinite(z) | (z <= MISSING + 1),
        f"z <= {sample.z_min:g}": z <= sample.z_min,
        f"z >= {sample.z_max:g}": z >= sample.z_max,
    }
    if sample.drop_critical:
        cuts["CRITICAL quality bit"] = has(np.asarray(drpall["drp3qual"]), DrpQuality.CRITICAL)
    kept, removed = np.ones(len(drpall), bool), {}
    for name, bad in cuts.items():
        removed[name] = int(np.sum(kept & bad))
        kept &= ~bad
    return Selection([_galaxy(drpall[i]) for i in np.flatnonzero(kept)], removed)


def _galaxy(row) -> Galaxy:
    extra = {ours: _number(row[theirs]) for ours, theirs in _OPTIONAL.items() if theirs in row.colnames}
    mass = _number(row["nsa_elpetro_mass"]) if "nsa_elpetro_mass" in row.colnames else MISSING
    return Galaxy(
        plateifu=str(row["plateifu"]).strip(),
        mangaid=str(row["mangaid"]).strip(),
        z=_number(row["nsa_z"]),
        ebv=_number(row["ebvgal"]),
        ra=_number(row["objra"]),
        dec=_number(row["objdec"]),
        log_mass=_number(np.log10(mass)) if mass > 0 else MISSING,
        **extra,
    )


def _number(value) -> float:
    """A plain float of ten significant digits, MISSING for what is not finite."""
    return float(f"{float(value):.10g}") if np.isfinite(value) else MISSING
