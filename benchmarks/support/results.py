"""The results of a benchmark: JSON lines on standard output, and the time of a call."""

import json
import statistics
import time


def print_result(
    benchmark: str, metric: str, value: float, unit: str, peer: float | None = None, limit: float | None = None, **more
) -> None:
    """Print one result.

    Parameters
    ----------
    benchmark, metric : str
    value : float
    unit : str
    peer : float, optional
        What another program, or a baseline, gives beside it; printed with ``ratio``, the value over it.
    limit : float, optional
        What the value is held against.
    **more
        Further columns.
    """
    row = {"benchmark": benchmark, "metric": metric, "value": _rounded(value), "unit": unit}
    if peer is not None:
        row |= {"peer": _rounded(peer), "ratio": _rounded(value / peer)}
    if limit is not None:
        row["limit"] = limit
    print(json.dumps(row | more), flush=True)


def seconds(function, *args) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def median_seconds(repeats: int, function, *args) -> float:
    """Median wall time of so many calls."""
    return statistics.median(seconds(function, *args) for _ in range(repeats))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
