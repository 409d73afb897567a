"""Anomalies: the galaxies on the map of an autoencoder's latents, and a table of how anomalous each is and why."""

from typing import Any

import numpy as np
from astropy.table import Table
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.anomaly_choice import AnomalyChoice, choice_of, code_of
from mangrove.explorer.anomaly_parts import (
    control_values,
    galaxy_part,
    map_choices,
    map_figures,
    map_panels,
    moved_marks,
    placed_table,
    row_filters,
    score_options,
    table_part,
)
from mangrove.explorer.anomaly_rows import RowChoice, chosen_rows
from mangrove.explorer.downloads import buttons, register_download
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.figure_events import rows_of
from mangrove.explorer.panels import same_numbers
from mangrove.explorer.scored_galaxies import networks
from mangrove.explorer.view import View
from mangrove.report.autoencoder_sample import NETWORK_TITLE

NAME = "anomalies"
#: What is chosen beside the figures, by the key of the address.
_CONTROLS = ("network", "score", "colour", "space", "galaxy", "find", "cause", "agn")
#: Those that change which rows there are: the table starts again from its first page.
_FILTERS = ("network", "score", "find", "cause", "agn")


def _missing(run: ExploredRun) -> str:
    if networks(run):
        return ""
    reasons = [
        run.attrs("anomalies", network=network)["reason"]
        for network in NETWORK_TITLE
        if run.path("anomalies", network=network).is_file()
    ]
    if any(reasons):
        return f"The run has no anomaly scores: {next(filter(None, reasons))}."
    return (
        "The run has no anomaly scores: its autoencoders of emission-line cubes were not trained. Set autoencoder.enabled: "
        "true in its configuration and finish the run with snakemake."
    )


def _page(run: ExploredRun, address: Address) -> Component:
    scored, choice = choice_of(run, address)
    return html.Section(
        [
            html.H2("Anomalies"),
            html.P(
                "Autoencoders learn what the emission-line cubes of galaxies look like; a galaxy is anomalous where the "
                "network reconstructs its cube badly. Look at the causes other than the galaxy first."
            ),
            map_choices(run, scored, choice, address),
            html.Div(
                [
                    *map_panels(run, scored, choice),
                    html.Section(galaxy_part(run, scored, choice), id="anomalies-alike", className="panel"),
                ],
                className="panels",
            ),
            html.H3("Galaxies"),
            row_filters(scored, address),
            html.Div(table_part(scored, choice, address), id="anomalies-table"),
            buttons("anomalies-table-rows", "all these galaxies"),
            html.Div(same_numbers(*code_of(run, choice, scored)), id="anomalies-code"),
            dcc.Store(id="anomalies-drawn", data=_drawn_key(choice)),
        ]
    )


def _register(app: Dash, run: ExploredRun) -> None:
    @app.callback(
        Output("anomalies-alike", "children"),
        Output("anomalies-table", "children"),
        Output("anomalies-code", "children"),
        Output("anomalies-score", "options"),
        *(Output(f"anomalies-{name}", "value") for name in _CONTROLS),
        Input("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def show(search: str, path: str):
        address = Address.parsed(path, search)
        if address.view != NAME or not networks(run):
            return [no_update] * (4 + len(_CONTROLS))
        scored, choice = choice_of(run, address)
        parts = (
            galaxy_part(run, scored, choice),
            table_part(scored, choice, address),
            same_numbers(*code_of(run, choice, scored)),
            score_options(scored),
        )
        values = control_values(choice, address)
        return [*parts, *(values[name] for name in _CONTROLS)]

    @app.callback(
        Output("anomalies-cloud", "figure"),
        Output("anomalies-cloud-3d", "figure"),
        Output("anomalies-scores", "figure"),
        Output("anomalies-drawn", "data"),
        Input("url", "search"),
        State("url", "pathname"),
        State("anomalies-drawn", "data"),
        prevent_initial_call=True,
    )
    def draw(search: str, path: str, drawn: list):
        address = Address.parsed(path, search)
        if address.view != NAME or not networks(run):
            return [no_update] * 4
        scored, choice = choice_of(run, address)
        key = _drawn_key(choice)
        # An order of the table, say, leaves the figures as they are.
        if key == drawn:
            return [no_update] * 4
        only_marks = bool(drawn) and key[0] == drawn[0]
        return [*(moved_marks if only_marks else map_figures)(run, scored, choice), key]

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        *(Input(f"anomalies-{name}", "value") for name in _CONTROLS),
        State("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def choose(*values):
        *chosen, search, path = values
        address = Address.parsed(path, search)
        name = str(ctx.triggered_id).removeprefix("anomalies-")
        if address.view != NAME or name not in _CONTROLS or not networks(run):
            return no_update
        value = dict(zip(_CONTROLS, chosen, strict=True))[name] or ""
        if value == control_values(choice_of(run, address)[1], address)[name]:
            return no_update
        restart = {"page": None} if name in _FILTERS else {}
        return address.changed(**{name: value}, **restart).search

    @app.callback(
        Output("url", "href", allow_duplicate=True),
        Input("anomalies-cloud", "clickData"),
        Input("anomalies-cloud-3d", "clickData"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def open_galaxy(flat: Any, solid: Any, search: str):
        if not networks(run):
            return no_update
        scored, _ = choice_of(run, Address.parsed(f"/{NAME}", search))
        clicked = rows_of(solid if ctx.triggered_id == "anomalies-cloud-3d" else flat, scored.plateifu.size)
        return link("galaxy", str(scored.plateifu[clicked[0]])) if clicked else no_update

    def selection(selected: Any, search: str) -> Table | None:
        if not networks(run):
            return None
        scored, choice = choice_of(run, Address.parsed(f"/{NAME}", search))
        return placed_table(run, scored, choice, np.array(rows_of(selected, scored.plateifu.size), int))

    def found(search: str) -> Table | None:
        if not networks(run):
            return None
        address = Address.parsed(f"/{NAME}", search)
        scored, choice = choice_of(run, address)
        return placed_table(run, scored, choice, chosen_rows(scored, RowChoice.of(address), choice.score))

    register_download(
        app, "anomalies-selection", selection, State("anomalies-cloud", "selectedData"), State("url", "search")
    )
    register_download(app, "anomalies-table-rows", found, State("url", "search"))


def _drawn_key(choice: AnomalyChoice) -> list[list]:
    """What the points of the figures depend on, and what their marks do."""
    return [[choice.network, choice.score, choice.colour], [choice.space, choice.selected]]


ANOMALIES = View(NAME, "Anomalies", _missing, _page, _register)
