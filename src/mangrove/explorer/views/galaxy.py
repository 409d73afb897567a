"""View 4: one galaxy, and the fit of each of its spectra."""

from collections.abc import Callable
from typing import Any

import numpy as np
from astropy.table import Table
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.downloads import register_download
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.figure_events import rows_of
from mangrove.explorer.galaxy_data import SeenGalaxy, seen_galaxy
from mangrove.explorer.galaxy_selection import selection_of
from mangrove.explorer.line_cube_maps import spaxel_table
from mangrove.explorer.map_figure import clicked_baxel
from mangrove.explorer.node_figure import clicked_node, selected_nodes
from mangrove.explorer.node_index import grid_of
from mangrove.explorer.panels import notice
from mangrove.explorer.placed_baxel import baxels_on
from mangrove.explorer.view import View
from mangrove.explorer.views import galaxy_fits as fits
from mangrove.explorer.views import galaxy_sky as sky
from mangrove.explorer.views.galaxy_code import code_of
from mangrove.explorer.views.galaxy_drawing import (
    CODE,
    MAPPED,
    NAME,
    REFITTED,
    SHOWN,
    SPECTRUM,
    WHERE,
    galaxy_at,
    parts_of,
    refit_part_of,
    register_drawing,
)
from mangrove.explorer.views.map_parts import moved
from mangrove.near_names import closest

_CHOICE = "galaxy-choice"
_SEARCH = Output("url", "search", allow_duplicate=True)
#: Names that the menu offers at a time.
_MOST_NAMES = 50


def _missing(run: ExploredRun) -> str:
    if run.galaxies:
        return ""
    return (
        "This run has no galaxies: neither spectra nor line cubes are finished. With a survey in its configuration, snakemake "
        "makes them."
    )


def _page(run: ExploredRun, address: Address) -> Component:
    if not address.name:
        return html.Div([html.H2("A galaxy"), _chooser(run)])
    if address.name not in run.galaxies:
        near = closest(address.name, run.galaxies)
        links = [part for name in near for part in (dcc.Link(name, href=link("galaxy", name)), " ")]
        return html.Div(
            [notice(f"This run has no galaxy {address.name}. The names most like it: ", *links), _chooser(run)]
        )
    seen = seen_galaxy(run, address.name)
    return html.Div([_chooser(run), *_panels(run, seen, address)], className="panels")


def _panels(run: ExploredRun, seen: SeenGalaxy, address: Address) -> list[Component]:
    chosen = selection_of(seen, address)
    panels = [sky.head(run, seen)]
    if seen.lacks and "galaxy_status" in seen.about:
        panels.append(notice(seen.lacks))
    panels += sky.sky_panels(seen, chosen) if seen.has_maps else sky.line_cube_panels(run, seen)
    if chosen.baxel is not None:
        panels += [
            *(dcc.Store(id=id, data=data) for id, data in zip((SHOWN, MAPPED), parts_of(chosen), strict=True)),
            dcc.Store(id=REFITTED, data=refit_part_of(chosen, address)),
            fits.baxel_choice(seen, chosen.baxel),
            html.Div(fits.spectrum_panels(run, seen, chosen.baxel), id=SPECTRUM, className="wide panels"),
            *sky.further_panels(run, seen, chosen),
            fits.refit_controls(run, seen, address),
        ]
    panels.append(sky.neighbour_panel(run, seen.plateifu))
    return [*panels, html.Div(code_of(run, seen, address), id=CODE, className="wide")]


def _chooser(run: ExploredRun) -> Component:
    menu = dcc.Dropdown(
        _options(run, ""),
        id=_CHOICE,
        placeholder=f"one of {len(run.galaxies):,}: type a part of its plateifu",
        className="chooser",
    )
    return html.Div([html.Label("open a galaxy", htmlFor=_CHOICE), menu], className="choosers wide")


def _options(run: ExploredRun, text: str) -> list[str]:
    """Names with a text in them; where there are none, those most like it, which the menu shows for any text."""
    found = [name for name in run.galaxies if text in name]
    return found[:_MOST_NAMES] if found else closest(text, run.galaxies)


def _register(app: Dash, run: ExploredRun) -> None:
    _register_choices(app, run)
    _register_selection(app, run)
    register_drawing(app, run)
    for figure in sky.WITH_LASSO:
        register_download(
            app,
            sky.baxels_of(figure),
            lambda selection, path: _table_of(run, path, lambda seen: rows_of(selection, seen.n_baxel)),
            State(figure, "selectedData"),
            State("url", "pathname"),
        )

    def on_nodes(selection: Any, path: str) -> Table | None:
        nodes = selected_nodes(grid_of(run, "desom_map"), selection)
        return _table_of(run, path, lambda seen: baxels_on(run, seen.plateifu, nodes))

    selected = State(sky.FINGERPRINT, "selectedData")
    register_download(app, sky.baxels_of(sky.FINGERPRINT), on_nodes, selected, State("url", "pathname"))

    def of_line_cube(selection: Any, path: str) -> Table | None:
        at = galaxy_at(run, path, "")
        return None if at is None else spaxel_table(run, at[0].plateifu, selection)

    register_download(app, sky.SPAXELS, of_line_cube, State(sky.LINE_IMAGES, "selectedData"), State("url", "pathname"))


def _register_choices(app: Dash, run: ExploredRun) -> None:
    """Other galaxies, and other nodes."""

    @app.callback(Output(_CHOICE, "options"), Input(_CHOICE, "search_value"), prevent_initial_call=True)
    def offer(text: str):
        found = _options(run, text or "")
        return [{"label": name, "value": name, "search": f"{name} {text or ''}"} for name in found]

    @app.callback(Output("url", "href", allow_duplicate=True), Input(_CHOICE, "value"), prevent_initial_call=True)
    def go(name: str | None):
        return link("galaxy", name) if name in run.galaxies else no_update

    @app.callback(
        Output("url", "href", allow_duplicate=True), Input(sky.FINGERPRINT, "clickData"), prevent_initial_call=True
    )
    def open_node(click: Any):
        node = clicked_node(grid_of(run, "desom_map"), click)
        return no_update if node is None else link("spectral-map", node=node)


def _register_selection(app: Dash, run: ExploredRun) -> None:
    """Clicks and controls write the address."""

    def on_map(click: Any, path: str, search: str):
        at = galaxy_at(run, path, search)
        if at is None or not at[0].has_maps:
            return no_update
        baxel = clicked_baxel(at[0].bins, click)
        return no_update if baxel is None else moved(at[1], baxel=baxel)

    for figure in (sky.IMAGE, sky.MAP, sky.KINEMATICS, sky.BPT_MAP):
        app.callback(_SEARCH, Input(figure, "clickData"), *WHERE, prevent_initial_call=True)(on_map)

    @app.callback(_SEARCH, Input(sky.BPT, "clickData"), *WHERE, prevent_initial_call=True)
    def on_diagram(click: Any, path: str, search: str):
        at = galaxy_at(run, path, search)
        chosen = rows_of(click, at[0].n_baxel) if at else []
        return moved(at[1], baxel=chosen[0]) if chosen else no_update

    controls = (
        (sky.QUANTITY, "map"),
        (sky.LINE, "line"),
        (fits.BAXEL, "baxel"),
        (fits.LIBRARY, "templates"),
        (fits.DUST, "dust"),
        (fits.DEGREE, "degree"),
    )
    for id, key in controls:

        def choose(value: Any, path: str, search: str, key: str = key):
            at = galaxy_at(run, path, search)
            # A new page sends the values of its controls as well: what the address means already, it need not say.
            if at is not None and key == "degree":
                value = fits.degree_at(run, at[0], value)
            if at is None or value is None or value == _control_values(run, *at).get(key):
                return no_update
            return moved(at[1], **{key: value})

        app.callback(_SEARCH, Input(id, "value"), *WHERE, prevent_initial_call=True)(choose)


def _control_values(run: ExploredRun, seen: SeenGalaxy, address: Address) -> dict[str, Any]:
    """What the controls show for an address, by their key in it."""
    chosen = selection_of(seen, address)
    shown = {"map": chosen.quantity, "line": chosen.line, "baxel": chosen.baxel}
    return shown | fits.control_values(run, seen, address)


def _table_of(run: ExploredRun, path: str, chosen: Callable[[SeenGalaxy], list[int]]) -> Table | None:
    """Labels of some baxels of the galaxy of a page."""
    at = galaxy_at(run, path, "")
    if at is None or at[0].table is None:
        return None
    return at[0].table[np.array(chosen(at[0]), int)]


GALAXY = View(NAME, "Galaxy", _missing, _page, _register)
