"""From the survey's summary catalogue (drpall) to a sample: every cut counted and named."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table

from mangrove.config import Config, Sample
from mangrove.errors import CatalogueError
from mangrove.survey import catalogues
from mangrove.survey.bitmasks import DrpQuality, has
from mangrove.survey.releases import Release
from mangrove.survey.releases import release as find_release
from mangrove.survey.sample import MISSING, Galaxy, possible

_COLUMNS = ("plateifu", "mangaid", "drp3qual", "mngtarg1", "mngtarg3", "nsa_z", "objra", "objdec", "ebvgal")
#: Columns of the sample sheet that drpall may lack.
_OPTIONAL = {
    "r_e": "nsa_elpetro_th50_r",
    "pa": "nsa_elpetro_phi",
    "ba": "nsa_elpetro_ba",
    "sersic_n": "nsa_sersic_n",
    "sersic_ba": "nsa_sersic_ba",
    "esweight": "esweight",
}
#: H0 / 100 km/s/Mpc of mangrove; the NASA-Sloan Atlas gives masses in M_sun / h^2.
_H = 0.7


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
        raise CatalogueError(
            f"{path} cannot be read as the drpall of {release.name.upper()} ({error}). Delete it and run 'mangrove "
            "select' again to fetch it anew, or correct survey.release or --drpall."
        ) from error
    missing = [c for c in _COLUMNS if c not in table.colnames]
    if missing:
        raise CatalogueError(f"{path} lacks the column(s) {', '.join(missing)}; is it the drpall of {release.name}?")
    return table


def make_sample(config: Config, drpall: str = "") -> Selection:
    """The galaxies of a run: the archive's catalogue, the cuts, and the other catalogues joined.

    Parameters
    ----------
    config : Config
    drpall : str
        Address or path (never below ``survey.base``) of the summary catalogue; empty: the archive's.

    Raises
    ------
    CatalogueError
        If there is no catalogue, or one cannot be read or lacks columns.
    DownloadError
        If one cannot be fetched.
    """
    survey, sample = config.survey, config.sample
    release = find_release(survey.release)
    if survey.source == "none":
        raise CatalogueError("survey.source is none: there is no catalogue to select from.")
    if drpall:
        where = drpall if "://" in drpall else str(Path(drpall).absolute())
        path = catalogues.locate(where, survey, release, "--drpall")
    else:
        path = catalogues.locate(release.drpall_path, survey, release, "survey.base, or give --drpall")
    galaxies, removed = select(read_drpall(path, release), sample)
    if sample.agn:
        path = catalogues.locate(sample.agn, survey, release, "sample.agn")
        galaxies = catalogues.join_agn(galaxies, path)
    if sample.morphology:
        path = catalogues.locate(sample.morphology, survey, release, "sample.morphology")
        galaxies = catalogues.join_morphology(galaxies, path)
    return Selection(galaxies, removed)


def summary(selection: Selection, sample: Sample) -> list[str]:
    """What was selected and why not the rest, one line each."""
    galaxies = selection.galaxies
    counts = {f"removed: {cut}": n for cut, n in selection.removed.items()}
    names = {g.mangaid for g in galaxies}
    counts["cubes selected"] = len(galaxies)
    counts["galaxies"] = len(names)
    counts["repeat observations"] = len(galaxies) - len(names)
    counts[f"for the maps of spectra (z < {sample.desom_z_max:g})"] = sum(g.desom for g in galaxies)
    counts[f"for the line-cube networks (z < {sample.convlstm_z_max:g})"] = sum(g.convlstm for g in galaxies)
    if sample.agn:
        counts["active nuclei"] = sum(g.agn for g in galaxies)
        counts["active nuclei for the line-cube networks"] = sum(g.agn and g.convlstm for g in galaxies)
    if sample.morphology:
        counts["with a Hubble type"] = sum(bool(g.morphology) for g in galaxies)
    return [f"{n:7d} {name}" for name, n in counts.items()]


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
    return Selection([_galaxy(drpall[i], sample) for i in np.flatnonzero(kept)], removed)


def _galaxy(row, sample: Sample) -> Galaxy:
    extra = {ours: _number(row[theirs]) for ours, theirs in _OPTIONAL.items() if theirs in row.colnames}
    mass = _number(row["nsa_elpetro_mass"]) if "nsa_elpetro_mass" in row.colnames else MISSING
    return Galaxy(
        plateifu=str(row["plateifu"]).strip(),
        mangaid=str(row["mangaid"]).strip(),
        z=_number(row["nsa_z"]),
        ebv=_number(row["ebvgal"]),
        ra=_number(row["objra"]),
        dec=_number(row["objdec"]),
        log_mass=_number(np.log10(mass / _H**2)) if mass > 0 else MISSING,
        desom=int(row["nsa_z"] < sample.desom_z_max),
        convlstm=int(row["nsa_z"] < sample.convlstm_z_max),
        drpver=str(row["versdrp3"]).strip() if "versdrp3" in row.colnames else "",
        **{name: value if possible(name, value) else MISSING for name, value in extra.items()},
    )


def _number(value) -> float:
    """A plain float of ten significant digits, MISSING for what is not finite."""
    return float(f"{float(value):.10g}") if np.isfinite(value) else MISSING
