"""Sample sheets: one galaxy a row, tab separated, read and checked before any job starts."""

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mangrove.config import Config
from mangrove.errors import SampleError
from mangrove.survey.releases import release

#: Missing numbers in sample sheets, as in the NSA columns of drpall.
MISSING = -9999.0
PLATEIFU = r"\d{4,5}-\d{3,5}"
GALAXY_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"


@dataclass(frozen=True)
class Galaxy:
    """One row of a sample sheet. Missing numbers are -9999.

    Attributes
    ----------
    plateifu : str
        PLATE-IFUDESIGN; any name of letters, digits and ``_.+-`` where the source is 'files'.
    mangaid : str
        MaNGA identifier of the galaxy; repeat observations share it.
    z : float
        Redshift, the zero of velocities.
    ebv : float
        Galactic E(B-V), mag.
    ra, dec : float
        Centre of the object, deg; a single spectrum may lack it.
    r_e : float
        Effective radius along the major axis, arcsec, above 0.
    pa : float
        Position angle, deg east of north.
    ba : float
        Axis ratio, in (0, 1].
    sersic_n, sersic_ba, log_mass : float
        Sersic index and axis ratio, log10 of stellar mass over M_sun (catalogue, H0 = 70).
    esweight : float
        Volume weight of the primary, secondary and colour-enhanced samples together (Wake et al. 2017).
    desom, convlstm : int
        Whether the galaxy belongs to the sample of that system (1) or not (0).
    agn_wise, agn_bat, agn_radio, agn_broad : int
        Active nucleus by infrared, X-ray, radio, broad lines (Comerford et al. 2020): 1, 0, or -1 for unknown.
    radio_class : str
        Class of a radio AGN in that catalogue.
    morphology : str
        Hubble type by eye; empty for unknown.
    drpver : str
        Version of the data reduction pipeline that the row belongs to; empty for any.
    path : str
        File of the cube below ``survey.base``, where the source is 'files'.
    spectrum : int
        Row of a file of single spectra; -1 for a cube.
    """

    plateifu: str
    mangaid: str
    z: float
    ebv: float
    ra: float
    dec: float
    r_e: float = MISSING
    pa: float = MISSING
    ba: float = MISSING
    sersic_n: float = MISSING
    sersic_ba: float = MISSING
    log_mass: float = MISSING
    esweight: float = MISSING
    desom: int = 1
    convlstm: int = 1
    agn_wise: int = -1
    agn_bat: int = -1
    agn_radio: int = -1
    agn_broad: int = -1
    radio_class: str = ""
    morphology: str = ""
    drpver: str = ""
    path: str = ""
    spectrum: int = -1

    @property
    def agn(self) -> bool:
        """Whether any of the four flags says so."""
        return 1 in (self.agn_wise, self.agn_bat, self.agn_radio, self.agn_broad)


_COLUMNS = {f.name: f for f in fields(Galaxy)}
_REQUIRED = ("plateifu", "mangaid", "z", "ebv", "ra", "dec")
#: Largest values of what is above 0 where it is known.
_LARGEST = {"r_e": math.inf, "ba": 1.0}


def read_sheet(config: Config) -> dict[str, Galaxy]:
    """The galaxies of a run, in the order of its sheet, after ``sample.limit`` and ``sample.plateifus``.

    Raises
    ------
    SampleError
        If the sheet is missing or wrong; the text names the line and the mend.
    """
    sheet = config.sheet
    if not sheet.is_file():
        raise SampleError(
            f"the sample sheet {sheet} of run '{config.run}' does not exist. Two ways on:\n"
            "  mangrove select --config YOUR.yaml     writes it from the survey's catalogue (drpall)\n"
            "  make demo                              runs the embedded simulated survey, no archive needed"
        )
    try:
        with sheet.open(encoding="utf-8-sig", newline=None) as f:
            galaxies = parse_sheet(f, str(sheet), files=config.survey.source == "files")
    except UnicodeDecodeError as error:
        raise SampleError(f"{sheet} is not UTF-8 text; save it as UTF-8, separated by tabs.") from error
    _check_release(galaxies, config)
    return _subset(galaxies, config)


def parse_sheet(lines: Iterable[str], name: str, files: bool = False) -> dict[str, Galaxy]:
    """Galaxies of the lines of a sheet, by plateifu.

    Parameters
    ----------
    lines : iterable of str
    name : str
        What errors call the sheet.
    files : bool
        Whether survey.source is files: galaxies may have other names than plateifus, and need a path.

    Raises
    ------
    SampleError
        If the sheet is wrong; the text names the line and the mend.
    """
    rows = csv.reader((line.rstrip("\r\n") for line in lines), delimiter="\t")
    header = [column.strip() for column in next(rows, [])]
    _check_header(header, name)
    galaxies: dict[str, Galaxy] = {}
    for number, row in enumerate(rows, start=2):
        if not row or row[0].startswith("#"):
            continue
        where = f"{name}, line {number}"
        galaxy = _galaxy(header, row, where)
        check_galaxy(galaxy, where, any_name=files)
        if files and not galaxy.path:
            raise SampleError(
                f"{where}: path of {galaxy.plateifu} is empty; survey.source files needs the column path, below "
                "survey.base."
            )
        if galaxy.plateifu in galaxies:
            raise SampleError(f"{where}: {galaxy.plateifu} is there twice; delete one of its rows.")
        galaxies[galaxy.plateifu] = galaxy
    if not galaxies:
        raise SampleError(f"{name} lists no galaxy; add a row, or write it anew with 'mangrove select'.")
    return galaxies


def write_sheet(path: Path, galaxies: Iterable[Galaxy]) -> None:
    """Write a sample sheet; columns that no galaxy uses are left out."""
    rows = [asdict(g) for g in galaxies]
    used = [c for c, f in _COLUMNS.items() if c in _REQUIRED or any(r[c] != f.default for r in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as f:
        writer = csv.writer(f, delimiter="\t", lineterminator="\n")
        writer.writerow(used)
        writer.writerows([row[c] for c in used] for row in rows)


def _check_header(header: list[str], name: str) -> None:
    missing = [c for c in _REQUIRED if c not in header]
    unknown = [c for c in header if c not in _COLUMNS]
    twice = [c for c in _COLUMNS if header.count(c) > 1]
    if len(header) == 1:
        raise SampleError(f"{name}, line 1: the header has no tab; save the sheet as tab-separated text.")
    if missing or unknown or twice:
        raise SampleError(
            f"{name}, line 1: "
            + (f"missing column(s) {', '.join(missing)}. " if missing else "")
            + (f"Unknown column(s) {', '.join(map(repr, unknown))}. " if unknown else "")
            + (f"Column(s) {', '.join(twice)} are there twice. " if twice else "")
            + f"The columns, separated by tabs, are: {', '.join(_COLUMNS)}; the first six are needed, none twice."
        )


def _galaxy(header: list[str], row: list[str], where: str) -> Galaxy:
    if len(row) != len(header):
        raise SampleError(f"{where}: {len(row)} fields, the header has {len(header)}; separate them by single tabs.")
    values = {}
    for column, text in zip(header, row, strict=True):
        kind = _COLUMNS[column].type
        try:
            given = text.strip() or kind is str or column in _REQUIRED
            values[column] = kind(text.strip()) if given else _COLUMNS[column].default
        except ValueError:
            raise SampleError(
                f"{where}: {column} is '{text}', not {'a whole number' if kind is int else 'a number'}"
                f" (missing: {_COLUMNS[column].default if column not in _REQUIRED else MISSING})."
            ) from None
    return Galaxy(**values)


def check_galaxy(galaxy: Galaxy, where: str, any_name: bool = True) -> None:
    """Refuse a malformed name and numbers that no galaxy has.

    Parameters
    ----------
    galaxy : Galaxy
    where : str
        Beginning of the error's text.
    any_name : bool
        Whether it may have another name than a plateifu.

    Raises
    ------
    SampleError
        If something is wrong; the text says what is allowed.
    """
    if not re.fullmatch(GALAXY_NAME if any_name else PLATEIFU, galaxy.plateifu):
        example = "a name of letters, digits and _.+-" if any_name else "PLATE-IFUDESIGN, for example 8485-1901"
        raise SampleError(f"{where}: plateifu '{galaxy.plateifu}' is malformed; it must be {example}.")
    if not 0 < galaxy.z < 1:
        raise SampleError(
            f"{where}: z of {galaxy.plateifu} is {galaxy.z:g}; it must be between 0 and 1. Delete the row."
        )
    if not 0 <= galaxy.ebv < 10:
        raise SampleError(f"{where}: ebv of {galaxy.plateifu} is {galaxy.ebv:g}; it must be between 0 and 10 mag.")
    nowhere = galaxy.spectrum >= 0 and galaxy.ra == galaxy.dec == MISSING
    if not nowhere and not (0 <= galaxy.ra <= 360 and -90 <= galaxy.dec <= 90):
        raise SampleError(
            f"{where}: ra, dec of {galaxy.plateifu} are {galaxy.ra:g}, {galaxy.dec:g}; they must be degrees, "
            f"0 to 360 and -90 to 90 (of a single spectrum also both {MISSING:g}: not known)."
        )
    odd = [c for c, f in _COLUMNS.items() if f.type is float and not math.isfinite(getattr(galaxy, c))]
    if odd:
        raise SampleError(
            f"{where}: {', '.join(odd)} of {galaxy.plateifu} must be finite; write {MISSING:g} for missing."
        )
    for column in _LARGEST:
        if not possible(column, value := getattr(galaxy, column)):
            allowed = "above 0" if column == "r_e" else "above 0 and at most 1"
            raise SampleError(
                f"{where}: {column} of {galaxy.plateifu} is {value:g}; it must be {allowed}, or {MISSING:g} for missing."
            )


def possible(column: str, value: float) -> bool:
    """Whether a galaxy can have this value: missing, or an effective radius above 0, an axis ratio in (0, 1]."""
    return value == MISSING or column not in _LARGEST or 0 < value <= _LARGEST[column]


def _check_release(galaxies: dict[str, Galaxy], config: Config) -> None:
    drpver = release(config.survey.release).drpver
    other = next((g for g in galaxies.values() if g.drpver not in ("", drpver)), None)
    if other:
        raise SampleError(
            f"{config.sheet}: {other.plateifu} has drpver {other.drpver}, but survey.release is {config.survey.release} "
            f"({drpver}). Write the sheet anew with 'mangrove select', or set survey.release."
        )


def _subset(galaxies: dict[str, Galaxy], config: Config) -> dict[str, Galaxy]:
    wanted = config.sample.plateifus
    absent = [p for p in wanted if p not in galaxies]
    if absent:
        raise SampleError(
            f"sample.plateifus names {', '.join(absent)}, which {config.sheet} does not list; correct it, or add a row."
        )
    chosen = {p: galaxies[p] for p in wanted} if wanted else galaxies
    return dict(list(chosen.items())[: config.sample.limit])
