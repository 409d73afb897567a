"""Known names that are most like one that is not known, for error messages."""

import difflib
from collections.abc import Iterable
from itertools import takewhile


def closest(name: str, names: Iterable[str], n: int = 3) -> list[str]:
    """The ``n`` names that are most like a given one, the nearest first; fewer if there are not so many.

    Of two that are equally alike, the one that has more of the beginning in common comes first: for 8626-12705 the same
    plate's 8626-12704 before 8627-12705.
    """

    def unlikeness(other: str) -> tuple[float, int, str]:
        alike = difflib.SequenceMatcher(None, name, other).ratio()
        beginning = takewhile(lambda pair: pair[0] == pair[1], zip(name, other, strict=False))
        return -alike, -len(list(beginning)), other

    return sorted(set(names), key=unlikeness)[:n]
