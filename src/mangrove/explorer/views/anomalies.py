"""Anomalies: the galaxies on the map of an autoencoder's latents, and a table of how anomalous each is and why."""

import numpy as np
from astropy.table import Table
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.explorer import anomaly_cloud
from mangrove.explorer.address import Address, link
from mangrove.explorer.alike_galaxies import SPACE_TITLES, Alike, galaxies_alike
from mangrove.explorer.anomaly_choice import AnomalyChoice, choice_of, code_of
from mangrove.explorer.anomaly_rows import ACTIVE, CAUSES, RowChoice, chosen_rows, row_page
from mangrove.explorer.anomaly_table import anomaly_table, galaxy_cells, number
from mangrove.explorer.downloads import buttons, register_download
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.panels import facts, figure_panel, notice, same_numbers
from mangrove.explorer.score_histogram import histogram_figure
from mangrove.explorer.scored_galaxies import ScoredGalaxies, networks
from mangrove.explorer.view import View
from mangrove.report.autoencoder_sample import AGN_CLASSES, NETWORK_TITLE

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
            _controls(run, scored, choice, address),
            html.Div(
                [
                    *_map_panels(run, scored, choice),
                    html.Section(_galaxy_part(run, scored, choice), id="anomalies-alike", className="panel"),
                ],
                className="panels",
            ),
            html.H3("Galaxies"),
            _filters(scored, address),
            html.Div(_table_part(scored, choice, address), id="anomalies-table"),
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
            _galaxy_part(run, scored, choice),
            _table_part(scored, choice, address),
            same_numbers(*code_of(run, choice, scored)),
            _score_options(scored),
        )
        values = _control_values(choice, address)
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
        return [no_update] * 4 if key == drawn else [*_figures(run, scored, choice), key]

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
        if address.view != NAME or name not in _CONTROLS:
            return no_update
        value = dict(zip(_CONTROLS, chosen, strict=True))[name] or ""
        if value == _control_values(choice_of(run, address)[1], address)[name]:
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
    def open_galaxy(flat: dict, solid: dict, search: str):
        rows = _galaxies_of(solid if ctx.triggered_id == "anomalies-cloud-3d" else flat)
        scored, _ = choice_of(run, Address.parsed(f"/{NAME}", search))
        if not rows.size or rows[0] >= scored.plateifu.size:
            return no_update
        return link("galaxy", str(scored.plateifu[rows[0]]))

    def selection(selected: dict, search: str) -> Table:
        scored, choice = choice_of(run, Address.parsed(f"/{NAME}", search))
        return _placed_table(run, scored, choice, _galaxies_of(selected))

    def found(search: str) -> Table:
        address = Address.parsed(f"/{NAME}", search)
        scored, choice = choice_of(run, address)
        return _placed_table(run, scored, choice, chosen_rows(scored, RowChoice.of(address), choice.score))

    register_download(
        app, "anomalies-selection", selection, State("anomalies-cloud", "selectedData"), State("url", "search")
    )
    register_download(app, "anomalies-table-rows", found, State("url", "search"))


def _galaxies_of(points: dict | None) -> np.ndarray:
    """Indices of the galaxies of clicked or selected points, each once; what the browser sends is not trusted."""
    found = [point.get("customdata") for point in (points or {}).get("points", [])]
    return np.unique([k for k in found if isinstance(k, int) and k >= 0]).astype(int)


def _placed_table(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice, rows: np.ndarray) -> Table:
    """The table of some galaxies with their places on the map."""
    rows = rows[rows < scored.plateifu.size]
    made = scored.table(rows)
    cloud = anomaly_cloud.cloud_of(run, choice.network)
    if cloud is not None:
        kind = "umap" if cloud.places.name == "UMAP" else "component"
        made[f"{kind}_2d"], made[f"{kind}_3d"] = cloud.places.in_2d[rows], cloud.places.in_3d[rows]
    made.meta["NETWORK"] = choice.network
    return made


def _drawn_key(choice: AnomalyChoice) -> list:
    return [choice.network, choice.score, choice.colour, choice.space, choice.selected]


def _figures(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list:
    cloud = anomaly_cloud.cloud_of(run, choice.network)
    alike = galaxies_alike(run, choice.network, choice.space, choice.selected)
    marks = anomaly_cloud.Marks(choice.selected, alike.galaxy)
    flat, solid = (
        no_update
        if cloud is None
        else anomaly_cloud.cloud_figure(cloud, scored, choice.colour, choice.score, marks, n_axis)
        for n_axis in (2, 3)
    )
    return [flat, solid, histogram_figure(scored, choice.score, choice.selected)]


def _map_panels(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list[Component]:
    flat, solid, histogram = _figures(run, scored, choice)
    panels: list[Component] = []
    cloud = anomaly_cloud.cloud_of(run, choice.network)
    if cloud is None:
        panels.append(notice("The run has no map of these latents; the table below lists its galaxies."))
    else:
        about = (
            "A point is a galaxy; galaxies near each other have similar line cubes. A click opens the galaxy. The large ring "
            "marks the selected galaxy, small ones its neighbours. Distances and directions between groups mean nothing."
        )
        note = f" {cloud.note}" if cloud.note else ""
        panels += [
            figure_panel(
                "anomalies-cloud",
                flat,
                f"Latents in two dimensions ({cloud.places.name})",
                f"{about} Draw around points to download them.{note}",
                buttons("anomalies-selection"),
            ),
            figure_panel(
                "anomalies-cloud-3d",
                solid,
                f"In three dimensions ({cloud.places.name})",
                f"Drag to turn, scroll to come nearer; a click opens the galaxy.{note}",
            ),
        ]
    caption = "Galaxies by score; the anomalous ones are on the right. Dashed: the selected galaxy."
    return [*panels, figure_panel("anomalies-scores", histogram, "Distribution of the score", caption)]


def _galaxy_part(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list[Component]:
    """What is known of the selected galaxy, and its nearest neighbours."""
    if choice.selected is None:
        return [notice("Select a galaxy to see its nearest neighbours: 'show' in the table, or its plateifu above.")]
    cells = galaxy_cells(scored, choice.selected, choice.score)
    about = [
        ("score", html.Span([cells["score"], f" (percentile {cells['percentile']})"])),
        ("reason", cells["reason"]),
    ]
    about += [("causes other than the galaxy", cells["causes"] or "none found"), ("AGN", cells["agn"] or "none known")]
    alike = galaxies_alike(run, choice.network, choice.space, choice.selected)
    parts = [html.H3([cells["galaxy"], " and its nearest neighbours"]), facts(about)]
    if not alike.galaxy.size:
        return [*parts, notice(f"It has no neighbours by {SPACE_TITLES[choice.space]}.")]
    return [*parts, html.Div(_neighbour_table(scored, choice, alike), style={"overflowX": "auto"})]


def _neighbour_table(scored: ScoredGalaxies, choice: AnomalyChoice, alike: Alike) -> html.Table:
    heads = ("rank", "galaxy", "distance", "score", "percentile", "AGN", "z", "")
    own = scored.mangaid[choice.selected]
    rows = []
    for rank, (galaxy, distance) in enumerate(
        zip(alike.galaxy.tolist(), alike.distance.tolist(), strict=True), start=1
    ):
        cells = galaxy_cells(scored, galaxy, choice.score)
        shown = [str(rank), cells["galaxy"], number(distance), cells["score"], cells["percentile"], cells["agn"]]
        repeat = "the same galaxy, observed again" if scored.mangaid[galaxy] == own else ""
        rows.append(html.Tr([html.Td(cell) for cell in (*shown, cells["z"], repeat)]))
    caption = html.Caption(f"By {SPACE_TITLES[choice.space]}; distances are Euclidean.")
    return html.Table([caption, html.Thead(html.Tr([html.Th(head) for head in heads])), html.Tbody(rows)])


def _table_part(scored: ScoredGalaxies, choice: AnomalyChoice, address: Address) -> list[Component]:
    rows = RowChoice.of(address)
    return anomaly_table(scored, row_page(scored, rows, choice.score), rows, choice.score, address)


def _control_values(choice: AnomalyChoice, address: Address) -> dict[str, str]:
    """What the controls show for an address."""
    rows = RowChoice.of(address)
    chosen = {"network": choice.network, "score": choice.score, "colour": choice.colour, "space": choice.space}
    return chosen | {
        "galaxy": address.query.get("galaxy", ""),
        "find": rows.find,
        "cause": rows.cause or "any",
        "agn": rows.agn or "any",
    }


def _score_options(scored: ScoredGalaxies) -> list[dict[str, str]]:
    words = [name.replace("_", " ") for name in scored.scores]
    words[0] += " (recommended)"
    return [{"value": name, "label": text} for name, text in zip(scored.scores, words, strict=True)]


def _controls(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice, address: Address) -> Component:
    values = _control_values(choice, address)
    options = {
        "network": [{"value": name, "label": NETWORK_TITLE[name]} for name in networks(run)],
        "score": _score_options(scored),
        "colour": [{"value": k, "label": anomaly_cloud.COLOURS[k]} for k in anomaly_cloud.colour_choices(scored)],
        "space": [{"value": name, "label": title} for name, title in SPACE_TITLES.items()],
    }
    titles = {"network": "network", "score": "score", "colour": "coloured by", "space": "neighbours by"}
    chosen = [_dropdown(name, titles[name], options[name], values[name]) for name in titles]
    search = _text("galaxy", "selected galaxy", values["galaxy"], "plateifu")
    return html.Div([*chosen, search], className="choices")


def _filters(scored: ScoredGalaxies, address: Address) -> Component:
    rows = RowChoice.of(address)
    causes = [{"value": "any", "label": "any or none"}, {"value": "none", "label": "none found"}]
    causes += [{"value": name, "label": name.replace("_", " ")} for name in CAUSES[1:]]
    active = [{"value": "any", "label": "any galaxy"}, {"value": "agn", "label": "any known AGN"}]
    active += [{"value": flag, "label": AGN_CLASSES[flag].word} for flag in ACTIVE[1:]]
    known = active if scored.agn is not None else active[:1]
    return html.Div(
        [
            _text("find", "search names and reasons", rows.find, "OIII, outskirts, 8485"),
            _dropdown("cause", "causes other than the galaxy", causes, rows.cause or "any"),
            _dropdown("agn", "active nucleus", known, rows.agn or "any"),
        ],
        className="choices",
    )


def _dropdown(name: str, title: str, options: list[dict[str, str]], value: str) -> html.Label:
    menu = dcc.Dropdown(options=options, value=value, id=f"anomalies-{name}", clearable=False, searchable=False)
    return html.Label([html.Span(title), menu])


def _text(name: str, title: str, value: str, example: str) -> html.Label:
    field = dcc.Input(id=f"anomalies-{name}", value=value, placeholder=example, debounce=0.4, type="text", maxLength=60)
    return html.Label([html.Span(title), field])


ANOMALIES = View(NAME, "Anomalies", _missing, _page, _register)
