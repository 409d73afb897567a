"""Points of a figure that were clicked or selected, as browsers send them, which is not trusted."""

from typing import Any

import numpy as np


def places_of(event: Any) -> list[tuple[float, float]]:
    """x and y of an event's points, from Dash's ``clickData`` or ``selectedData``; what is none is left out."""
    places = [(point.get("x"), point.get("y")) for point in _points(event)]
    return [place for place in places if all(isinstance(part, int | float) and np.isfinite(part) for part in place)]


def rows_of(event: Any, n: int) -> list[int]:
    """The rows, of ``n``, that the points of an event stand for by their ``customdata``, ascending, each once."""
    known = [point.get("customdata") for point in _points(event)]
    return sorted({row for row in known if is_row(row, n)})


def is_row(value: Any, n: int) -> bool:
    """Whether a value that a browser has sent is a whole number from 0 up to, not including, ``n``."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n


def _points(event: Any) -> list[dict]:
    points = event.get("points") if isinstance(event, dict) else None
    return [point for point in points if isinstance(point, dict)] if isinstance(points, list) else []
