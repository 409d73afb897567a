"""The parts that the page of anomalies is made of."""

import numpy as np
from astropy.table import Table
from dash import Patch, dcc, html, no_update
from dash.development.base_component import Component

from mangrove.explorer import anomaly_cloud
from mangrove.explorer.address import Address
from mangrove.explorer.alike_galaxies import SPACE_TITLES, Alike, galaxies_alike
from mangrove.explorer.anomaly_choice import AnomalyChoice
from mangrove.explorer.anomaly_rows import ACTIVE, CAUSES, RowChoice, row_page
from mangrove.explorer.anomaly_table import anomaly_table, galaxy_cells, number
from mangrove.explorer.downloads import buttons
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.panels import facts, figure_panel, notice
from mangrove.explorer.score_histogram import histogram_figure
from mangrove.explorer.scored_galaxies import ScoredGalaxies, networks
from mangrove.report.autoencoder_sample import AGN_CLASSES, NETWORK_TITLE


def map_choices(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice, address: Address) -> Component:
    """The choices above the maps: network, score, colour, space of the neighbours, selected galaxy."""
    values = control_values(choice, address)
    options = {
        "network": [{"value": name, "label": NETWORK_TITLE[name]} for name in networks(run)],
        "score": score_options(scored),
        "colour": [{"value": k, "label": anomaly_cloud.COLOURS[k]} for k in anomaly_cloud.colour_choices(scored)],
        "space": [{"value": name, "label": title} for name, title in SPACE_TITLES.items()],
    }
    titles = {"network": "network", "score": "score", "colour": "coloured by", "space": "neighbours by"}
    chosen = [_dropdown(name, titles[name], options[name], values[name]) for name in titles]
    search = _text("galaxy", "selected galaxy", values["galaxy"], "plateifu")
    return html.Div([*chosen, search], className="choices")


def map_panels(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list[Component]:
    """The maps of the latents and the distribution of the score."""
    flat, solid, histogram = map_figures(run, scored, choice)
    panels: list[Component] = []
    cloud = anomaly_cloud.cloud_of(run, choice.network)
    if cloud is None:
        panels.append(notice("The run has no map of these latents; the table below lists its galaxies."))
        # What callbacks write to has to be on the page, or they write nothing.
        panels += [dcc.Store(id=name) for name in ("anomalies-cloud", "anomalies-cloud-3d")]
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


def map_figures(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list:
    """Figures of the map in two and in three dimensions, which stay as they are in a run without one, and of the scores."""
    cloud, marks = anomaly_cloud.cloud_of(run, choice.network), _marks(run, choice)
    words = None if cloud is None else anomaly_cloud.pointer_words(scored, choice.score)
    flat, solid = (
        no_update
        if cloud is None
        else anomaly_cloud.cloud_figure(cloud, scored, choice.colour, choice.score, marks, n_axis, words)
        for n_axis in (2, 3)
    )
    return [flat, solid, histogram_figure(scored, choice.score, choice.selected)]


def moved_marks(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list:
    """Changes of the figures of :func:`map_figures` where another galaxy is selected: the rings, and the histogram.

    The maps of many galaxies hold megabytes, the rings next to nothing.
    """
    cloud = anomaly_cloud.cloud_of(run, choice.network)
    histogram = histogram_figure(scored, choice.score, choice.selected)
    if cloud is None:
        return [no_update, no_update, histogram]
    marks, patches = _marks(run, choice), []
    for n_axis in (2, 3):
        patch = Patch()
        for k, trace in enumerate(anomaly_cloud.mark_traces(cloud, scored, choice.score, marks, n_axis)):
            patch["data"][k] = trace
        patches.append(patch)
    return [*patches, histogram]


def _marks(run: ExploredRun, choice: AnomalyChoice) -> anomaly_cloud.Marks:
    alike = galaxies_alike(run, choice.network, choice.space, choice.selected)
    return anomaly_cloud.Marks(choice.selected, alike.galaxy)


def galaxy_part(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice) -> list[Component]:
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


def row_filters(scored: ScoredGalaxies, address: Address) -> Component:
    """The choices above the table: words, causes, active nuclei."""
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


def table_part(scored: ScoredGalaxies, choice: AnomalyChoice, address: Address) -> list[Component]:
    """The table at the page and in the order of an address."""
    rows = RowChoice.of(address)
    return anomaly_table(scored, row_page(scored, rows, choice.score), rows, choice.score, address)


def control_values(choice: AnomalyChoice, address: Address) -> dict[str, str]:
    """What the controls show for an address."""
    rows = RowChoice.of(address)
    chosen = {"network": choice.network, "score": choice.score, "colour": choice.colour, "space": choice.space}
    return chosen | {
        "galaxy": address.query.get("galaxy", ""),
        "find": rows.find,
        "cause": rows.cause or "any",
        "agn": rows.agn or "any",
    }


def score_options(scored: ScoredGalaxies) -> list[dict[str, str]]:
    """The scores as options of a menu."""
    words = [name.replace("_", " ") for name in scored.scores]
    words[0] += " (recommended)"
    return [{"value": name, "label": text} for name, text in zip(scored.scores, words, strict=True)]


def placed_table(run: ExploredRun, scored: ScoredGalaxies, choice: AnomalyChoice, rows: np.ndarray) -> Table:
    """The table of some galaxies with their places on the map."""
    made = scored.table(rows)
    cloud = anomaly_cloud.cloud_of(run, choice.network)
    if cloud is not None:
        kind = "umap" if cloud.places.name == "UMAP" else "component"
        for n_axis, places in ((2, cloud.places.in_2d), (3, cloud.places.in_3d)):
            for k in range(n_axis):
                made[f"{kind}_{n_axis}d_{k + 1}"] = places[rows, k]
    made.meta["NETWORK"] = choice.network
    return made


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


def _dropdown(name: str, title: str, options: list[dict[str, str]], value: str) -> html.Label:
    menu = dcc.Dropdown(options=options, value=value, id=f"anomalies-{name}", clearable=False, searchable=False)
    return html.Label([html.Span(title), menu])


def _text(name: str, title: str, value: str, example: str) -> html.Label:
    field = dcc.Input(id=f"anomalies-{name}", value=value, placeholder=example, debounce=0.4, type="text", maxLength=60)
    return html.Label([html.Span(title), field])
