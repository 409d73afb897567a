"""The explorer on a survey of 10,000 galaxies and 1.2 million baxels: until it is open, and its answers to clicks.

    python benchmarks/explorer.py [--run results/benchmark-survey] [--galaxies N] [--baxels N] [--like results/demo]

The survey is written where it does not lie yet (a minute, 4 GB). First visits are those of a server that has shown its
first page for three seconds; clicks change
the selection of a page that is open, each time to another one, and are timed from what the browser sends of them to the
last answer, without the drawing over HTTP, and with it in a headless Chromium. Ends with 1 where a limit is not kept.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from support.checkout import ROOT
from support.explorer_browser import drawn_clicks
from support.explorer_client import Explorer, Visitor
from support.results import print_result
from support.survey_writing import written

from mangrove.explorer.anomaly_cloud import colour_choices
from mangrove.explorer.app import VIEWS
from mangrove.explorer.continuum_table import n_row
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_index import grid_of, node_rows
from mangrove.explorer.node_tables import MOST_ROWS
from mangrove.explorer.scored_galaxies import networks, scored_galaxies
from mangrove.report.desom_spectra import COLOURED_BY
from mangrove.report.node_maps import NodePlaces

#: Limits, seconds: until the first page is there; until a click is answered; until a baxel is fitted again.
MAX_OPENING, MAX_ANSWER, MAX_REFIT = 3.0, 0.5, 1.0
#: Starts of the explorer; clicks of each sort.
N_START, N_CLICK = 3, 7
#: Seconds that a reader looks at the first page before the first click.
READING = 3.0
#: How long it takes at most to compile the programs of the fits that a page offers, seconds.
COMPILING = 120.0
DEMO = ROOT / "results" / "demo"


class Click(NamedTuple):
    """A page, what is clicked in it, and the query that the n-th such click writes into the address.

    ``sent`` is what the browser sends of that click: a component, its property, and the value.
    """

    page: str
    what: str
    query: Callable[[int], dict[str, str | int]]
    sent: Callable[[int], tuple[str, str, Any]]


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
    labels = [label for label in run.column("node_labels", "label").tolist() if label != COLOURED_BY]
    # Each differs from the one before, and the first from 'score', which is shown at first.
    colours = colour_choices(scored_galaxies(run, networks(run)[0]))[::-1]
    clicks = [
        on_node("/spectral-map", grid_of(run, "desom_map"), 100),
        on_control("/spectral-map", "label", labels),
        on_node("/galaxy-map", grid_of(run, "galaxy_map"), 40),
        on_control("/anomalies", "galaxy", cubes[::-1]),
        on_control("/anomalies", "colour", colours),
        on_baxel(f"/galaxy/{name}"),
        on_control("/emulator", "row", range(17, n_row(run), max(1, n_row(run) // 1000))),
    ]
    # Without a run like which it was written, it has neither a galaxy with spectra nor a model of the emulator.
    lacking = {"galaxy", "emulator"} if not run.has("fit", plateifu=name) else set()
    views = {view.name for view in VIEWS} - lacking
    return [c for c in clicks if c.page.split("/")[1] in views]


def on_node(page: str, places: NodePlaces, first: int) -> Click:
    """Clicks on the nodes of a map."""

    def node(i: int) -> int:
        return (first + i) % places.row.size

    def point(i: int) -> dict[str, int]:
        return {"x": int(places.column[node(i)]) + 1, "y": int(places.row[node(i)]) + 1}

    return Click(
        page,
        "node",
        lambda i: {"node": node(i)},
        lambda i: (f"{page[1:]}-nodes", "clickData", {"points": [point(i)]}),
    )


def on_control(page: str, name: str, values: Sequence[str | int]) -> Click:
    """Choices of a control of a page, one value after the other."""
    return Click(
        page,
        name,
        lambda i: {name: values[i % len(values)]},
        lambda i: (f"{page[1:]}-{name}", "value", values[i % len(values)]),
    )


def on_baxel(page: str) -> Click:
    """Clicks on the baxels of a galaxy in its BPT diagram."""
    return Click(
        page,
        "baxel",
        lambda i: {"baxel": 3 + i},
        lambda i: ("galaxy-bpt", "clickData", {"points": [{"customdata": 3 + i}]}),
    )


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
            times = [clicked(visitor, click, i) for i in range(N_CLICK)]
            yield report(f"{named(click)}, first click on a {click.what}", times[0], "s", MAX_ANSWER)
            yield report(f"{named(click)}, click on a {click.what}", median(times[1:]), "s", MAX_ANSWER)
        report_download(folder, visitor)
        if any(click.what == "baxel" for click in clicks):
            yield refits(visitor, next(click for click in clicks if click.what == "baxel"))
    report("peak of memory of the server", explorer.memory, "GB")


def clicked(visitor: Visitor, click: Click, i: int) -> float:
    """Seconds until the i-th click is answered.

    Raises
    ------
    RuntimeError
        If the address does not become what it should: then something else was timed.
    """
    took = visitor.click(*click.sent(i))
    expected = {key: str(value) for key, value in click.query(i).items()}
    if not expected.items() <= visitor.address.query.items():
        raise RuntimeError(f"a click on a {click.what} of {click.page} leads to {visitor.address}, not to {expected}.")
    return took


def report_download(folder: Path, visitor: Visitor) -> None:
    """The baxels in a lasso around as many nodes as a table may have."""
    run = ExploredRun(folder)
    places, count = grid_of(run, "desom_map"), node_rows(run, "desom_assignments").count
    order = np.argsort(count)
    nodes = order[np.cumsum(count[order]) <= MOST_ROWS]
    points = [{"x": int(places.column[k]) + 1, "y": int(places.row[k]) + 1} for k in nodes]
    visitor.visit("/spectral-map")
    visitor.put("spectral-map-nodes", "selectedData", {"points": points})
    for kind in ("csv", "fits"):
        took = visitor.click(f"spectral-map-baxels-{kind}", "n_clicks", 1)
        report(f"spectral map, download of {count[nodes].sum()} baxels as {kind.upper()}", took, "s")
        print(visitor.shown("spectral-map-baxels-said", "children"), file=sys.stderr)


def refits(visitor: Visitor, click: Click) -> bool:
    """Fits of baxels with the other curve of dust, once the programs are compiled; whether they keep the limit."""
    visitor.visit(f"{click.page}?dust=polynomial")
    time.sleep(COMPILING)
    times = [clicked(visitor, click, i) for i in range(N_CLICK)]
    return report("galaxy, click on a baxel that is fitted again", median(times), "s", MAX_REFIT)


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
