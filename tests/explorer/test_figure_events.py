"""What a browser sends of clicked and selected points: what is taken of it."""

import pytest

from mangrove.explorer.figure_events import is_row, places_of, rows_of


@pytest.mark.parametrize(
    "event", [None, "x", 7, [], [1], {}, {"points": None}, {"points": 3}, {"points": [None, "a", 1, []]}]
)
def test_what_is_no_event_has_no_points(event):
    assert rows_of(event, 9) == [] and places_of(event) == []


def test_rows_are_whole_numbers_that_there_are_each_once():
    points = [{"customdata": value} for value in (5, 2, 5, -1, 9, True, 2.0, "3", None, [4], {})]
    assert rows_of({"points": points}, 9) == [2, 5]
    assert [is_row(value, 2) for value in (0, 1, 2, -1, False, 1.0, "1", None)] == [True, True] + [False] * 6


def test_places_are_pairs_of_numbers():
    points = [{"x": 1, "y": 2.5}, {"x": float("nan"), "y": 1}, {"x": 1}, {"x": "1", "y": 1}]
    assert places_of({"points": points}) == [(1, 2.5)]
