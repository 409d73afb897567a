"""View 4: one galaxy, and the fit of each of its spectra."""

import shlex
from collections.abc import Callable
from typing import Any

import numpy as np
from astropy.table import Table
from dash import Dash, Input, Output, Patch, State, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.bpt_figure import RING, chosen_point
from mangrove.explorer.downloads import register_download
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.figure_events import rows_of
from mangrove.explorer.galaxy_data import SeenGalaxy, line_cube_index, seen_galaxy
from mangrove.explorer.galaxy_maps import shown_map
from mangrove.explorer.galaxy_selection import GalaxySelection, selection_of
from mangrove.explorer.line_cube_maps import spaxel_table
from mangrove.explorer.map_figure import OUTLINE, clicked_baxel, map_figure, outline
from mangrove.explorer.node_figure import clicked_node, selected_nodes
from mangrove.explorer.node_index import grid_of
from mangrove.explorer.panels import notice, same_numbers
from mangrove.explorer.placed_baxel import baxels_on
from mangrove.explorer.view import View
from mangrove.explorer.views import galaxy_fits as fits
from mangrove.explorer.views import galaxy_sky as sky
from mangrove.explorer.views.map_parts import moved
from mangrove.near_names import closest
from mangrove.notebook.label_rows import MAPPED_OF_LINES
from mangrove.report.autoencoder_sample import NETWORK_TITLE

_CHOICE, _SPECTRUM, _CODE = "galaxy-choice", "galaxy-baxel", "galaxy-code"
_SHOWN, _MAPPED, _REFITTED = "galaxy-shown", "galaxy-mapped", "galaxy-refitted"
_SEARCH = Output("url", "search", allow_duplicate=True)
_WHERE = (State("url", "pathname"), State("url", "search"))
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
            *(dcc.Store(id=id, data=data) for id, data in zip((_SHOWN, _MAPPED), _parts(chosen), strict=True)),
            dcc.Store(id=_REFITTED, data=_refit_part(chosen, address)),
            fits.baxel_choice(seen, chosen.baxel),
            html.Div(fits.spectrum_panels(run, seen, chosen.baxel), id=_SPECTRUM, className="wide panels"),
            *sky.further_panels(run, seen, chosen),
            fits.refit_controls(run, seen, address),
        ]
    panels.append(sky.neighbour_panel(run, seen.plateifu))
    return [*panels, html.Div(_code(run, seen, address), id=_CODE, className="wide")]


def _parts(chosen: GalaxySelection) -> tuple[int | None, list[str]]:
    """What the parts of the page depend on: that of the spectrum, that of the map."""
    return chosen.baxel, [chosen.quantity, chosen.line]


def _refit_part(chosen: GalaxySelection, address: Address) -> list[Any]:
    return [chosen.baxel, *(address.query.get(key) for key in ("templates", "dust", "degree"))]


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


def _code(run: ExploredRun, seen: SeenGalaxy, address: Address) -> Component:
    chosen = selection_of(seen, address)
    name = seen.plateifu
    if chosen.baxel is None:
        return same_numbers(_code_without_baxels(run, name), _command(run, name))
    line = f', line="{chosen.line}"' if chosen.quantity in MAPPED_OF_LINES else ""
    code = [
        "from mangrove.api import fit_spectrum, open_run",
        "",
        f"run = open_run({str(run.folder)!r})",
        f'labels, lines = run.labels("{name}"), run.lines("{name}")',
        f'image = run.map("{name}", "{chosen.quantity}"{line})',
        f'spectrum = run.spectrum("{name}", {chosen.baxel})  # data, stars, gas, model',
        "print(labels[spectrum.baxel], float(image.max()))",
    ]
    settings = fits.settings_in_python(run, seen, address)
    if settings:
        code.append(f'refit = fit_spectrum(**run.fit_arguments("{name}", {chosen.baxel}) | {settings})')
        code.append("print(refit.labels)")
    return same_numbers("\n".join(code), _command(run, name))


def _code_without_baxels(run: ExploredRun, name: str) -> str:
    """Lines for the images of a line cube, or for what became of a galaxy of which there is no spectrum either."""
    if line_cube_index(run, name) is None:
        return f"from mangrove.api import open_run\n\nprint(open_run({str(run.folder)!r}).about({name!r}))"
    return "\n".join(
        [
            "import h5py",
            "import numpy as np",
            "",
            f"with h5py.File({str(run.path('line_cube_set'))!r}) as file:",
            '    lines = file["line"].asstr()[:].tolist()',
            f'    galaxy = file["plateifu"].asstr()[:].tolist().index({name!r})',
            '    wave, flux, valid = (file[part][galaxy] for part in ("window_wave", "flux", "valid"))',
            "step = np.gradient(wave, axis=1)[..., None, None]  # Angstrom",
            "images = np.where(valid.any(axis=1), np.sum(flux * step * (valid > 0), axis=1), np.nan)",
            "for line, image in zip(lines, images):  # 1e-17 erg s-1 cm-2 spaxel-1",
            "    print(line, np.nansum(image))",
        ]
    )


def _command(run: ExploredRun, name: str) -> str:
    """Those that print the galaxies alike, by each network that knows this one."""
    known = [
        network
        for network in NETWORK_TITLE
        if run.has("neighbours", network=network) and name in run.column("neighbours", "plateifu", network=network)
    ]
    folder = shlex.quote(str(run.folder))
    return "\n".join(f"mangrove neighbours {name} {folder} --network {network}" for network in known)


def _galaxy_at(run: ExploredRun, path: str, search: str) -> tuple[SeenGalaxy, Address] | None:
    address = Address.parsed(path, search)
    if address.view != GALAXY.name or address.name not in run.galaxies:
        return None
    return seen_galaxy(run, address.name), address


def _register(app: Dash, run: ExploredRun) -> None:
    _register_choices(app, run)
    _register_selection(app, run)
    _register_drawing(app, run)
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
        at = _galaxy_at(run, path, "")
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
        at = _galaxy_at(run, path, search)
        if at is None or not at[0].has_maps:
            return no_update
        baxel = clicked_baxel(at[0].bins, click)
        return no_update if baxel is None else moved(at[1], baxel=baxel)

    for figure in (sky.IMAGE, sky.MAP, sky.KINEMATICS, sky.BPT_MAP):
        app.callback(_SEARCH, Input(figure, "clickData"), *_WHERE, prevent_initial_call=True)(on_map)

    @app.callback(_SEARCH, Input(sky.BPT, "clickData"), *_WHERE, prevent_initial_call=True)
    def on_diagram(click: Any, path: str, search: str):
        at = _galaxy_at(run, path, search)
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
            at = _galaxy_at(run, path, search)
            # A new page sends the values of its controls as well: what the address means already, it need not say.
            if at is not None and key == "degree":
                value = fits.degree_at(run, at[0], value)
            if at is None or value is None or value == _control_values(run, *at).get(key):
                return no_update
            return moved(at[1], **{key: value})

        app.callback(_SEARCH, Input(id, "value"), *_WHERE, prevent_initial_call=True)(choose)


def _control_values(run: ExploredRun, seen: SeenGalaxy, address: Address) -> dict[str, Any]:
    """What the controls show for an address, by their key in it."""
    chosen = selection_of(seen, address)
    shown = {"map": chosen.quantity, "line": chosen.line, "baxel": chosen.baxel}
    return shown | fits.control_values(run, seen, address)


def _register_drawing(app: Dash, run: ExploredRun) -> None:
    """The parts of the page that a new address changes, each alone."""

    @app.callback(
        Output(_SHOWN, "data"),
        Output(_MAPPED, "data"),
        Output(_REFITTED, "data"),
        Output(_CODE, "children"),
        Input("url", "search"),
        State("url", "pathname"),
        State(_SHOWN, "data"),
        State(_MAPPED, "data"),
        State(_REFITTED, "data"),
        prevent_initial_call=True,
    )
    def read(search: str, path: str, *before: Any):
        at = _galaxy_at(run, path, search)
        if at is None:
            return (no_update,) * 4
        chosen = selection_of(*at)
        now = (*_parts(chosen), _refit_part(chosen, at[1]))
        changed = [no_update if new == old else new for new, old in zip(now, before, strict=True)]
        return *changed, _code(run, *at)

    @app.callback(
        Output(_SPECTRUM, "children"),
        Output(fits.BAXEL, "value"),
        Input(_SHOWN, "data"),
        *_WHERE,
        prevent_initial_call=True,
    )
    def draw_spectrum(_: Any, path: str, search: str):
        at = _galaxy_at(run, path, search)
        if at is None:
            return no_update, no_update
        baxel = selection_of(*at).baxel
        return fits.spectrum_panels(run, at[0], baxel), baxel

    @app.callback(
        Output(sky.MAP, "figure"),
        Output(sky.LINE, "disabled"),
        Input(_MAPPED, "data"),
        *_WHERE,
        prevent_initial_call=True,
    )
    def draw_map(_: Any, path: str, search: str):
        at = _galaxy_at(run, path, search)
        if at is None or not at[0].has_maps:
            return no_update, no_update
        seen, chosen = at[0], selection_of(*at)
        shown = shown_map(seen, chosen.quantity, chosen.line)
        figure = map_figure(seen.bins, shown, chosen.baxel, seen.centres)
        return figure, chosen.quantity not in MAPPED_OF_LINES

    for id, n_map in ((sky.IMAGE, 1), (sky.MAP, 1), (sky.KINEMATICS, 4), (sky.BPT_MAP, 1)):

        def outline_baxel(_: Any, path: str, search: str, n_map: int = n_map):
            at = _galaxy_at(run, path, search)
            if at is None or not at[0].has_maps:
                return no_update
            x, y = outline(at[0].bins, selection_of(*at).baxel)
            patch = Patch()
            for k in range(n_map):
                patch["data"][OUTLINE + 2 * k]["x"], patch["data"][OUTLINE + 2 * k]["y"] = x, y
            return patch

        drawn = Output(id, "figure", allow_duplicate=True)
        app.callback(drawn, Input(_SHOWN, "data"), *_WHERE, prevent_initial_call=True)(outline_baxel)

    @app.callback(Output(sky.BPT, "figure"), Input(_SHOWN, "data"), *_WHERE, prevent_initial_call=True)
    def ring(_: Any, path: str, search: str):
        at = _galaxy_at(run, path, search)
        if at is None:
            return no_update
        point, patch = chosen_point(at[0], selection_of(*at).baxel), Patch()
        patch["data"][RING]["x"], patch["data"][RING]["y"] = list(point.x), list(point.y)
        return patch

    running = [(Output(fits.BUSY, "style"), {"visibility": "visible"}, fits.IDLE)]

    @app.callback(Output(fits.REFIT, "children"), Input(_REFITTED, "data"), *_WHERE, running=running)
    def fit_again(_: Any, path: str, search: str):
        at = _galaxy_at(run, path, search)
        baxel = selection_of(*at).baxel if at else None
        return no_update if baxel is None else fits.refit_result(run, *at, baxel)


def _table_of(run: ExploredRun, path: str, chosen: Callable[[SeenGalaxy], list[int]]) -> Table | None:
    """Labels of some baxels of the galaxy of a page."""
    at = _galaxy_at(run, path, "")
    if at is None or at[0].table is None:
        return None
    return at[0].table[np.array(chosen(at[0]), int)]


GALAXY = View("galaxy", "Galaxy", _missing, _page, _register)
