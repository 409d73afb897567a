"""The explorer on a survey of 10,000 galaxies and 1.2 million baxels: until it is open, and its answers to clicks.

    python benchmarks/explorer.py [--run results/benchmark-survey] [--galaxies N] [--baxels N] [--like results/demo]

The survey is written where it does not lie yet (a minute, 4 GB). First visits are those of a server that has shown its
first page for three seconds; clicks change
the selection of a page that is open, each time to another one, and are timed without the drawing over HTTP, and with it
in a headless Chromium. Ends with 1 where a limit is not kept.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from support.checkout import ROOT
from support.explorer_browser import drawn_clicks
from support.explorer_client import Explorer, Visitor
from support.results import print_result
from support.survey_writing import written

from mangrove.explorer.app import VIEWS
from mangrove.explorer.explored_run import ExploredRun

#: Limits, seconds: until the first page is there; until a click is answered.
MAX_OPENING, MAX_ANSWER = 3.0, 0.5
#: Starts of the explorer; clicks of each sort.
N_START, N_CLICK = 3, 7
#: Seconds that a reader looks at the first page before the first click.
READING = 3.0
DEMO = ROOT / "results" / "demo"


class Click(NamedTuple):
    """A page, what is clicked in it, and the query that the n-th such click writes into the address."""

    page: str
    what: str
    query: Callable[[int], dict[str, str | int]]


def main() -> int:
    """Print the results as JSON lines; 1 where a limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, default=ROOT / "results" / "benchmark-survey")
    parser.add_argument("--galaxies", type=int, default=10_000)
    parser.add_argument("--baxels", type=int, default=1_200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--like", type=Path, default=DEMO if DEMO.is_dir() else None, help="a finished run of cubes")
    options = parser.parse_args()
    report_writing(options)
    clicks = clicks_on(options.run)
    kept = [*opening(options.run), *answers(options.run, clicks), *drawn(options.run, clicks)]
    return 0 if all(kept) else 1


def report_writing(options: argparse.Namespace) -> None:
    """Write the survey if it is not there, and say what that took."""
    took = written(options.run, options.galaxies, options.baxels, options.seed, options.like)
    if took is not None:
        report(f"{options.galaxies} galaxies, {options.baxels} baxels written", took.seconds, "s")
        report("peak of memory while writing", took.memory, "GB")
        report("size on disk", took.disk, "GB")


def clicks_on(folder: Path) -> list[Click]:
    """What is clicked in each view of a run."""
    run = ExploredRun(folder)
    name, cubes = run.galaxies[0], run.column("line_cube_set", "plateifu").tolist()
    labels = run.column("node_labels", "label").tolist()
    clicks = [
        Click("/spectral-map", "node", lambda i: {"node": 100 + i}),
        Click("/spectral-map", "label", lambda i: {"label": labels[i % len(labels)]}),
        Click("/galaxy-map", "node", lambda i: {"node": 40 + i}),
        Click("/anomalies", "galaxy", lambda i: {"galaxy": cubes[-1 - i]}),
        Click("/anomalies", "colour", lambda i: {"colour": ("agn", "z", "log_mass", "score")[i % 4]}),
        Click(f"/galaxy/{name}", "baxel", lambda i: {"baxel": 3 + i}),
        Click("/emulator", "row", lambda i: {"row": 17 + 1000 * i}),
    ]
    # Without a run like which it was written, it has neither a galaxy with spectra nor a model of the emulator.
    lacking = {"galaxy", "emulator"} if not run.has("fit", plateifu=name) else set()
    views = {view.name for view in VIEWS} - lacking
    return [c for c in clicks if c.page.split("/")[1] in views]


def opening(folder: Path) -> Iterator[bool]:
    """From the start of the process until the first page is there."""
    times = []
    for _ in range(N_START):
        with Explorer(folder) as explorer:
            Visitor(explorer).visit("/")
            times.append(time.perf_counter() - explorer.started)
    yield report("process started to first page", median(times), "s", MAX_OPENING)


def answers(folder: Path, clicks: list[Click]) -> Iterator[bool]:
    """The server's answers to first visits, and to clicks."""
    with Explorer(folder) as explorer:
        visitor, seen = Visitor(explorer), set()
        visitor.visit("/")
        time.sleep(READING)
        for click in clicks:
            first = visitor.visit(click.page)
            if click.page not in seen:
                yield report(f"{named(click)}, first visit", first, "s", MAX_ANSWER)
                yield report(f"{named(click)}, visit", visitor.visit(click.page), "s", MAX_ANSWER)
            seen.add(click.page)
            times = [visitor.click(**click.query(i)) for i in range(N_CLICK)]
            yield report(f"{named(click)}, first click on a {click.what}", times[0], "s", MAX_ANSWER)
            yield report(f"{named(click)}, click on a {click.what}", median(times[1:]), "s", MAX_ANSWER)
    report("peak of memory of the server", explorer.memory, "GB")


def drawn(folder: Path, clicks: list[Click]) -> Iterator[bool]:
    """The same in a browser, until all is drawn."""
    with Explorer(folder) as explorer:
        for click, times in drawn_clicks(explorer.url, clicks, N_CLICK):
            report(f"{named(click)}, visit, drawn", times.visit, "s")
            report(f"{named(click)}, click on a {click.what}, drawn", median(times.clicks), "s")
    yield True


def named(click: Click) -> str:
    """The view of a click."""
    return click.page.split("/")[1].replace("-", " ")


def report(metric: str, value: float, unit: str, limit: float | None = None) -> bool:
    """Print one result; gives whether it keeps the limit, where there is one."""
    print_result("explorer", metric, value, unit, limit=limit)
    return limit is None or value <= limit


if __name__ == "__main__":
    sys.exit(main())
