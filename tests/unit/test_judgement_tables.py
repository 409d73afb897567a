"""Tables of judgements (CSV), and the cases of known populations."""

import logging
from typing import NamedTuple

import pytest

from mangrove.validation.known_populations import cases
from mangrove.validation.tables import log_beyond_limits, write_rows


class Judged(NamedTuple):
    label: str
    rms: float
    holds: str


ROWS = [Judged("age", 0.123456, "yes"), Judged("dust", 12.0, "no"), Judged("mass", 1e-7, "no limit")]


def test_table_has_a_row_each_with_four_digits(tmp_path):
    write_rows(tmp_path / "t.csv", ROWS, Judged._fields)
    assert (tmp_path / "t.csv").read_text() == "label,rms,holds\nage,0.1235,yes\ndust,12,no\nmass,1e-07,no limit\n"


@pytest.mark.parametrize(("empty", "text"), [(Judged._fields, "label,rms,holds\n"), (["no galaxy"], "no galaxy\n")])
def test_table_without_rows_has_the_columns_that_it_is_given(tmp_path, empty, text):
    write_rows(tmp_path / "t.csv", [], empty)
    assert (tmp_path / "t.csv").read_text() == text


@pytest.mark.parametrize(("rows", "said"), [(ROWS, "dust"), (ROWS[:1], "nothing")])
def test_log_names_the_rows_beyond_their_limits(caplog, rows, said):
    with caplog.at_level(logging.INFO, logger="mangrove"):
        log_beyond_limits(rows, lambda row: row.label)
    assert caplog.messages == [f"beyond the limits: {said}"]


def test_cases_of_another_library_are_there_if_it_is_named():
    fixed = [(case.name, case.snr) for case in cases("")]
    assert [snr for _, snr in fixed] == [20.0, 30.0, 60.0, 30.0]
    assert [(case.name, case.snr) for case in cases("x.h5")] == [*fixed, ("populations of another library", 30.0)]
    assert cases("x.h5")[-1].library == "x.h5"
