"""Summary catalogues of any header and content: the sample that their rows make, or a CatalogueError."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Column, MaskedColumn, Table
from fuzzing import VALUES, damaged, fuzzed, outcome, put_file, with_card
from hypothesis import given
from hypothesis import strategies as st
from table_files import (
    CARDS,
    FORMS,
    KINDS,
    bytes_of,
    change,
    demand_a_sheet,
    fits_of,
    in_any_order,
    is_written,
    outcome_of_sound,
)

from mangrove.config import Sample
from mangrove.errors import CatalogueError
from mangrove.survey.drpall_files import read_drpall
from mangrove.survey.releases import release
from mangrove.survey.selection import Selection, select
from mangrove.survey.target import MISSING

SAMPLE = Sample(z_min=0.01, z_max=0.12)


def drpall(n: int, name: str = "dr17") -> Table:
    """A catalogue of galaxies that a sample takes."""
    i = np.arange(n)
    columns = {"plateifu": [f"8485-{1901 + k}" for k in i], "mangaid": [f"1-{100 + k}" for k in i]}
    columns |= {"versdrp3": np.full(n, release(name).drpver), "drp3qual": np.zeros(n, int)}
    columns |= {"mngtarg1": np.full(n, 4096), "mngtarg3": np.zeros(n, int), "nsa_z": 0.03 + 0.001 * i}
    columns |= {"objra": 150.0 + i, "objdec": -20.0 + i, "ebvgal": np.full(n, 0.02)}
    columns |= {"nsa_elpetro_th50_r": np.full(n, 3.0), "nsa_elpetro_phi": np.full(n, 40.0)}
    columns |= {"nsa_elpetro_ba": np.full(n, 0.5), "esweight": np.full(n, 0.7), "nsa_elpetro_mass": np.full(n, 1e10)}
    return Table(columns, meta={"EXTNAME": "MANGA"} if name == "dr17" else {})


STARS = Table({"plateifu": ["8998-1901"], "mangaid": ["3-1"]}, meta={"EXTNAME": "MASTAR"})
CONTENTS = {"dr15": fits_of(drpall(5, "dr15")), "dr17": fits_of(STARS, drpall(5))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("drpall")


def chosen(path: Path, name: str = "dr17") -> Selection:
    """What a sample takes of the catalogue of a path; each row is a galaxy or has been cut, and a sheet takes them."""
    table = read_drpall(path, release(name))
    found = select(table, SAMPLE, release(name))
    assert len(found.galaxies) + sum(found.removed.values()) == len(table)
    demand_a_sheet(path.parent, found.galaxies)
    return found


@fuzzed(60, 3.0)
@given(
    name=st.sampled_from([*CONTENTS]),
    content=damaged([*CONTENTS.values(), *(bytes_of(drpall(5), ending) for ending in KINDS)], head=12_000),
    ending=st.sampled_from([".fits", *KINDS, ""]),
)
def test_damaged_catalogues(folder, name, content, ending):
    path = folder / f"damaged{ending}"
    put_file(path, content)
    outcome(CatalogueError, chosen, path, name)


@fuzzed(60, 6.0)
@given(
    name=st.sampled_from([*CONTENTS]),
    changes=st.lists(
        st.tuples(
            st.sampled_from([*CARDS, *("TTYPE3", "TTYPE7", "TFORM4", "TFORM7", "TUNIT7", "TSCAL4", "TNULL4", "TDIM2")]),
            st.sampled_from([*VALUES, "'MANGA   '", "'nsa_z   '", "'(2,4)   '", "'%       '", "4096", "'1E      '"]),
            st.integers(0, 12),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_cards_of_other_meaning(folder, name, changes):
    content = CONTENTS[name]
    for key, value, nth in changes:
        content = with_card(content, key, value, nth)
    path = folder / "cards.fits"
    put_file(path, content)
    outcome(CatalogueError, chosen, path, name)


@fuzzed(60, 10.0)
@given(
    n=st.integers(1, 3),
    name=st.sampled_from(drpall(1).colnames),
    how=st.sampled_from([*FORMS, np.nan, np.inf, -np.inf, -1.0, 0.0, 0.5, 1e-300, 1e20, 1e300]),
    row=st.integers(0, 2),
    ending=st.sampled_from([".fits", *KINDS]),
)
def test_columns_that_do_not_fit(folder, n, name, how, row, ending):
    table = drpall(n)
    change(table, name, how, row)
    path = folder / f"columns{ending}"
    if not is_written(path, table, ending):
        return
    outcome_of_sound(chosen, path)


#: Factors of units in which a column may be, by the column; None for a unit that is refused.
UNITS = {
    "nsa_z": {"": 1.0, "%": 100.0, "km/s": None},
    "objra": {"": 1.0, "deg": 1.0, "degrees": 1.0, "rad": math.pi / 180, "hourangle": 1 / 15, "furlongs": None},
    "objdec": {"": 1.0, "Degree": 1.0, "arcsec": 3600.0, "s": None},
    "ebvgal": {"": 1.0, "mag": 1.0, "mmag": 1000.0, "mag(AB)": None, "m": None},
    "nsa_elpetro_th50_r": {"": 1.0, "arcsec": 1.0, "arcmin": 1 / 60, "deg": 1 / 3600, "kpc": None, "pix": None},
    "nsa_elpetro_phi": {"": 1.0, "deg": 1.0, "rad": math.pi / 180, "?": None},
    "nsa_elpetro_mass": {
        "": 1.0,
        "solMass / h2": 1.0,
        "Msun/h^2": 1.0,
        "kg": 1.988409870698051e30,
        "dex(solMass)": None,
    },
}
#: Columns of drpall that a catalogue may lack, by what they are in a sheet.
OPTIONAL = {
    "r_e": "nsa_elpetro_th50_r",
    "pa": "nsa_elpetro_phi",
    "ba": "nsa_elpetro_ba",
    "esweight": "esweight",
    "log_mass": "nsa_elpetro_mass",
}
PLACES = [(150.0, -20.0), (150.5, -20.0), (359.9, 89.0)]
RIGHT = release("dr17").drpver


def drawn_row(rng: np.random.Generator) -> dict:
    """A row of drpall; None for what it does not know."""
    ra, dec = PLACES[rng.integers(len(PLACES))]

    def mostly(value, *others):
        return value if rng.uniform() < 0.9 else others[rng.integers(len(others))]

    return {
        "plateifu": mostly(f"8485-190{rng.integers(1, 10)}", "", "8485", "nan"),
        "mangaid": mostly(f"1-10{rng.integers(4)}", "", "0", "NaN"),
        "versdrp3": mostly(RIGHT, "", "v2_4_3"),
        "drp3qual": mostly(5, None, 1 << 30, (1 << 30) + 1),
        "mngtarg1": mostly(4096, None, 0),
        "mngtarg3": mostly(0, None, 8),
        "nsa_z": mostly(rng.uniform(0.0, 0.15), None),
        "objra": mostly(ra, None, 400.0, -1.0),
        "objdec": mostly(dec, None, 95.0),
        "ebvgal": mostly(rng.uniform(0.0, 0.5), None, -0.1, 20.0),
        "nsa_elpetro_th50_r": mostly(rng.uniform(1.0, 20.0), None, -2.0),
        "nsa_elpetro_phi": mostly(rng.uniform(0.0, 180.0), None),
        "nsa_elpetro_ba": mostly(rng.uniform(0.1, 1.0), None, 1.5, 0.0),
        "esweight": mostly(rng.uniform(0.1, 5.0), None),
        "nsa_elpetro_mass": mostly(10 ** rng.uniform(8.0, 12.0), None, 0.0),
    }


def is_taken(row: dict) -> bool:
    """Whether a sample takes a row for itself."""
    known = {name: -1 if value is None else value for name, value in row.items()}
    return (
        row["plateifu"].startswith("8485-")
        and row["mangaid"].startswith("1-")
        and row["versdrp3"] in ("", RIGHT)
        and row["drp3qual"] == 5
        and (known["mngtarg1"] > 0 or known["mngtarg3"] > 0)
        and SAMPLE.z_min < known["nsa_z"] < SAMPLE.z_max
        and (row["objra"], row["objdec"]) in PLACES
        and 0 <= known["ebvgal"] < 10
    )


def sample_of(rows: list[dict]) -> dict[str, dict]:
    """The rows that a sample takes, by plateifu: the first of each, and no MANGAID that stands for several places."""
    first = {}
    for row in filter(is_taken, rows):
        first.setdefault(row["plateifu"], row)
    places = {(row["mangaid"], row["objra"], row["objdec"]) for row in first.values()}
    several = Counter(name for name, *_ in places)
    return {name: row for name, row in first.items() if several[row["mangaid"]] == 1}


def sheet_value(column: str, value: float | None) -> float:
    """What a sheet has of an optional number."""
    if value is None or (column in ("r_e", "ba", "log_mass") and value <= 0) or (column == "ba" and value > 1):
        return MISSING
    return math.log10(value / 0.7**2) if column == "log_mass" else value


def column_of(rng: np.random.Generator, values: list, scale: float, form: str, unknown: list) -> Column:
    """A column of numbers in this form, with one of these numbers where one is not known; masked where there are none."""
    bad = np.array([value is None for value in values], bool)
    plain = np.array([0 if value is None else value for value in values]) * scale
    if not unknown:
        return MaskedColumn(plain.astype(form), mask=bad)
    return Column(np.where(bad, rng.choice(unknown, len(values)), plain).astype(form))


@fuzzed(40, 25.0)
@given(
    n=st.integers(1, 12),
    ending=st.sampled_from([".fits", *KINDS]),
    refused=st.none()
    | st.sampled_from([(name, unit) for name, units in UNITS.items() for unit in units if units[unit] is None]),
    absent=st.sets(st.sampled_from([*OPTIONAL.values(), "versdrp3"]), max_size=2),
    form=st.sampled_from(["f4", "f8"]),
    whole=st.sampled_from(["i4", "i8", "f8"]),
    masked=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_one_catalogue_in_any_unit_and_form(folder, n, ending, refused, absent, form, whole, masked, seed):
    """The sample is that of the numbers that were written, whatever they were written in; or a unit is refused."""
    rng = np.random.default_rng(seed)
    rows = [drawn_row(rng) for _ in range(n)]
    units = {name: rng.choice([u for u, factor in UNITS[name].items() if factor is not None]) for name in UNITS}
    units |= dict([refused] if refused else [])
    if ending == ".csv":
        units = dict.fromkeys(units, "")
    table = Table()
    for name in (name for name in rows[0] if name not in absent):
        values = [row[name] for row in rows]
        if isinstance(values[0], str):
            table[name] = values
        elif name in ("drp3qual", "mngtarg1", "mngtarg3"):
            table[name] = column_of(rng, values, 1, whole, [] if masked else [-1, -9999])
        else:
            scale = UNITS.get(name, {}).get(units.get(name)) or 1.0
            unknown = [] if masked else [np.nan, np.inf, -9999.0]
            table[name] = column_of(rng, values, scale, "f8" if name == "nsa_elpetro_mass" else form, unknown)
    table.meta["EXTNAME"] = "MANGA"
    path = folder / f"any{ending}"
    put_file(path, bytes_of(in_any_order(rng, table), ending, {name.upper(): unit for name, unit in units.items()}))
    found = outcome_of_sound(chosen, path)
    if "versdrp3" in absent:
        for row in rows:
            row["versdrp3"] = ""
    versions = {row["versdrp3"] for row in rows} - {""}
    is_refused = any(UNITS[name][unit] is None for name, unit in units.items() if name not in absent)
    assert (found is None) == (is_refused or versions == {"v2_4_3"})
    if found is not None:
        truth = sample_of(rows)
        assert [galaxy.plateifu for galaxy in found.galaxies] == [*truth]
        for galaxy, row in zip(found.galaxies, truth.values(), strict=True):
            assert (galaxy.mangaid, galaxy.drpver) == (row["mangaid"], row["versdrp3"])
            numbers = [row[name] for name in ("nsa_z", "ebvgal", "objra", "objdec")]
            numbers += [sheet_value(ours, None if name in absent else row[name]) for ours, name in OPTIONAL.items()]
            given_back = [getattr(galaxy, name) for name in ("z", "ebv", "ra", "dec", *OPTIONAL)]
            np.testing.assert_allclose(given_back, numbers, rtol=1e-6)
