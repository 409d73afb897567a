"""Names that an error suggests in place of an unknown one."""

from mangrove.near_names import closest

NAMES = ["8485-1901", "8626-12704", "8626-12702", "8627-12705", "10001-6101", "8626-12704"]


def test_the_nearest_names_come_first_and_the_same_plate_before_another():
    assert closest("8626-12705", NAMES) == ["8626-12702", "8626-12704", "8627-12705"]
    assert closest("8627-1270", NAMES, 1) == ["8627-12705"]
    assert closest("8626", NAMES, 2) == ["8626-12702", "8626-12704"]


def test_there_are_no_more_suggestions_than_names():
    assert closest("x", ["8485-1901"]) == ["8485-1901"]
    assert closest("x", []) == []
