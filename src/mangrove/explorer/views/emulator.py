"""The emulator: a continuum made with sliders, and the emission lines that galaxies with such a continuum have."""

import threading
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from mangrove.explorer import emulator_choice as choice
from mangrove.explorer import emulator_figures as figures
from mangrove.explorer.address import Address
from mangrove.explorer.continuum_table import bin_edges, lines_of, n_row, presets, shown_rows
from mangrove.explorer.downloads import register_download
from mangrove.explorer.emulator_choice import EmulatorInput, input_of
from mangrove.explorer.emulator_parts import (
    BIN_TYPE,
    SIDES,
    bpt_panel,
    continuum_panel,
    lines_panel,
    map_parts,
    number_table,
    preset_choices,
    selected_table,
    verdict,
)
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.figure_events import is_row, rows_of
from mangrove.explorer.line_emulator import draws, predict, predicted_rows, why_none
from mangrove.explorer.panels import same_numbers
from mangrove.explorer.view import View

NAME = "emulator"
_BIN = {"type": BIN_TYPE, "index": ALL}
#: What predictions change, by ids and properties.
_LIVE = (
    ("emulator-continuum", "figure"),
    ("emulator-lines", "figure"),
    ("emulator-numbers", "children"),
    ("emulator-verdict", "children"),
    ("emulator-code", "children"),
)


def _page(run: ExploredRun, address: Address) -> Component:
    """Without predictions: they come with the first callback, which has to load the network."""
    asked = input_of(run, address)
    return html.Section(
        [
            html.H2("Emulator"),
            html.P(
                "From the shape of the stellar continuum in broad bins a network predicts how strong the emission lines of "
                "such galaxies are, and how much they scatter. Move a slider, or start from a real continuum."
            ),
            preset_choices(run, asked),
            html.Section(id="emulator-verdict", className="panel wide"),
            html.Div(
                [
                    continuum_panel(run, asked),
                    lines_panel(),
                    html.Section(id="emulator-numbers", className="panel"),
                    bpt_panel(run),
                ],
                className="panels",
            ),
            *map_parts(run, address),
            html.Div(id="emulator-code"),
        ]
    )


def _register(app: Dash, run: ExploredRun) -> None:
    def address_of(search: str, path: str) -> Address | None:
        """The address, if it is one of this view and the run has an emulator."""
        address = Address.parsed(path, search)
        return address if address.view == NAME and not why_none(run) else None

    @app.callback(
        *(Output(id, name) for id, name in _LIVE),
        Output("emulator-preset", "value"),
        Output("emulator-row", "value"),
        Input("url", "search"),
        State("url", "pathname"),
    )
    def show(search: str, path: str):
        address = address_of(search, path)
        if address is None:
            return [no_update] * (len(_LIVE) + 2)
        asked = input_of(run, address)
        row = asked.preset.row
        known = row in [preset for _, preset in presets(run, choice.FIRST_LINE)]
        return [*_live_parts(run, asked, address), row if known else None, row]

    @app.callback(Output("emulator-bpt", "figure"), Input("url", "search"), State("url", "pathname"))
    def draw_bpt(search: str, path: str):
        address = address_of(search, path)
        if address is None or not figures.has_bpt(lines_of(run)):
            return no_update
        asked = input_of(run, address)
        of = run, asked.flux_bins, asked.log_luminosity
        return figures.bpt_figure(predict(*of), draws(*of), shown_rows(run), asked.preset)

    @app.callback(
        Output(_BIN, "value"),
        Input("url", "search"),
        State("url", "pathname"),
        State(_BIN, "value"),
        prevent_initial_call=True,
    )
    def set_sliders(search: str, path: str, values: list):
        address = address_of(search, path)
        stand = [] if address is None else choice.slider_values(run, input_of(run, address))
        return stand if len(stand) == len(values) else [no_update] * len(values)

    @app.callback(
        *(Output(id, name, allow_duplicate=True) for id, name in _LIVE),
        Input(_BIN, "drag_value"),
        State(_BIN, "value"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def drag(dragged: list, values: list, search: str, path: str):
        """While a slider is held: what it would predict, without an address for every step."""
        address = address_of(search, path)
        if address is None or not ctx.triggered_id:
            return [no_update] * len(_LIVE)
        held = ctx.triggered_id["index"]
        there = choice.moved(run, address, [dragged[k] if k == held else value for k, value in enumerate(values)])
        return [no_update] * len(_LIVE) if there == address else _live_parts(run, input_of(run, there), there)

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input(_BIN, "value"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def move(values: list, search: str, path: str):
        address = address_of(search, path)
        there = address and choice.moved(run, address, values)
        return no_update if there == address else there.search

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("emulator-preset", "value"),
        Input("emulator-row", "value"),
        Input("emulator-map-left", "clickData"),
        Input("emulator-map-right", "clickData"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def start_from(preset: int, row: int, left: Any, right: Any, search: str, path: str):
        address = address_of(search, path)
        if address is None:
            return no_update
        clicked = {"emulator-map-left": left, "emulator-map-right": right}
        chosen = {"emulator-preset": [preset], "emulator-row": [row]} | {
            name: rows_of(points, n_row(run))[:1] for name, points in clicked.items()
        }
        found = [k for k in chosen.get(ctx.triggered_id, []) if is_row(k, n_row(run))]
        if not found or found[0] == input_of(run, address).preset.row:
            return no_update
        return address.changed(row=found[0], flux=None, luminosity=None).search

    @app.callback(
        Output("emulator-map-left", "figure"),
        Output("emulator-map-right", "figure"),
        Output("emulator-left", "value"),
        Output("emulator-right", "value"),
        Output("emulator-drawn", "data"),
        Input("url", "search"),
        State("url", "pathname"),
        State("emulator-drawn", "data"),
    )
    def colour_maps(search: str, path: str, drawn: list | None):
        address = address_of(search, path)
        if address is None or shown_rows(run).place is None:
            return [no_update] * 5
        row = input_of(run, address).preset.row
        chosen = [choice.map_choice(run, address, side) for side in SIDES]
        key = [*chosen, row]
        if key == drawn:
            return [no_update] * 5
        shown = shown_rows(run)
        return [*(figures.map_figure(shown, choice.map_colour(run, name), row) for name in chosen), *chosen, key]

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input("emulator-left", "value"),
        Input("emulator-right", "value"),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def choose_colours(left: str, right: str, search: str, path: str):
        address = address_of(search, path)
        side = str(ctx.triggered_id).removeprefix("emulator-")
        value = {"left": left, "right": right}.get(side)
        if address is None or not value or value == choice.map_choice(run, address, side):
            return no_update
        return address.changed(**{side: value}).search

    for side in SIDES:
        register_download(
            app,
            f"emulator-selection-{side}",
            lambda selected: None if why_none(run) else selected_table(run, rows_of(selected, n_row(run))),
            State(f"emulator-map-{side}", "selectedData"),
        )


def _live_parts(run: ExploredRun, asked: EmulatorInput, address: Address) -> list:
    """What predictions change, in the order of :data:`_LIVE`."""
    found = predict(run, asked.flux_bins, asked.log_luminosity)
    return [
        figures.continuum_figure(bin_edges(run), asked.flux_bins, asked.preset),
        figures.lines_figure(found, asked.preset, asked.is_preset),
        number_table(found, asked),
        verdict(found, asked, address),
        same_numbers(*choice.code_of(run, asked)),
    ]


def _prepare(run: ExploredRun) -> None:
    """Load and compile the network, and predict the rows of the maps."""

    def load() -> None:
        asked = input_of(run, Address(f"/{NAME}"))
        predict(run, asked.flux_bins, asked.log_luminosity)
        predicted_rows(run)
        draws(run, asked.flux_bins, asked.log_luminosity)

    # No daemon: a process that ends while it compiles may crash.
    threading.Thread(target=load, daemon=False).start()


EMULATOR = View(NAME, "Emulator", why_none, _page, _register, _prepare)
