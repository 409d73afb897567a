"""The emulator: a continuum made with sliders, and the emission lines that galaxies with such a continuum have."""

import shlex

import numpy as np
import plotly.graph_objects as go
from astropy.table import Table
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.data_model import KINDS
from mangrove.explorer import emulator_choice as choice
from mangrove.explorer import emulator_figures as figures
from mangrove.explorer.address import Address, link
from mangrove.explorer.continuum_table import (
    KIND,
    bin_edges,
    lines_of,
    luminosity_range,
    n_row,
    presets,
    shown_rows,
    slider_range,
)
from mangrove.explorer.downloads import buttons, measured, register_download
from mangrove.explorer.emulator_choice import EmulatorInput, input_of
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.line_emulator import (
    INTERVAL,
    PredictedLines,
    draws,
    flag_sentence,
    predict,
    predicted_rows,
    uses_luminosity,
    why_none,
)
from mangrove.explorer.panels import facts, figure_panel, notice, same_numbers
from mangrove.explorer.view import View

NAME = "emulator"
_BIN = {"type": "emulator-bin", "index": ALL}
#: What predictions change, by ids and properties.
_LIVE = (
    ("emulator-continuum", "figure"),
    ("emulator-lines", "figure"),
    ("emulator-numbers", "children"),
    ("emulator-verdict", "children"),
    ("emulator-code", "children"),
)
_SIDES = ("left", "right")
_UNKNOWN = "\N{EN DASH}"


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
            _presets(run, asked),
            html.Section(id="emulator-verdict", className="panel wide"),
            html.Div(
                [
                    _continuum_panel(run, asked),
                    _lines_panel(),
                    html.Section(id="emulator-numbers", className="panel"),
                    _bpt_panel(run),
                ],
                className="panels",
            ),
            *_maps(run, address),
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
    def start_from(preset: int, row: int, left: dict, right: dict, search: str, path: str):
        address = address_of(search, path)
        clicked = {"emulator-map-left": left, "emulator-map-right": right}
        chosen = {"emulator-preset": [preset], "emulator-row": [row]} | {
            name: _rows_of(points)[:1] for name, points in clicked.items()
        }
        found = [k for k in chosen.get(ctx.triggered_id, []) if isinstance(k, int) and 0 <= k < n_row(run)]
        if address is None or not found or found[0] == input_of(run, address).preset.row:
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
        if address is None:
            return [no_update] * 5
        row = input_of(run, address).preset.row
        chosen = [choice.map_choice(run, address, side) for side in _SIDES]
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

    for side in _SIDES:
        register_download(
            app,
            f"emulator-selection-{side}",
            lambda selected: _selected_table(run, _rows_of(selected)),
            State(f"emulator-map-{side}", "selectedData"),
        )


def _live_parts(run: ExploredRun, asked: EmulatorInput, address: Address) -> list:
    """What predictions change, in the order of :data:`_LIVE`."""
    found = predict(run, asked.flux_bins, asked.log_luminosity)
    return [
        figures.continuum_figure(bin_edges(run), asked.flux_bins, asked.preset),
        figures.lines_figure(found, asked.preset, asked.is_preset),
        _number_table(found, asked),
        _verdict(found, asked, address),
        _code(run, asked),
    ]


def _presets(run: ExploredRun, asked: EmulatorInput) -> Component:
    line = figures.line_name(choice.FIRST_LINE)
    options = [{"value": row, "label": f"{name} {line}: row {row}"} for name, row in presets(run, choice.FIRST_LINE)]
    menu = dcc.Dropdown(options, id="emulator-preset", clearable=False, searchable=False, placeholder="another row")
    field = dcc.Input(
        id="emulator-row", type="number", min=0, max=n_row(run) - 1, step=1, value=asked.preset.row, debounce=0.4
    )
    return html.Div(
        [
            html.Label([html.Span("preset: a real continuum"), menu]),
            html.Label([html.Span(f"row of the table, below {n_row(run):,}"), field]),
        ],
        className="choices",
    )


def _sliders(run: ExploredRun, asked: EmulatorInput) -> Component:
    """One slider per bin, in the order of the bins; where it is used, one of the luminosity below."""
    low, high = slider_range(run)
    edges, values = bin_edges(run), choice.slider_values(run, asked)
    columns = [
        html.Div(
            [
                dcc.Slider(low, high, 0.001, value=values[k], vertical=True, verticalHeight=110, **_slider(k)),
                html.Span(f"{edges[k]:.0f}", title=f"{edges[k]:.0f} to {edges[k + 1]:.0f} Å"),
            ],
            className="band",
        )
        for k in range(len(edges) - 1)
    ]
    bands = html.Div(columns, className="bands", role="group", **{"aria-label": "flux of the bins over the mean"})
    parts: list[Component] = [bands, html.Figcaption("Flux of each bin over the mean, by the bin's blue edge in Å.")]
    if uses_luminosity(run):
        least, most = luminosity_range(run)
        unit = KINDS[KIND].fields["log_luminosity"].meaning
        slider = dcc.Slider(least, most, 0.01, value=values[-1], **_slider(len(edges) - 1))
        parts += [html.Div([html.Span(f"{unit} (erg/s/Å)"), slider])]
    return html.Div(parts)


def _slider(index: int) -> dict:
    tip = {"placement": "top", "always_visible": False}
    return {"id": _BIN | {"index": index}, "marks": None, "tooltip": tip, "allow_direct_input": False}


def _continuum_panel(run: ExploredRun, asked: EmulatorInput) -> Component:
    figure = figures.continuum_figure(bin_edges(run), asked.flux_bins, asked.preset)
    caption = "Only ratios of neighbouring bins count: the network sees colours."
    return figure_panel("emulator-continuum", figure, "Continuum", caption, _sliders(run, asked))


def _lines_panel() -> Component:
    caption = (
        f"Squares: median and {figures.interval_words()} interval of the intrinsic equivalent width of galaxies with this "
        "continuum. Diamonds: median that a survey would list; compare these with the measured ones. The weaker lines of "
        "[O III] and [N II] are tied to the stronger ones: each pair is one measurement."
    )
    return figure_panel("emulator-lines", _waiting(), "Emission lines", caption)


def _waiting() -> go.Figure:
    figure = go.Figure(layout={"height": 360})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.add_annotation(text="the network is being loaded", showarrow=False)


def _number_table(found: PredictedLines, asked: EmulatorInput) -> html.Table:
    """The equivalent widths in numbers, Angstrom."""
    heads = ("line", "as listed", "intrinsic", figures.interval_words(), "measured in the preset")
    rows = []
    for k, line in enumerate(found.line):
        ew, error = asked.preset.ew[k], asked.preset.ew_error[k]
        was = f"{ew:.2f} ± {error:.2f}" if np.isfinite(ew) else _UNKNOWN
        interval = f"{_width(found.low[k])} to {_width(found.high[k])}" if np.isfinite(found.low[k]) else _UNKNOWN
        cells = (_width(found.listed[k]), _width(found.median[k]), interval, was)
        name = html.Th(figures.line_name(line), scope="row")
        rows.append(html.Tr([name, *(html.Td(cell, className="number") for cell in cells)]))
    caption = html.Caption("Equivalent widths, rest frame, Å; positive in emission.")
    return html.Table([caption, html.Thead(html.Tr([html.Th(head) for head in heads])), html.Tbody(rows)])


def _bpt_panel(run: ExploredRun) -> Component:
    if not figures.has_bpt(lines_of(run)):
        return notice("No BPT diagram: the emulator lacks one of its four lines.")
    caption = (
        "Ratios of equivalent widths, which are nearly those of fluxes. Small dots: draws from the predicted distribution, "
        "lines correlated as in galaxies; grey: measured rows with all four lines above 2 sigma."
    )
    return figure_panel("emulator-bpt", _waiting(), "BPT diagram", caption)


def _verdict(found: PredictedLines, asked: EmulatorInput, address: Address) -> Component:
    """Where the continuum comes from, and whether the network can know such ones."""
    preset = asked.preset
    origin: list = [f"row {preset.row} of the emulator's table, galaxy {preset.identifier}"]
    if preset.plateifu:
        name = f"{preset.plateifu}, baxel {preset.baxel}"
        origin = [f"row {preset.row}: ", dcc.Link(name, href=link("galaxy", preset.plateifu, baxel=preset.baxel))]
    if not asked.is_preset:
        back = address.changed(flux=None, luminosity=None)
        origin += ["; sliders moved: ", dcc.Link("back to the preset", href=back.path + back.search)]
    flags = flag_sentence(found.flag)
    inside = html.Strong(flags) if flags else "inside it, in each colour by itself"
    rows = [("preset", html.Span(origin)), ("training range", inside)]
    if word := figures.bpt_word(found):
        rows.append(("predicted BPT class", word))
    return html.Div([html.H3("This continuum"), facts(rows)])


def _maps(run: ExploredRun, address: Address) -> list[Component]:
    if shown_rows(run).place is None:
        reason = run.attrs("emulator_embedding")["reason"] if run.path("emulator_embedding").is_file() else ""
        hidden = [dcc.Store(id=f"emulator-map-{side}") for side in _SIDES]
        return [notice(f"There is no map of the emulator's inputs{f': {reason}' if reason else ''}."), *hidden]
    menus = [
        html.Label(
            [
                html.Span(f"{side} map coloured by"),
                dcc.Dropdown(
                    choice.map_choices(run),
                    choice.map_choice(run, address, side),
                    id=f"emulator-{side}",
                    clearable=False,
                ),
            ]
        )
        for side in _SIDES
    ]
    caption = (
        "Rows of the emulator's table; neighbours have similar colours. A click makes a row the preset: its continuum and "
        "lines open above. Draw around points to download them."
    )
    panels = [
        figure_panel(
            f"emulator-map-{side}",
            _waiting(),
            f"Inputs of the emulator (UMAP), {side}",
            caption,
            buttons(f"emulator-selection-{side}"),
        )
        for side in _SIDES
    ]
    return [html.Div(menus, className="choices"), html.Div(panels, className="panels"), dcc.Store(id="emulator-drawn")]


def _rows_of(points: dict | None) -> list[int]:
    """Rows of the table of clicked or selected points; what the browser sends is not trusted."""
    found = [point.get("customdata") for point in (points or {}).get("points", [])]
    return sorted({k for k in found if isinstance(k, int)})


def _selected_table(run: ExploredRun, rows: list[int]) -> Table:
    """The table of shown rows: continuum, measured and predicted equivalent widths, place on the map."""
    shown = shown_rows(run)
    own = np.flatnonzero(np.isin(shown.row, rows))
    fields = KINDS[KIND].fields
    made = Table({"row": shown.row[own], "umap": shown.place[own]})
    made["flux_bins"] = measured(shown.flux_bins[own], fields["flux_bins"].unit)
    for k, line in enumerate(lines_of(run)):
        for name, values in (("ew", shown.ew), ("ew_err", shown.ew_error), ("ew_predicted", predicted_rows(run))):
            made[f"{line}_{name}"] = measured(values[own, k], fields["ew"].unit)
    return made


def _code(run: ExploredRun, asked: EmulatorInput) -> Component:
    folder, row = str(run.folder), asked.preset.row
    names = ["flux_bins", *(["log_luminosity"] if asked.log_luminosity is not None else [])]
    lines = [
        "import numpy as np",
        "",
        "from mangrove import artefacts",
        "from mangrove.models.emulator.emulator import load",
        "",
    ]
    lines += [f"folder = {folder!r}", 'model = load(f"{folder}/emulator/model")']
    given = ["flux_bins"]
    if asked.is_preset:
        lines += [f'table = artefacts.read(f"{{folder}}/emulator/table.h5", "emulator_table", {names!r})']
        given = [f'table["{name}"][{row}]' for name in names]
    else:
        lines += [f"flux_bins = np.array({[round(float(value), 6) for value in asked.flux_bins]})"]
        given += [f"{asked.log_luminosity}"] if asked.log_luminosity is not None else []
    lines += [f"prediction = model({', '.join(given)})", "listed = dict(zip(model.lines, np.asarray(prediction.ew)))"]
    lines += [f"low, high = (np.sinh(bound) for bound in prediction.mixture.interval({INTERVAL}))", "print(listed)"]
    where = shlex.quote(f"{folder}/emulator/model"), shlex.quote(f"{folder}/emulator/table.h5")
    command = f"mangrove predict-lines {where[0]} {where[1]} lines.fits  # row {row}, from 0, of lines.fits"
    return same_numbers("\n".join(lines), command if asked.is_preset else "")


def _width(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else _UNKNOWN


EMULATOR = View(NAME, "Emulator", why_none, _page, _register)
