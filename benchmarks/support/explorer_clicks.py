"""What is clicked in the views of the explorer, as a browser sends it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from support.explorer_client import name_of

from mangrove.explorer.address import Address
from mangrove.explorer.anomaly_cloud import colour_choices
from mangrove.explorer.app import VIEWS
from mangrove.explorer.continuum_table import n_row, slider_range
from mangrove.explorer.emulator_choice import input_of, moved, slider_values
from mangrove.explorer.emulator_parts import BIN_TYPE
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_index import grid_of
from mangrove.explorer.scored_galaxies import networks, scored_galaxies
from mangrove.report.node_places import NodePlaces
from mangrove.report.node_values import COLOURED_BY


class Click(NamedTuple):
    """A page, what is clicked in it, and the query that the n-th such click writes into the address.

    ``sent`` is what the browser sends of that click: a component, its property, and the value.
    """

    page: str
    what: str
    query: Callable[[int], dict[str, str | int]]
    sent: Callable[[int], tuple[str, str, Any]]


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
        *on_slider("/emulator", run),
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


def on_slider(page: str, run: ExploredRun) -> list[Click]:
    """A slider of the emulator that is let go at one value after the other, and one that is held meanwhile."""
    start = Address(page)
    stand = slider_values(run, input_of(run, start))
    low, high = slider_range(run)
    slider = name_of({"type": BIN_TYPE, "index": 1})

    def value(i: int) -> float:
        return round(low + (high - low) * (0.3 + 0.05 * (i % 8)), 2)

    def written(i: int) -> dict[str, str]:
        return moved(run, start, [value(i) if k == 1 else one for k, one in enumerate(stand)]).query

    return [
        Click(page, "slider", written, lambda i: (slider, "value", value(i))),
        Click(page, "slider that is held", lambda i: {}, lambda i: (slider, "drag_value", value(i))),
    ]
