"""The parts that the page of the emulator is made of."""

import numpy as np
import plotly.graph_objects as go
from astropy.table import Table
from dash import dcc, html
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
from mangrove.explorer.downloads import buttons, measured
from mangrove.explorer.emulator_choice import EmulatorInput
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.line_emulator import PredictedLines, flag_sentence, predicted_rows, uses_luminosity
from mangrove.explorer.panels import facts, figure_panel, notice

#: The two maps of the inputs.
SIDES = ("left", "right")
#: Type of the ids of the sliders; their index is that of the bin.
BIN_TYPE = "emulator-bin"
_UNKNOWN = "\N{EN DASH}"


def preset_choices(run: ExploredRun, asked: EmulatorInput) -> Component:
    """The choices of a preset: some from weak to strong lines, and any row by its number."""
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


def continuum_panel(run: ExploredRun, asked: EmulatorInput) -> Component:
    """The continuum above the sliders that make it."""
    figure = figures.continuum_figure(bin_edges(run), asked.flux_bins, asked.preset)
    caption = "Only ratios of neighbouring bins count: the network sees colours."
    return figure_panel("emulator-continuum", figure, "Continuum", caption, _sliders(run, asked))


def _sliders(run: ExploredRun, asked: EmulatorInput) -> Component:
    """One slider per bin, in the order of the bins; where it is used, one of the luminosity below."""
    low, high = slider_range(run)
    edges, values = bin_edges(run), choice.slider_values(run, asked)
    columns = [
        html.Div(
            [
                dcc.Slider(low, high, 0.01, value=values[k], vertical=True, verticalHeight=110, **_slider(k)),
                html.Span(f"{edges[k]:.0f}", title=f"{edges[k]:.0f} to {edges[k + 1]:.0f} Å"),
            ],
            className="band",
        )
        for k in range(len(edges) - 1)
    ]
    bands = html.Div(columns, className="bands", role="group", **{"aria-label": "flux of the bins over the mean"})
    parts: list[Component] = [
        bands,
        html.Figcaption("Flux of each bin over the mean of the preset, by the bin's blue edge in Å."),
    ]
    if uses_luminosity(run):
        least, most = luminosity_range(run)
        unit = KINDS[KIND].fields["log_luminosity"].meaning
        slider = dcc.Slider(least, most, 0.01, value=values[-1], **_slider(len(edges) - 1))
        parts += [html.Div([html.Span(f"{unit} (erg/s/Å)"), slider])]
    return html.Div(parts)


def lines_panel() -> Component:
    """The predicted lines, before there are any."""
    caption = (
        f"Squares: median and {figures.interval_words()} interval of the intrinsic equivalent width of galaxies with this "
        "continuum. Diamonds: median that a survey would list; compare these with the measured ones. The weaker lines of "
        "[O III] and [N II] are tied to the stronger ones: each pair is one measurement."
    )
    return figure_panel("emulator-lines", _waiting(), "Emission lines", caption)


def number_table(found: PredictedLines, asked: EmulatorInput) -> html.Table:
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


def bpt_panel(run: ExploredRun) -> Component:
    """The BPT diagram, before there are predictions; a sentence where the emulator lacks lines."""
    if not figures.has_bpt(lines_of(run)):
        return notice("No BPT diagram: the emulator lacks one of its four lines.")
    caption = (
        "Ratios of equivalent widths, which are nearly those of fluxes. Small dots: draws from the predicted distribution, "
        "lines correlated as in galaxies; grey: measured rows with all four lines above 2 sigma."
    )
    return figure_panel("emulator-bpt", _waiting(), "BPT diagram", caption)


def verdict(found: PredictedLines, asked: EmulatorInput, address: Address) -> Component:
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


def map_parts(run: ExploredRun, address: Address) -> list[Component]:
    """The two maps of the inputs below the choices of their colours; a sentence in a run without a map."""
    if shown_rows(run).place is None:
        reason = run.attrs("emulator_embedding")["reason"] if run.path("emulator_embedding").is_file() else ""
        # What callbacks listen to has to be on the page, or they listen to nothing.
        names = [f"emulator-map-{side}" for side in SIDES] + [f"emulator-{side}" for side in SIDES] + ["emulator-drawn"]
        hidden = [dcc.Store(id=name) for name in names]
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
        for side in SIDES
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
        for side in SIDES
    ]
    return [html.Div(menus, className="choices"), html.Div(panels, className="panels"), dcc.Store(id="emulator-drawn")]


def _slider(index: int) -> dict:
    tip = {"placement": "top", "always_visible": False}
    return {"id": {"type": BIN_TYPE, "index": index}, "marks": None, "tooltip": tip, "allow_direct_input": False}


def _waiting() -> go.Figure:
    figure = go.Figure(layout={"height": 360})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.add_annotation(text="the network is being loaded", showarrow=False)


def _width(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else _UNKNOWN


def selected_table(run: ExploredRun, rows: list[int]) -> Table:
    """The table of shown rows: continuum, measured and predicted equivalent widths, place on the map."""
    shown = shown_rows(run)
    own = np.flatnonzero(np.isin(shown.row, rows))
    fields = KINDS[KIND].fields
    made = Table({"row": shown.row[own], "umap_1": shown.place[own, 0], "umap_2": shown.place[own, 1]})
    # As 'mangrove predict-lines' reads them.
    for k in range(shown.flux_bins.shape[1]):
        made[f"flux_{k + 1}"] = measured(shown.flux_bins[own, k], fields["flux_bins"].unit)
    if shown.log_luminosity is not None:
        made["log_luminosity"] = measured(shown.log_luminosity[own], fields["log_luminosity"].unit)
    for k, line in enumerate(lines_of(run)):
        for name, values in (("ew", shown.ew), ("ew_err", shown.ew_error), ("ew_predicted", predicted_rows(run))):
            made[f"{line}_{name}"] = measured(values[own, k], fields["ew"].unit)
    return made
