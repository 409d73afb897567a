"""From the survey's summary catalogue (drpall) to a sample: every cut counted and named."""

import re
from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from mangrove.config import Config, Sample
from mangrove.errors import CatalogueError
from mangrove.physics.constants import HUBBLE_CONSTANT
from mangrove.survey import catalogues, drpall_files, tables
from mangrove.survey.bitmasks import DrpQuality, has
from mangrove.survey.drpall_files import read_drpall
from mangrove.survey.galaxy import SAME_OBJECT, Galaxy, angular_distance, possible
from mangrove.survey.releases import Release
from mangrove.survey.releases import release as find_release
from mangrove.survey.target import MISSING, PLATEIFU

#: Numbers of drpall that a selection needs, with their units, ...
_NUMBERS = {"nsa_z": u.one, "objra": u.deg, "objdec": u.deg, "ebvgal": u.mag}
#: ... and those that drpall may lack, by column of the sample sheet.
_OPTIONAL = {
    "r_e": ("nsa_elpetro_th50_r", u.arcsec),
    "pa": ("nsa_elpetro_phi", u.deg),
    "ba": ("nsa_elpetro_ba", u.one),
    "sersic_n": ("nsa_sersic_n", u.one),
    "sersic_ba": ("nsa_sersic_ba", u.one),
    "esweight": ("esweight", u.one),
}
_MASS = "nsa_elpetro_mass"
#: No galaxy of the survey has less, M_sun; logarithms are below it.
_SMALLEST_MASS = 1e3
#: Ways of writing that unit; drpall itself has none.
_MASS_UNITS = ("h^{-2} solar masses", "solMass / h2", "solMass/h^2", "Msun/h^2", "M_sun/h^2", "Msun h-2", "h-2 Msun")
#: Cuts that are named only where they remove something.
_RARE = {
    "no plateifu",
    "targets unknown",
    "quality unknown",
    "no position",
    "no Galactic E(B-V)",
    "no MANGAID",
    "from another version of the pipeline",
    "listed twice",
    "one MANGAID at two places on the sky",
}
#: Cubes of other MANGAIDs so near to each other are of one galaxy, arcsec.
_NEAR = 3.0


class Selection(NamedTuple):
    """Selected galaxies, and how many rows each cut removed, in the order of the cuts."""

    galaxies: list[Galaxy]
    removed: dict[str, int]


def make_sample(config: Config, drpall: str = "") -> Selection:
    """The galaxies of a run: the archive's catalogue, the cuts, and the other catalogues joined.

    Parameters
    ----------
    config : Config
        Where survey.source is simulated, the catalogue is that of the run's archive, or made for the purpose.
    drpall : str
        Address or path (never below ``survey.base``) of the summary catalogue; empty: the archive's.

    Raises
    ------
    CatalogueError
        If there is no catalogue, or one cannot be read, lacks columns or lists none of the survey's galaxies.
    DownloadError
        If one cannot be fetched.
    """
    survey, sample = config.survey, config.sample
    release = find_release(survey.release)
    with drpall_files.located(config, release, drpall) as (path, mend):
        table = read_drpall(path, release, mend)
    chosen = select(table, sample, release)
    galaxies, names = chosen.galaxies, drpall_files.names(table)
    if sample.agn:
        path = catalogues.locate(sample.agn, survey, release, "sample.agn")
        galaxies = catalogues.join_agn(galaxies, path, names)
    if sample.morphology:
        path = catalogues.locate(sample.morphology, survey, release, "sample.morphology")
        galaxies = catalogues.join_morphology(galaxies, path, names)
    return Selection([_as_simulated(galaxy, config) for galaxy in galaxies], chosen.removed)


def _as_simulated(galaxy: Galaxy, config: Config) -> Galaxy:
    """The row of a galaxy of a simulated survey, whose active nuclei are known; any other as it is."""
    source = config.survey.source
    if source == "simulated_spectra":
        # Spectra without cubes have no line cubes.
        return replace(galaxy, convlstm=0)
    if source not in ("simulated", "simulated_line_cubes") or config.sample.agn:
        return galaxy
    from mangrove.survey.simulation.design import design_galaxy
    from mangrove.survey.simulation.line_cube_survey import design_line_cube_galaxy
    from mangrove.survey.simulation.nuclear_flags import nuclear_flags

    if source == "simulated":
        return replace(galaxy, **nuclear_flags(design_galaxy(galaxy.plateifu, config.seed)))
    return replace(galaxy, desom=0, **nuclear_flags(design_line_cube_galaxy(galaxy.plateifu, config.seed).galaxy))


def summary(selection: Selection, sample: Sample) -> list[str]:
    """What was selected and why not the rest, one line each."""
    galaxies = selection.galaxies
    counts = {f"removed: {cut}": n for cut, n in selection.removed.items()}
    names = {g.mangaid for g in galaxies}
    counts["cubes selected"] = len(galaxies)
    counts["galaxies"] = len(names)
    counts["repeat observations"] = len(galaxies) - len(names)
    if same := _under_two_names(galaxies):
        counts[f"cubes within {_NEAR:g} arcsec of one with another MANGAID, so of a galaxy that counts twice"] = same
    counts[f"for the maps of spectra (z < {sample.desom_z_max:g})"] = sum(g.desom for g in galaxies)
    counts[f"for the line-cube networks (z < {sample.convlstm_z_max:g})"] = sum(g.convlstm for g in galaxies)
    if sample.agn or any(g.agn for g in galaxies):
        counts["active nuclei"] = sum(g.agn for g in galaxies)
        counts["active nuclei for the line-cube networks"] = sum(g.agn and g.convlstm for g in galaxies)
    if sample.morphology:
        counts["with a Hubble type"] = sum(bool(g.morphology) for g in galaxies)
    return [f"{n:7d} {name}" for name, n in counts.items()]


def select(drpall: Table, sample: Sample, release: Release | None = None) -> Selection:
    """Apply the cuts of the configuration's section ``sample``, and those without which a run would refuse a row.

    Galaxies have a bit set in mngtarg1 (main samples) or mngtarg3 (ancillary programmes); the redshift is NSA's.

    Parameters
    ----------
    drpall : Table
        As :func:`mangrove.survey.drpall_files.read_drpall` gives it.
    sample : Sample
    release : Release, optional
        Rows of other versions of the pipeline are removed; by default none.
    """
    path = drpall.meta.get("path", "drpall")
    values = {name: tables.numbers(_column(drpall, name, path), unit, path) for name, unit in _NUMBERS.items()}
    names, versions = drpall_files.texts(drpall, "plateifu", path), drpall_files.texts(drpall, "versdrp3", path)
    mangaids = ["" if name == "0" else name for name in drpall_files.texts(drpall, "mangaid", path)]
    cuts = _cuts(drpall, values, names, mangaids, sample)
    cuts["from another version of the pipeline"] = np.array(
        [release and v not in ("", release.drpver) for v in versions], bool
    )
    kept, removed = np.ones(len(drpall), bool), {}
    for name, bad in cuts.items():
        removed[name] = int(np.sum(kept & bad))
        kept &= ~bad
    columns = values | _optional(drpall, path)
    rows = [_galaxy(i, names[i], mangaids[i], versions[i], columns, sample) for i in np.flatnonzero(kept)]
    rows, removed["listed twice"] = _once(rows)
    rows, removed["one MANGAID at two places on the sky"] = _in_one_place(rows)
    return Selection(rows, {name: n for name, n in removed.items() if n or name not in _RARE})


def _cuts(drpall: Table, values: dict, names: list[str], mangaids: list[str], sample: Sample) -> dict[str, np.ndarray]:
    """Rows that are removed, shape (n,), by the name of the cut, in their order."""
    path = drpall.meta.get("path", "drpall")
    main, ancillary, quality = (
        tables.bits(_column(drpall, name, path), path) for name in ("mngtarg1", "mngtarg3", "drp3qual")
    )
    z, ra, dec, ebv = values.values()
    cuts = {
        "no plateifu": np.array([not re.fullmatch(PLATEIFU, name) for name in names], bool),
        "not a galaxy target": (main == 0) & (ancillary == 0),
        "targets unknown": (main <= 0) & (ancillary <= 0),
        "no redshift": ~np.isfinite(z) | (z <= MISSING + 1),
        f"z <= {sample.z_min:g}": z <= sample.z_min,
        f"z >= {sample.z_max:g}": z >= sample.z_max,
    }
    if sample.drop_critical:
        cuts["quality unknown"] = quality < 0
        cuts["CRITICAL quality bit"] = (quality > 0) & has(np.maximum(quality, 0), DrpQuality.CRITICAL)
    cuts["no position"] = ~((ra >= 0) & (ra <= 360) & (dec >= -90) & (dec <= 90))
    cuts["no Galactic E(B-V)"] = ~((ebv >= 0) & (ebv < 10))
    cuts["no MANGAID"] = np.array([not name for name in mangaids], bool)
    return cuts


def _optional(drpall: Table, path) -> dict[str, np.ndarray]:
    """What drpall may lack, by column of the sheet; NaN where it is not known."""
    found = {}
    for ours, (theirs, unit) in _OPTIONAL.items():
        if tables.find(drpall.colnames, [theirs], path):
            found[ours] = tables.numbers(_column(drpall, theirs, path), unit, path)
    if tables.find(drpall.colnames, [_MASS], path):
        column = _column(drpall, _MASS, path)
        if column.unit is not None and str(column.unit) in _MASS_UNITS:
            column = column.copy()
            column.unit = None
        found["mass"] = mass = tables.numbers(column, u.solMass, path)
        known = mass[mass > 0]
        if known.size and known.max() < _SMALLEST_MASS:
            raise CatalogueError(
                f"{path}: the column {column.name} has values up to {known.max():.4g}, which are not masses of galaxies; masses in M_sun "
                "(/ h^2) are needed, not their logarithms."
            )
    return found


def _galaxy(i: int, plateifu: str, mangaid: str, drpver: str, columns: dict, sample: Sample) -> Galaxy:
    z, ra, dec, ebv = (_number(columns[name][i]) for name in _NUMBERS)
    extra = {name: _number(columns[name][i]) for name in _OPTIONAL if name in columns}
    mass = _number(columns["mass"][i]) if "mass" in columns else MISSING
    return Galaxy(
        plateifu=plateifu,
        mangaid=mangaid,
        z=z,
        ebv=ebv,
        ra=ra,
        dec=dec,
        # The NASA-Sloan Atlas gives masses in M_sun / h^2.
        log_mass=_number(np.log10(mass / (HUBBLE_CONSTANT / 100.0) ** 2)) if mass > 0 else MISSING,
        desom=int(z < sample.desom_z_max),
        convlstm=int(z < sample.convlstm_z_max),
        drpver=drpver,
        **{name: value if possible(name, value) else MISSING for name, value in extra.items()},
    )


def _once(galaxies: list[Galaxy]) -> tuple[list[Galaxy], int]:
    """The first row of every plateifu, and the number of the others."""
    first = {galaxy.plateifu: galaxy for galaxy in reversed(galaxies)}
    kept = [galaxy for galaxy in galaxies if first[galaxy.plateifu] is galaxy]
    return kept, len(galaxies) - len(kept)


def _in_one_place(galaxies: list[Galaxy]) -> tuple[list[Galaxy], int]:
    """Rows whose MANGAID stands for one place of the sky, and the number of the others."""
    groups = defaultdict(list)
    for galaxy in galaxies:
        groups[galaxy.mangaid].append(galaxy)
    apart = {
        name for name, group in groups.items() if any(angular_distance(group[0], g) > SAME_OBJECT for g in group[1:])
    }
    kept = [galaxy for galaxy in galaxies if galaxy.mangaid not in apart]
    return kept, len(galaxies) - len(kept)


def _under_two_names(galaxies: list[Galaxy]) -> int:
    """Number of cubes that have one of another MANGAID in their place."""
    if len(galaxies) < 2:
        return 0
    sky = SkyCoord([g.ra for g in galaxies], [g.dec for g in galaxies], unit="deg")
    one, other, _, _ = sky.search_around_sky(sky, _NEAR * u.arcsec)
    return len({i for i, j in zip(one, other, strict=True) if galaxies[i].mangaid != galaxies[j].mangaid})


def _column(table: Table, name: str, path):
    return tables.column(table, [name], path)


def _number(value: float) -> float:
    """A plain float of ten significant digits, MISSING for what is not finite."""
    return float(f"{float(value):.10g}") if np.isfinite(value) else MISSING
