"""Morphology catalogues of any header and content: each galaxy has the Hubble type of its row, or a CatalogueError."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
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
    in_any_order,
    is_written,
    outcome_of_sound,
)

from mangrove.errors import CatalogueError
from mangrove.survey.catalogues import Names, join_morphology
from mangrove.survey.galaxy import UNKNOWN_WORDS, Galaxy

GALAXIES = [Galaxy(f"8485-190{i}", f"1-20{i}", 0.03, 0.02, 150.0 + i, 20.0) for i in range(1, 6)]
#: The survey has more galaxies than the sample.
SURVEY = Names.of([*GALAXIES, Galaxy("8485-1909", "1-209", 0.03, 0.02, 160.0, 20.0)])
#: What a catalogue calls a galaxy, by the kind of its name.
STYLES = {
    "plateifu": ["{}", "manga-{}", "MANGA-{}", "manga- {}", " {} "],
    "mangaid": ["{}", " {}"],
}
ENDINGS = [".fits", *KINDS]


def catalogue(types=("Sa", "Sb", "SBc", "E", "S0")) -> Table:
    return Table({"NAME": [f"manga-{galaxy.plateifu}" for galaxy in GALAXIES], "TYPE": list(types)})


CONTENTS = {ending: bytes_of(catalogue(), ending) for ending in ENDINGS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("morphology")


def joined(path: Path) -> list[Galaxy]:
    """The galaxies with a catalogue's types: words in one line, which a sheet takes; nothing else has changed."""
    found = join_morphology(GALAXIES, path, SURVEY)
    assert [replace(galaxy, morphology="") for galaxy in found] == GALAXIES
    for word in (galaxy.morphology for galaxy in found):
        assert word == " ".join(word.split()) and word.lower() not in UNKNOWN_WORDS - {""}
    demand_a_sheet(path.parent, found)
    return found


@fuzzed(60, 3.0)
@given(content=damaged([*CONTENTS.values()]), ending=st.sampled_from([*ENDINGS, ""]))
def test_damaged_catalogues(folder, content, ending):
    path = folder / f"damaged{ending}"
    put_file(path, content)
    outcome(CatalogueError, joined, path)


@fuzzed(60, 4.0)
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from([*CARDS, "TTYPE2", "TDIM2", "TNULL2"]),
            st.sampled_from([*VALUES, "'TYPE    '", "'NAME    '", "'(2,4)   '", "'8A      '"]),
            st.integers(0, 12),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_cards_of_other_meaning(folder, changes):
    content = CONTENTS[".fits"]
    for key, value, nth in changes:
        content = with_card(content, key, value, nth)
    path = folder / "cards.fits"
    put_file(path, content)
    outcome(CatalogueError, joined, path)


@fuzzed(60, 5.0)
@given(
    name=st.sampled_from(["NAME", "TYPE"]),
    how=st.sampled_from([*FORMS, "whole", "unknown", "empty", np.nan, np.inf, 3.0]),
    row=st.integers(0, 4),
    ending=st.sampled_from(ENDINGS),
)
def test_columns_that_do_not_fit(folder, name, how, row, ending):
    """Numbers and truth values are no types, in whatever file; where no type is known there is none."""
    table = catalogue()
    match how:
        case "whole":
            table[name] = np.arange(5)
        case "unknown":
            table[name] = MaskedColumn(np.zeros(5), mask=True)
        case "empty":
            table = table[:0]
        case _:
            change(table, name, how, row)
    path = folder / f"columns{ending}"
    if not is_written(path, table, ending):
        return
    found = outcome_of_sound(joined, path)
    if (name, how) == ("TYPE", "unknown"):
        assert [galaxy.morphology for galaxy in found] == [""] * len(GALAXIES)
    else:
        # Complex numbers in CSV files are text to anyone.
        is_text = how == "text" or (how, ending) == ("complex", ".csv")
        assert (found is not None) == (name == "TYPE" and is_text)


#: Types as text: any words, also such as catalogues have for 'not known'; FITS files hold ASCII only.
WORDS = st.sampled_from(["Sb", "SBbc", "E", "S0 pec", '"Sa"', "Sa,b", "#", *UNKNOWN_WORDS, "0", "NaN"])
WORDS |= st.text(st.characters(exclude_categories=["C"]), max_size=8)


def meant(word: str) -> str:
    """The type that a word in a catalogue stands for."""
    word = " ".join(word.split())
    return "" if word.lower() in UNKNOWN_WORDS | {"0"} else word


@fuzzed(60, 9.0)
@given(
    words=st.lists(WORDS, min_size=5, max_size=5),
    listed=st.lists(st.integers(0, 4), max_size=8),
    kind=st.sampled_from([*STYLES]),
    column=st.sampled_from(["PLATEIFU", "NAME", "MANGAID"]),
    type_column=st.sampled_from(["TYPE", "HUBBLE_TYPE", "MORPH"]),
    ending=st.sampled_from(ENDINGS),
    apart=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_types_are_those_of_the_names(folder, words, listed, kind, column, type_column, ending, apart, seed):
    """In any order and style of names, among galaxies of no sample; one listed twice must be so with one type."""
    rng = np.random.default_rng(seed)
    if ending == ".fits":
        words = [word.encode("ascii", "ignore").decode() for word in words]
    if ending == ".ecsv":
        # Astropy writes a row that begins so without quotes, and takes it for a comment.
        words = [word.lstrip("#") for word in words]
    rows = [(rng.choice(STYLES[kind]).format(getattr(GALAXIES[i], kind)), words[i]) for i in listed]
    # Of the survey but not of the sample, and of neither.
    rows += [("8485-1909" if kind == "plateifu" else "1-209", "Irr"), ("9999-1234", "Sd")]
    if apart and listed:
        rows.append((getattr(GALAXIES[listed[0]], kind), "of two types"))
    rows = [rows[i] for i in rng.permutation(len(rows))]
    names, types = zip(*rows, strict=True)
    table = Table({column: names, type_column: types, "Z": np.arange(len(rows)), "COMMENT": ["a"] * len(rows)})
    path = folder / f"types{ending}"
    put_file(path, bytes_of(in_any_order(rng, table), ending))
    found = outcome_of_sound(joined, path)
    assert (found is None) == (apart and bool(listed))
    if found is not None:
        truth = [meant(words[i]) if i in listed else "" for i in range(len(GALAXIES))]
        assert [galaxy.morphology for galaxy in found] == truth
