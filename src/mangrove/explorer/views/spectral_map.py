"""View 1: the map of spectra, and what lies on its nodes."""

from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from mangrove.explorer.address import Address, link
from mangrove.explorer.downloads import buttons, register_download
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.node_figure import CHOSEN, PINNED, clicked_node, nodes_figure, selected_nodes
from mangrove.explorer.node_index import grid_of, nodes_of
from mangrove.explorer.node_tables import baxel_table, galaxy_table
from mangrove.explorer.panels import facts, figure_panel, notice, same_numbers
from mangrove.explorer.run_summary import MOST_SHOWN
from mangrove.explorer.spectral_figures import pdf_figure, spectra_figure
from mangrove.explorer.spectral_map import (
    OCCUPATION,
    LabelPdf,
    baxel_counts,
    choices,
    fullest_node,
    galaxies_on,
    label_pdfs,
    node_colours,
    spectra_of,
)
from mangrove.explorer.text_table import AxisLabel, Linked, text_table
from mangrove.explorer.view import View
from mangrove.explorer.views.map_parts import APART, arrived, lacking, menu, moved
from mangrove.report.label_style import STYLE
from mangrove.report.node_values import COLOURED_BY, flux_axis
from mangrove.report.wording import counted, plain

_VIEW = "spectral-map"
_MAP, _MENU, _PIN = "spectral-map-nodes", "spectral-map-label", "spectral-map-pin"
_SPECTRA, _COUNTS, _BELOW = "spectral-map-spectra", "spectral-map-counts", "spectral-map-below"
_BAXELS, _GALAXIES = "spectral-map-baxels", "spectral-map-galaxies"
_SEARCH = Output("url", "search", allow_duplicate=True)
_WHERE = (State("url", "pathname"), State("url", "search"))


class _Chosen:
    """What an address says of this view: the colour, the node, and the node beside it, None without."""

    def __init__(self, run: ExploredRun, address: Address):
        known, n_node = choices(run), grid_of(run, "desom_map").row.size
        self.label = address.one_of("label", known, COLOURED_BY if COLOURED_BY in known else OCCUPATION)
        self.node = address.whole("node", fullest_node(run), n_node)
        pinned = address.whole("with", -1, n_node)
        self.pinned = pinned if pinned >= 0 else None

    @property
    def nodes(self) -> list[int]:
        """The nodes that are shown, that which was chosen last first."""
        return [self.node] if self.pinned in (None, self.node) else [self.node, self.pinned]


def _missing(run: ExploredRun) -> str:
    reason = lacking(run, ("desom_map", "desom_assignments"))
    if not reason:
        return ""
    return (
        f"This run has no map of spectra: {reason}. With desom.enabled: true in its configuration, snakemake makes one."
    )


def _page(run: ExploredRun, address: Address) -> Component:
    chosen, places = _Chosen(run, address), grid_of(run, "desom_map")
    return html.Div(
        [
            html.Div(
                [menu(_MENU, choices(run), chosen.label), html.Button(_pin_words(chosen), id=_PIN, n_clicks=0)],
                className="wide",
                style={"display": "flex", "gap": "1rem", "flexWrap": "wrap", "alignItems": "center"},
            ),
            figure_panel(
                _MAP,
                _map_figure(run, chosen),
                "Map of spectra",
                "Nodes are (column, row) from 1. Click one to see what lies there, or walk with the arrow keys. Hatched: too "
                "few baxels of its own with the label, those of neighbours added; grey: nothing known. Frame: the node "
                "shown, and in blue the one beside it. The buttons below download what is in a lasso "
                "or box, which a click or another colour ends, or else the node shown.",
                buttons(_BAXELS, "baxels of the selected nodes"),
                buttons(_GALAXIES, "their galaxies"),
                nodes=(places.rows, places.columns),
            ),
            figure_panel(
                _SPECTRA,
                _spectra_figure(run, chosen),
                "Spectra of the node",
                "Above: the prototype, decoded from the latent space. Below: the mean of the training spectra of the node and "
                "their standard deviation. The strongest lines may leave the axes.",
                html.Div(_counts(run, chosen), id=_COUNTS, style=APART),
            ),
            html.Div(_below(run, chosen), id=_BELOW, className="wide"),
        ],
        className="panels",
    )


def _register(app: Dash, run: ExploredRun) -> None:
    @app.callback(
        Output(_MAP, "figure"),
        Output(_MENU, "value"),
        Output(_PIN, "children"),
        Output(_SPECTRA, "figure"),
        Output(_COUNTS, "children"),
        Output(_BELOW, "children"),
        Input("url", "search"),
        State("url", "pathname"),
        prevent_initial_call=True,
    )
    def show(search: str, path: str):
        chosen = _Chosen(run, arrived(_VIEW, path, search))
        of_map = _map_figure(run, chosen), chosen.label, _pin_words(chosen)
        return *of_map, _spectra_figure(run, chosen), _counts(run, chosen), _below(run, chosen)

    @app.callback(_SEARCH, Input(_MAP, "clickData"), *_WHERE, prevent_initial_call=True)
    def click(clicked: Any, path: str, search: str):
        node = clicked_node(grid_of(run, "desom_map"), clicked)
        return no_update if node is None else moved(arrived(_VIEW, path, search), node=node)

    @app.callback(_SEARCH, Input(_MENU, "value"), *_WHERE, prevent_initial_call=True)
    def colour(label: str, path: str, search: str):
        address = arrived(_VIEW, path, search)
        return no_update if label == _Chosen(run, address).label else moved(address, label=label)

    @app.callback(_SEARCH, Input(_PIN, "n_clicks"), *_WHERE, prevent_initial_call=True)
    def pin(clicks: int, path: str, search: str):
        address = arrived(_VIEW, path, search)
        chosen = _Chosen(run, address)
        if not clicks:
            return no_update
        return moved(address, **{"with": chosen.node if chosen.pinned is None else None})

    def selected(selection: Any, path: str, search: str) -> list[int]:
        within = selected_nodes(grid_of(run, "desom_map"), selection)
        return within or [_Chosen(run, arrived(_VIEW, path, search)).node]

    lasso = State(_MAP, "selectedData")
    register_download(app, _BAXELS, lambda *where: baxel_table(run, selected(*where)), lasso, *_WHERE)
    register_download(app, _GALAXIES, lambda *where: galaxy_table(run, selected(*where)), lasso, *_WHERE)


SPECTRAL_MAP = View(_VIEW, "Spectral map", _missing, _page, _register)


def _pin_words(chosen: _Chosen) -> str:
    return "compare with another node" if chosen.pinned is None else "end the comparison"


def _map_figure(run: ExploredRun, chosen: _Chosen) -> go.Figure:
    frames = {} if chosen.pinned is None else {chosen.pinned: PINNED}
    return nodes_figure(grid_of(run, "desom_map"), node_colours(run, chosen.label), frames | {chosen.node: CHOSEN})


def _spectra_figure(run: ExploredRun, chosen: _Chosen) -> go.Figure:
    names = _names(run, chosen)
    spectra = dict(zip(names, (spectra_of(run, node) for node in chosen.nodes), strict=True))
    return spectra_figure(spectra, names, flux_axis(nodes_of(run, "desom_map")))


def _names(run: ExploredRun, chosen: _Chosen) -> dict[str, str]:
    """Colours of the nodes that are shown, by their names."""
    places = grid_of(run, "desom_map")
    return dict(zip((f"node {places.name(node)}" for node in chosen.nodes), (CHOSEN, PINNED), strict=False))


def _counts(run: ExploredRun, chosen: _Chosen) -> list[Component]:
    counts: list[Component] = [facts(_count_facts(run, node)) for node in chosen.nodes]
    if chosen.pinned == chosen.node:
        counts.append(notice("Choose the other node of the comparison on the map."))
    return counts


def _count_facts(run: ExploredRun, node: int) -> list[tuple[str, str]]:
    counts, n_galaxy = baxel_counts(run, node), int(nodes_of(run, "desom_map")["n_galaxy"][node])
    of_split = f"{counts.train:,} for training, {counts.validation:,} for validation, {counts.test:,} for test"
    spectra = counted(counts.train, "training spectrum", "training spectra")
    return [
        (
            f"baxels of {grid_of(run, 'desom_map').name(node)}",
            f"{counts.total:,}: {of_split}; {counts.cut:,} that the cuts keep out",
        ),
        ("template", f"{spectra} of {counted(n_galaxy, 'galaxy', 'galaxies')}"),
    ]


def _below(run: ExploredRun, chosen: _Chosen) -> list[Component]:
    return [
        _labels(run, chosen),
        *(_galaxies(run, node) for node in chosen.nodes),
        same_numbers(_python(run, chosen)),
    ]


def _labels(run: ExploredRun, chosen: _Chosen) -> Component:
    names = _names(run, chosen)
    pdfs = dict(zip(names, (label_pdfs(run, node) for node in chosen.nodes), strict=True))
    if not any(pdfs.values()):
        return notice(f"There are no labels on the nodes: {run.path('node_labels')} is missing or has no result.")
    least = nodes_of(run, "node_labels").attrs["min_baxels"]
    return figure_panel(
        "spectral-map-pdfs",
        pdf_figure(pdfs, names),
        f"Labels on {' and '.join(pdfs)}",
        "Densities over the training galaxies' baxels; above them the median and the range from 16 to 84 %. Where a node "
        f"has fewer than {least} baxels with the label, those of its neighbours are added.",
        *(_label_table(name, of) for name, of in pdfs.items()),
        wide=True,
    )


def _label_table(name: str, pdfs: list[LabelPdf]) -> Component:
    heads = [f"labels of {name}", "quantity", "median", "16 %", "84 %", "own baxels", "with neighbours'", "galaxies"]
    return text_table(heads, [_label_row(pdf) for pdf in pdfs], 2)


def _label_row(pdf: LabelPdf) -> list[str | AxisLabel]:
    pooled = f"{pdf.n_pooled:,}" if pdf.pool_radius else "\N{EN DASH}"
    numbers = [plain(value, 3) for value in (pdf.median, pdf.low, pdf.high)]
    return [
        STYLE[pdf.name].title,
        AxisLabel(STYLE[pdf.name].axis),
        *numbers,
        f"{pdf.n_own:,}",
        pooled,
        f"{pdf.n_galaxy:,}",
    ]


def _galaxies(run: ExploredRun, node: int) -> Component:
    found = galaxies_on(run, [node])
    name = grid_of(run, "desom_map").name(node)
    if not found.plateifu.size:
        return notice(f"No galaxy has a baxel on node {name}.")
    rows = [
        [
            Linked(plateifu, link("galaxy", plateifu)),
            Linked(str(nearest), link("galaxy", plateifu, baxel=nearest)),
            f"{n_here:,}",
            f"{n_baxel:,}",
        ]
        for plateifu, n_here, n_baxel, nearest in zip(
            *(values[:MOST_SHOWN].tolist() for values in (found.plateifu, found.n_here, found.n_baxel, found.nearest)),
            strict=True,
        )
    ]
    total = counted(found.plateifu.size, "galaxy has baxels", "galaxies have baxels")
    shown = f"{total} on node {name}, those with most first" + (
        f"; the first {MOST_SHOWN}" if len(rows) < found.plateifu.size else ""
    )
    heads = ["galaxy", "baxel nearest to the prototype", "baxels on the node", "on the whole map"]
    return html.Section(
        [html.H3(f"Galaxies of node {name}"), html.P(shown), text_table(heads, rows, 2)], className="panel"
    )


def _python(run: ExploredRun, chosen: _Chosen) -> str:
    label = COLOURED_BY if chosen.label == OCCUPATION else chosen.label
    return f"""import xarray as xr
from mangrove.api import open_run

run, node = open_run({str(run.folder)!r}), {chosen.node}
baxels = run.assignments()
here = baxels[baxels["node"] == node]
print(len(here), "baxels of", len(set(here["plateifu"])), "galaxies")
with xr.open_dataset(run.folder / "desom/map.h5") as nodes:
    spectra = nodes[["prototype_flux", "template_flux", "template_scatter"]].isel(node=node).load()
print(spectra)
labels = run.node_labels().sel(label="{label}")
print(labels["median"].values)  # of every node
print(labels.isel(node=node)[["median", "n_own", "n_baxel", "histogram"]])"""
