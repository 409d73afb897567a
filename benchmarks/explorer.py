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
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from support.checkout import ROOT
from support.explorer_browser import drawn_clicks
from support.explorer_clicks import Click, clicks_on
from support.explorer_client import Explorer, Visitor
from support.explorer_upload import contents_of, fit_anew, upload
from support.results import print_result
from support.survey_writing import written

from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_index import grid_of, node_rows
from mangrove.explorer.node_tables import MOST_DOWNLOADED

#: Limits, seconds: until the first page is there; until a click is answered; until a baxel is fitted again.
MAX_OPENING, MAX_ANSWER, MAX_REFIT = 3.0, 0.5, 1.0
#: Starts of the explorer; clicks of each sort.
N_START, N_CLICK = 3, 7
#: Seconds that a reader looks at the first page before the first click.
READING = 3.0
#: How long it takes at most to compile the programs of the fits that a page offers, seconds.
COMPILING = 120.0
DEMO = ROOT / "results" / "demo"


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
        on_baxels = [click for click in clicks if click.what == "baxel"]
        if on_baxels:
            yield from refits(visitor, on_baxels[0])
            report_uploads(folder, visitor)
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
    nodes = order[np.cumsum(count[order]) <= MOST_DOWNLOADED]
    points = [{"x": int(places.column[k]) + 1, "y": int(places.row[k]) + 1} for k in nodes]
    visitor.visit("/spectral-map")
    visitor.put("spectral-map-nodes", "selectedData", {"points": points})
    for kind in ("csv", "fits"):
        took = visitor.click(f"spectral-map-baxels-{kind}", "n_clicks", 1)
        report(f"spectral map, download of {count[nodes].sum()} baxels as {kind.upper()}", took, "s")
        print(visitor.shown("spectral-map-baxels-said", "children"), file=sys.stderr)


def refits(visitor: Visitor, click: Click) -> Iterator[bool]:
    """Fits of baxels with other settings, once the programs are compiled; whether they keep the limit."""
    for setting in ("dust=polynomial", "degree=6"):
        visitor.visit(f"{click.page}?{setting}")
        time.sleep(COMPILING)
        times = [clicked(visitor, click, i) for i in range(N_CLICK)]
        yield report(f"galaxy, click on a baxel that is fitted again ({setting})", median(times), "s", MAX_REFIT)


def report_uploads(folder: Path, visitor: Visitor) -> None:
    """Spectra that are brought: until one is read, and until it is fitted and its place is found where the run has a map."""
    run = ExploredRun(folder)
    contents = contents_of(run.results.fit_arguments(run.galaxies[0], 0))
    visitor.visit("/your-spectrum")
    for metric in ("first upload of a spectrum", "upload of a spectrum"):
        report(f"your spectrum, {metric}", upload(visitor, contents), "s")
    times = [fit_anew(visitor, i) for i in range(N_CLICK)]
    report("your spectrum, first fit of an upload", times[0], "s")
    report("your spectrum, fit of an upload", median(times[1:]), "s")


def drawn(folder: Path, clicks: list[Click]) -> Iterator[bool]:
    """The same in a browser, until all is drawn: what writes an address."""
    clicks = [click for click in clicks if click.query(0)]
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
