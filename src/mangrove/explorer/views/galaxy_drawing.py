"""The page of a galaxy: the parts that a new address changes, each drawn alone."""

from typing import Any

from dash import Dash, Input, Output, Patch, State, no_update
from dash.dependencies import ClientsideFunction

from mangrove.explorer.address import Address
from mangrove.explorer.bpt_figure import RING, chosen_point
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.galaxy_data import SeenGalaxy, seen_galaxy
from mangrove.explorer.galaxy_maps import shown_map
from mangrove.explorer.galaxy_selection import GalaxySelection, selection_of
from mangrove.explorer.map_figure import OUTLINE, map_figure, outline
from mangrove.explorer.views import galaxy_fits as fits
from mangrove.explorer.views import galaxy_sky as sky
from mangrove.explorer.views.galaxy_code import code_of
from mangrove.notebook.label_rows import MAPPED_OF_LINES
from mangrove.report.sky_frame import sky_frame

NAME = "galaxy"
#: Ids of the parts that change, and of what they were last drawn for.
SPECTRUM, CODE = "galaxy-baxel", "galaxy-code"
SHOWN, MAPPED, REFITTED = "galaxy-shown", "galaxy-mapped", "galaxy-refitted"
WHERE = (State("url", "pathname"), State("url", "search"))


def parts_of(chosen: GalaxySelection) -> tuple[int | None, list[str]]:
    """What the parts of the page depend on: that of the spectrum, that of the map."""
    return chosen.baxel, [chosen.quantity, chosen.line]


def refit_part_of(chosen: GalaxySelection, address: Address) -> list[Any]:
    """What the fit with other settings depends on."""
    return [chosen.baxel, *(address.query.get(key) for key in ("templates", "dust", "degree"))]


def galaxy_at(run: ExploredRun, path: str, search: str) -> tuple[SeenGalaxy, Address] | None:
    """The galaxy of an address, and the address; None where the page is another one, or the run has no such galaxy."""
    address = Address.parsed(path, search)
    if address.view != NAME or address.name not in run.galaxies:
        return None
    return seen_galaxy(run, address.name), address


def register_drawing(app: Dash, run: ExploredRun) -> None:
    """The parts of the page that a new address changes, each alone."""

    @app.callback(
        Output(SHOWN, "data"),
        Output(MAPPED, "data"),
        Output(REFITTED, "data"),
        Output(CODE, "children"),
        Input("url", "search"),
        State("url", "pathname"),
        State(SHOWN, "data"),
        State(MAPPED, "data"),
        State(REFITTED, "data"),
        prevent_initial_call=True,
    )
    def read(search: str, path: str, *before: Any):
        at = galaxy_at(run, path, search)
        if at is None:
            return (no_update,) * 4
        chosen = selection_of(*at)
        now = (*parts_of(chosen), refit_part_of(chosen, at[1]))
        changed = [no_update if new == old else new for new, old in zip(now, before, strict=True)]
        return *changed, code_of(run, *at)

    # In the browser: an answer that comes late would ask for the baxel of an address that has gone on.
    app.clientside_callback(
        ClientsideFunction("mangrove", "baxelOfAddress"),
        Output(fits.BAXEL, "value"),
        Input(SHOWN, "data"),
        prevent_initial_call=True,
    )

    @app.callback(Output(SPECTRUM, "children"), Input(SHOWN, "data"), *WHERE, prevent_initial_call=True)
    def draw_spectrum(_: Any, path: str, search: str):
        at = galaxy_at(run, path, search)
        return no_update if at is None else fits.spectrum_panels(run, at[0], selection_of(*at).baxel)

    @app.callback(
        Output(sky.MAP, "figure"),
        Output(sky.LINE, "disabled"),
        Input(MAPPED, "data"),
        *WHERE,
        prevent_initial_call=True,
    )
    def draw_map(_: Any, path: str, search: str):
        at = galaxy_at(run, path, search)
        if at is None or not at[0].has_maps:
            return no_update, no_update
        seen, chosen = at[0], selection_of(*at)
        shown = shown_map(seen, chosen.quantity, chosen.line)
        figure = map_figure(seen.bins, shown, chosen.baxel, seen.centres)
        return figure, chosen.quantity not in MAPPED_OF_LINES

    for id, n_map in ((sky.IMAGE, 1), (sky.MAP, 1), (sky.KINEMATICS, 4), (sky.BPT_MAP, 1)):

        def outline_baxel(_: Any, path: str, search: str, n_map: int = n_map):
            at = galaxy_at(run, path, search)
            if at is None or not at[0].has_maps:
                return no_update
            bins = at[0].bins
            x, y = outline(bins, sky_frame(bins), selection_of(*at).baxel)
            patch = Patch()
            for k in range(n_map):
                patch["data"][OUTLINE + 2 * k]["x"], patch["data"][OUTLINE + 2 * k]["y"] = x, y
            return patch

        drawn = Output(id, "figure", allow_duplicate=True)
        app.callback(drawn, Input(SHOWN, "data"), *WHERE, prevent_initial_call=True)(outline_baxel)

    @app.callback(Output(sky.BPT, "figure"), Input(SHOWN, "data"), *WHERE, prevent_initial_call=True)
    def ring(_: Any, path: str, search: str):
        at = galaxy_at(run, path, search)
        if at is None:
            return no_update
        point, patch = chosen_point(at[0], selection_of(*at).baxel), Patch()
        patch["data"][RING]["x"], patch["data"][RING]["y"] = list(point.x), list(point.y)
        return patch

    running = [(Output(fits.BUSY, "style"), {"visibility": "visible"}, fits.IDLE)]

    @app.callback(Output(fits.REFIT, "children"), Input(REFITTED, "data"), *WHERE, running=running)
    def fit_again(_: Any, path: str, search: str):
        at = galaxy_at(run, path, search)
        baxel = selection_of(*at).baxel if at else None
        return no_update if baxel is None else fits.refit_result(run, *at, baxel)
