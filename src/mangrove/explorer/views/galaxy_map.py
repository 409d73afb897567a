"""View 2: the map of galaxies, and the galaxies of its nodes."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.artefacts import Artefact
from mangrove.codes import Split
from mangrove.explorer.address import Address, link
from mangrove.explorer.downloads import buttons, register_download
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_map import (
    PROTOTYPES,
    MappedGalaxies,
    fingerprints_of_nodes,
    galaxies_of,
    map_choices,
    map_colours,
    mean_fingerprint,
    morphology_of,
    most_populated,
)
from mangrove.explorer.galaxy_map_figures import fingerprints_figure, morphology_figure
from mangrove.explorer.node_figure import CHOSEN, clicked_node, mosaic_figure, nodes_figure, selected_nodes
from mangrove.explorer.node_index import grid_of, nodes_of
from mangrove.explorer.node_tables import mapped_galaxy_table
from mangrove.explorer.panels import facts, figure_panel, notice, same_numbers
from mangrove.explorer.run_summary import MOST_SHOWN
from mangrove.explorer.text_table import Linked, text_table
from mangrove.explorer.thumbnails import thumbnail
from mangrove.explorer.view import View
from mangrove.explorer.views.map_parts import APART, arrived, lacking, menu, moved
from mangrove.report.wording import counted, in_words, plain

_VIEW = "galaxy-map"
_MAP, _MENU = "galaxy-map-nodes", "galaxy-map-show"
_PRINTS, _FACTS, _BELOW = "galaxy-map-fingerprints", "galaxy-map-facts", "galaxy-map-below"
_GALAXIES = "galaxy-map-galaxies"
_SEARCH = Output("url", "search", allow_duplicate=True)
_WHERE = (State("url", "pathname"), State("url", "search"))
#: Galaxies in pictures, and the side of one, pixels.
_PICTURES, _SIDE = 12, 96


def _missing(run: ExploredRun) -> str:
    reason = lacking(run, ("galaxy_map", "galaxy_map_assignments", "fingerprints"))
    if not reason:
        return ""
    return f"This run has no map of galaxies: {reason}. With desom.enabled: true in its configuration, snakemake makes one."


def _shown(run: ExploredRun, address: Address) -> str:
    return address.one_of("show", map_choices(run), PROTOTYPES)


def _node(run: ExploredRun, address: Address) -> int:
    return address.whole("node", most_populated(run), grid_of(run, "galaxy_map").row.size)


def _page(run: ExploredRun, address: Address) -> Component:
    node, places = _node(run, address), grid_of(run, "galaxy_map")
    return html.Div(
        [
            html.Div(menu(_MENU, map_choices(run), _shown(run, address)), className="wide"),
            figure_panel(
                _MAP,
                _map_figure(run, address),
                "Map of galaxies",
                "Nodes are (column, row) from 1. Click one to see its galaxies, or walk with the arrow keys. Frame: the node "
                "shown; grey: nothing known. A prototype is a fingerprint: its small image is the map of spectra, column 1 "
                "and row 1 at its lower left. The buttons below download what is in a lasso or box, which a "
                "click or another colour ends, or else the node shown.",
                buttons(_GALAXIES, "galaxies of the selected nodes"),
                nodes=(places.rows, places.columns),
            ),
            figure_panel(
                _PRINTS,
                _prints_figure(run, node),
                "Fingerprints of the node",
                "Where on the map of spectra the baxels of a galaxy lie; each galaxy's weights go from 0 to 1. Click a cell "
                "to open that node of the map of spectra.",
                html.Div(_facts(run, node), id=_FACTS, style=APART),
            ),
            html.Div(_below(run, node), id=_BELOW, className="wide"),
        ],
        className="panels",
    )


def _register(app: Dash, run: ExploredRun) -> None:
    @app.callback(
        Output(_MAP, "figure"),
        Output(_MENU, "value"),
        Output(_PRINTS, "figure"),
        Output(_FACTS, "children"),
        Output(_BELOW, "children"),
        Input("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def show(search: str, path: str):
        address = arrived(_VIEW, path, search)
        node = _node(run, address)
        of_node = _prints_figure(run, node), _facts(run, node), _below(run, node)
        return _map_figure(run, address), _shown(run, address), *of_node

    @app.callback(_SEARCH, Input(_MAP, "clickData"), *_WHERE, prevent_initial_call=True)
    def click(clicked: Any, path: str, search: str):
        node = clicked_node(grid_of(run, "galaxy_map"), clicked)
        return no_update if node is None else moved(arrived(_VIEW, path, search), node=node)

    @app.callback(_SEARCH, Input(_MENU, "value"), *_WHERE, prevent_initial_call=True)
    def choose(shown: str, path: str, search: str):
        address = arrived(_VIEW, path, search)
        return no_update if shown == _shown(run, address) else moved(address, show=shown)

    @app.callback(Output("url", "href", allow_duplicate=True), Input(_PRINTS, "clickData"), prevent_initial_call=True)
    def to_spectra(clicked: Any):
        node = clicked_node(grid_of(run, "fingerprints"), clicked)
        return no_update if node is None else link("spectral-map", node=node)

    def selected(selection: Any, path: str, search: str):
        within = selected_nodes(grid_of(run, "galaxy_map"), selection)
        return mapped_galaxy_table(run, within or [_node(run, arrived(_VIEW, path, search))])

    register_download(app, _GALAXIES, selected, State(_MAP, "selectedData"), *_WHERE)


GALAXY_MAP = View(_VIEW, "Galaxy map", _missing, _page, _register)


def _map_figure(run: ExploredRun, address: Address) -> go.Figure:
    places, shown = grid_of(run, "galaxy_map"), _shown(run, address)
    frame = {_node(run, address): CHOSEN}
    if shown == PROTOTYPES:
        return mosaic_figure(places, fingerprints_of_nodes(run), "normalised weight", frame)
    return nodes_figure(places, map_colours(run, shown), frame)


def _prints_figure(run: ExploredRun, node: int) -> go.Figure:
    return fingerprints_figure(fingerprints_of_nodes(run)[node], mean_fingerprint(run, node))


def _facts(run: ExploredRun, node: int) -> Component:
    nodes = nodes_of(run, "galaxy_map")
    train, validation, test = by_split = nodes["n_galaxy"][node].tolist()
    of_split = f"{train:,} for training, {validation:,} for validation, {test:,} for test"
    return facts(
        [
            (f"galaxies of {grid_of(run, 'galaxy_map').name(node)}", f"{sum(by_split):,}: {of_split}"),
            ("median Sérsic index n", _median(nodes, "sersic_n", node)),
            ("median axis ratio b/a", _median(nodes, "sersic_ba", node)),
        ]
    )


def _median(nodes: Artefact, name: str, node: int) -> str:
    value, fits = nodes[name][node], counted(int(nodes["n_sersic"][node]), "Sérsic fit")
    return f"{plain(value, 2)} of {fits}" if np.isfinite(value) else "unknown"


def _below(run: ExploredRun, node: int) -> list[Component]:
    found = galaxies_of(run, node)
    name = grid_of(run, "galaxy_map").name(node)
    if not found.plateifu.size:
        return [notice(f"No galaxy lies on node {name}."), same_numbers(_python(run, node))]
    parts = [*_pictures(run, found, name), _morphology(run, node), _galaxies(found, name)]
    return [*parts, same_numbers(_python(run, node))]


def _pictures(run: ExploredRun, found: MappedGalaxies, name: str) -> list[Component]:
    """Pictures of the galaxies nearest to the prototype; nothing where none of them has one."""
    pictures = {plateifu: thumbnail(run, plateifu) for plateifu in found.plateifu[:_PICTURES].tolist()}
    if not any(pictures.values()):
        return []
    tiles = [_tile(plateifu, picture) for plateifu, picture in pictures.items()]
    section = [
        html.H3(f"Galaxies nearest to the prototype of node {name}"),
        html.Div(tiles, style={"display": "flex", "flexWrap": "wrap", "gap": "0.6rem"}),
        html.P("Pictures: g, r and i images of the cubes, turned as these; the nearest first."),
    ]
    return [html.Section(section, className="panel")]


def _tile(plateifu: str, picture: str) -> Component:
    look = {"width": _SIDE, "height": _SIDE, "objectFit": "contain", "background": "#000", "display": "block"}
    shown = (
        html.Img(src=picture, alt=f"picture of {plateifu}", style=look)
        if picture
        else html.Div("no picture", style=look)
    )
    words = {"display": "block", "width": _SIDE, "textAlign": "center", "fontSize": "0.85rem", "whiteSpace": "nowrap"}
    return dcc.Link([shown, html.Span(plateifu, style=words)], href=link("galaxy", plateifu))


def _galaxies(found: MappedGalaxies, name: str) -> Component:
    columns = (values[:MOST_SHOWN].tolist() for values in found)
    rows = [
        [
            Linked(plateifu, link("galaxy", plateifu)),
            in_words(Split(split)),
            plain(distance, 3),
            plain(typicality, 2),
            f"{n_baxel:,}",
        ]
        for plateifu, distance, typicality, n_baxel, split in zip(*columns, strict=True)
    ]
    shown = f"{counted(found.plateifu.size, 'galaxy', 'galaxies')}, the nearest to the prototype first"
    if len(rows) < found.plateifu.size:
        shown += f"; the first {MOST_SHOWN}"
    heads = ["galaxy", "split", "distance", "typicality", "baxels"]
    return html.Section(
        [html.H3(f"Galaxies of node {name}"), html.P(shown), text_table(heads, rows, 2)], className="panel"
    )


def _morphology(run: ExploredRun, node: int) -> Component:
    found = morphology_of(run, node)
    if not found.n:
        return notice("No galaxy of this node has a Hubble type in the sample sheet.")
    return figure_panel(
        "galaxy-map-morphology",
        morphology_figure(found),
        "Hubble types of the node",
        f"Of {counted(found.n, 'galaxy', 'galaxies')} with a type.",
    )


def _python(run: ExploredRun, node: int) -> str:
    found = galaxies_of(run, node).plateifu
    like = (
        f"""
print(run.galaxies_like({str(found[0])!r}))
print(run.fingerprint({str(found[0])!r}))"""
        if found.size
        else ""
    )
    return f"""import xarray as xr
from mangrove.api import open_run

run, node = open_run({str(run.folder)!r}), {node}
with xr.open_dataset(run.folder / "galaxy_map/map.h5") as nodes:
    names = ["prototype_fingerprint", "n_galaxy", "morphology_fraction", "sersic_n", "sersic_ba"]
    print(nodes[names].isel(node=node).load())
with xr.open_dataset(run.folder / "galaxy_map/assignments.h5") as galaxies:
    here = galaxies.where(galaxies.node == node, drop=True)
    print(here[["mangaid", "distance", "typicality"]].to_dataframe().sort_values("distance")){like}"""
