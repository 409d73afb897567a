"""FastSpecFit's catalogues of any header and content: the lines and flaws that were written, or a CatalogueError."""

from pathlib import Path

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from fuzzing import VALUES, damaged, fuzzed, outcome, put_file, with_card
from hypothesis import example, given
from hypothesis import strategies as st
from table_files import CARDS, FORMS, change, fits_of, in_any_order, outcome_of_sound

from mangrove.errors import CatalogueError
from mangrove.survey.fastspecfit import COLUMNS, LineCatalogue, read_fastspecfit

NAMES = [name for group in COLUMNS.values() for name in group]
OLD = {"DEPNAM00": "fastspecfit", "DEPVER00": "1.0.1"}


def tables_of(n: int) -> tuple[Table, Table]:
    """FASTSPEC and METADATA of some galaxies."""
    target_id = 39_627_000_000_000_001 + np.arange(n)
    lines = {"TARGETID": target_id}
    lines |= {f"{name}_{what}": np.ones(n, np.float32) for name in NAMES for what in ("EW", "EW_IVAR")}
    meta = {"TARGETID": target_id, "SURVEY": np.full(n, "sv3"), "PROGRAM": np.full(n, "bright"), "Z": np.full(n, 0.1)}
    meta |= {"SPECTYPE": np.full(n, "GALAXY"), "ZWARN": np.zeros(n, int), "DELTACHI2": np.full(n, 100.0)}
    return Table(lines, meta={"EXTNAME": "FASTSPEC"}), Table(meta, meta={"EXTNAME": "METADATA"})


UNITS = {f"{name}_EW": "Angstrom" for name in NAMES} | {f"{name}_EW_IVAR": "1 / Angstrom^2" for name in NAMES}
CONTENT = fits_of(*tables_of(5), units=UNITS, cards=OLD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fastspecfit")


def lines_of(folder: Path, content: bytes, sound: bool = True) -> LineCatalogue | None:
    """The catalogue that some bytes are, if they are one, whose arrays then fit together and hold what may be used."""
    path = folder / "fastspec.fits"
    put_file(path, content)
    found = outcome_of_sound(read_fastspecfit, path) if sound else outcome(CatalogueError, read_fastspecfit, path)
    if found is not None:
        n = len(found.target_id)
        assert found.target_id.dtype == np.int64
        assert found.ew.shape == found.ew_ivar.shape == (n, len(COLUMNS))
        assert found.redshift.shape == found.survey.shape == found.program.shape == found.flaw.shape == (n,)
        measured = np.isfinite(found.ew)
        np.testing.assert_array_equal(measured, np.isfinite(found.ew_ivar))
        assert (found.ew_ivar[measured] > 0).all()
        of_galaxies = found.redshift[found.flaw == ""]
        assert np.isfinite(of_galaxies).all() and (of_galaxies > 0).all()
    return found


@fuzzed(60, 5.0)
@given(content=damaged([CONTENT], head=30_000))
def test_damaged_catalogues(folder, content):
    lines_of(folder, content, sound=False)


@fuzzed(60, 9.0)
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from([*CARDS, "DEPNAM00", "DEPVER00", "TTYPE4", "TFORM4", "TUNIT3", "TSCAL4", "TNULL6"]),
            st.sampled_from([*VALUES, "'Z       '", "'%       '", "'1.0'", "'2'"]),
            st.integers(0, 12),
        ),
        min_size=1,
        max_size=3,
    )
)
@example(changes=[("TUNIT2", "'10**(99999999) m'", 1)])
def test_cards_of_other_meaning(folder, changes):
    content = CONTENT
    for key, value, nth in changes:
        content = with_card(content, key, value, nth)
    lines_of(folder, content, sound=False)


@fuzzed(60, 26.0)
@given(
    n=st.integers(1, 3),
    in_meta=st.booleans(),
    place=st.integers(0, 40),
    how=st.sampled_from([*FORMS, "short", np.nan, np.inf, -np.inf, -1.0, 0.0, 0.5, 1e-300, 1e-44, 1e20, 1e300]),
    row=st.integers(0, 2),
    old=st.booleans(),
)
def test_columns_that_do_not_fit(folder, n, in_meta, place, how, row, old):
    tables = list(tables_of(n))
    if how == "short":
        tables[in_meta] = tables[in_meta][:-1]
    else:
        change(tables[in_meta], tables[in_meta].colnames[place % len(tables[in_meta].colnames)], how, row)
    lines_of(folder, fits_of(*tables, cards=OLD if old else {}))


WIDTHS = {"": 1.0, "Angstrom": 1.0, "ANGSTROM": 1.0, "nm": 0.1, "um": 1e-4, "km/s": None, "furlongs": None}
VARIANCES = {"": 1.0, "1 / Angstrom^2": 1.0, "nm-2": 100.0, "Angstrom2": None, "Angstrom": None, "?": None}
REDSHIFTS = {"": 1.0, "1": 1.0, "%": 100.0, "km/s": None}
VERSIONS = {"": False, "1.0.1": True, "v1.9": True, "2.5.0": False, "v3": False, "main": False}
#: Step of numbers that are stored as whole ones, in Angstrom or 1/Angstrom^2.
STEP = 1e-7


@fuzzed(40, 38.0)
@given(
    width=st.sampled_from([*WIDTHS]),
    variance=st.sampled_from([*VARIANCES]),
    redshift=st.sampled_from([*REDSHIFTS]),
    version=st.sampled_from([*VERSIONS]),
    form=st.sampled_from(["f4", "f8", "scaled"]),
    n=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_widths_and_redshifts_in_any_unit_and_form(folder, width, variance, redshift, version, form, n, seed):
    """They and their errors are those that were written, and NaN where one of a sum is not known; or a unit is refused."""
    rng = np.random.default_rng(seed)
    factors = WIDTHS[width], VARIANCES[variance], REDSHIFTS[redshift]
    for_width, for_variance, for_redshift = (factor or 1.0 for factor in factors)
    lines, meta = tables_of(n)
    target_id = np.array(lines["TARGETID"])
    z, no_z = rng.uniform(0.01, 0.6, n), rng.uniform(size=n) < 0.2
    meta["Z"] = np.where(no_z, rng.choice([np.nan, np.inf, -9999.0, -0.5, 0.0], n), z * for_redshift)
    too_large = (1 + z) ** 2 if VERSIONS[version] else np.ones(n)
    ew, error = np.zeros((2, n, len(COLUMNS)))
    units, scales = {"Z": redshift}, {}

    def put(key: str, values, bad, unknown: list, unit: str, scale: float) -> None:
        """One column, in a unit that is so many times smaller than that of the values."""
        units[key] = unit
        if form == "scaled":
            lines[key] = MaskedColumn(np.round(values / STEP).astype(int), mask=bad)
            scales[key] = STEP * scale
        else:
            lines[key] = np.where(bad, rng.choice(unknown, n), values * scale).astype(form)

    for i, name in ((i, name) for i, names in enumerate(COLUMNS.values()) for name in names):
        one, sigma = rng.normal(5.0, 20.0, n), rng.uniform(0.2, 4.0, n)
        no_ew, no_ivar = rng.uniform(size=(2, n)) < 0.1
        ew[:, i] += np.where(no_ew | no_ivar, np.nan, one)
        error[:, i] += sigma**2
        put(f"{name}_EW", one * too_large, no_ew, [np.nan, np.inf, -9999.0], width, for_width)
        ivar = (sigma * too_large) ** -2
        put(f"{name}_EW_IVAR", ivar, no_ivar, [np.nan, np.inf, 0.0, -1.0, -9999.0], variance, for_variance)
    tables = [in_any_order(rng, table) for table in ((lines, meta) if seed % 2 else (meta, lines))]
    cards = {"DEPNAM07": "fastspecfit", "DEPVER07": version} if version else {}
    found = lines_of(folder, fits_of(*tables, units=units, scales=scales, cards=cards))
    assert (found is None) == (None in factors)
    if found is not None:
        np.testing.assert_array_equal(found.target_id, target_id)
        np.testing.assert_array_equal(found.flaw == "", ~no_z)
        np.testing.assert_allclose(found.redshift[~no_z], z[~no_z], rtol=1e-9)
        known = np.isfinite(ew)
        np.testing.assert_array_equal(np.isfinite(found.ew)[~no_z], known[~no_z])
        known[no_z] = False
        np.testing.assert_allclose(found.ew[known], ew[known], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found.ew_ivar[known], 1 / error[known], rtol=1e-5)


SPECTYPES = {"GALAXY": "", "galaxy ": "", "STAR": "star (SPECTYPE)", "QSO": "quasar (SPECTYPE)"}
SPECTYPES |= dict.fromkeys(("", "nan", "SKY"), "not a galaxy (SPECTYPE)")
ZWARNS = {0: "", 4: "doubtful redshift (ZWARN)", -1: "doubtful redshift (ZWARN)"}
DELTACHI2S = dict.fromkeys((10.0, -9999.0), "doubtful redshift (DELTACHI2 < 40)") | {40.0: "", 1e9: ""}
KNOWN = {"SPECTYPE": SPECTYPES, "ZWARN": ZWARNS, "DELTACHI2": DELTACHI2S}
SURVEYS = {"": "", "sv3": "sv3", "SV3 ": "sv3", "main": "main", "-": ""}


@fuzzed(40, 27.0)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            *(st.sampled_from([*words]) for words in KNOWN.values()),
            *[st.sampled_from([*SURVEYS])] * 2,
        ),
        min_size=1,
        max_size=5,
    ),
    listed=st.sets(st.sampled_from([*KNOWN, "SURVEY"])),
    in_header=st.booleans(),
    whole=st.sampled_from(["i2", "i8", "f4"]),
)
def test_rows_have_their_flaws_and_surveys(folder, rows, listed, in_header, whole):
    """By the columns that are there; surveys of both tables may not differ, and a header's word stands in for both."""
    target_id, *known, in_lines, in_meta = (list(column) for column in zip(*rows, strict=True))
    lines, meta = tables_of(len(rows))
    lines["TARGETID"] = meta["TARGETID"] = np.array(target_id)
    lines["SURVEY"], meta["SURVEY"] = in_lines, in_meta
    for name, values in zip(KNOWN, known, strict=True):
        meta[name] = np.array(values, whole if name == "ZWARN" else None)
    meta.remove_columns([name for name in (*KNOWN, "SURVEY") if name not in listed])
    cards = {"SURVEY": "Main"} if in_header else {}
    found = lines_of(folder, fits_of(lines, meta, cards=cards))
    surveys = [
        {SURVEYS[one], SURVEYS[other] if "SURVEY" in listed else ""} - {""}
        for one, other in zip(in_lines, in_meta, strict=True)
    ]
    assert (found is None) == any(len(names) > 1 for names in surveys)
    if found is not None:
        flaws = [
            [KNOWN[name][value] for name, value in zip(KNOWN, row, strict=True) if name in listed]
            for row in zip(*known, strict=True)
        ]
        assert found.flaw.tolist() == [next(filter(None, row), "") for row in flaws]
        other = "main" if in_header and not any(surveys) else ""
        assert found.survey.tolist() == [next(iter(names), other) for names in surveys]
        assert found.target_id.tolist() == target_id and set(found.program) == {"bright"}
