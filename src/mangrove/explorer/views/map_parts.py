"""What the pages of the two maps share: the map itself, tables of galaxies, and how a click becomes an address."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from dash import dcc, html, no_update
from dash.development.base_component import Component

from mangrove.explorer.address import Address
from mangrove.explorer.panels import figure_panel
from mangrove.report.node_maps import NodePlaces

#: Rows of a table on a page.
MOST_ROWS = 200
#: Style of what stands below a caption.
APART = {"marginTop": "0.6rem"}


def menu(id: str, options: dict[str, str], chosen: str) -> Component:
    """A menu of what colours the nodes: what an option is called, by its value."""
    choices = [{"label": name, "value": value} for value, name in options.items()]
    pick = dcc.Dropdown(id=id, options=choices, value=chosen, clearable=False, style={"width": "22rem"})
    return html.Div(
        [html.Label("colour of the nodes", htmlFor=id), pick], style={"display": "flex", "alignItems": "center"}
    )


def map_panel(id: str, figure: go.Figure, places: NodePlaces, title: str, caption: str, *extra: Component) -> Component:
    """A map of nodes that is clicked, selected from with a lasso, and walked on with the arrow keys."""
    return figure_panel(id, figure, title, caption, *extra, nodes=(places.rows, places.columns))


def table(heads: Sequence[str], rows: Sequence[Sequence[str | Component]], n_text: int) -> Component:
    """A table that scrolls; all but the first ``n_text`` columns are numbers, the first is not broken."""

    def style(k: int) -> dict[str, str]:
        return {"whiteSpace": "nowrap" if k == 0 else "normal", "textAlign": "left" if k < n_text else "right"}

    cells = [html.Tr([html.Td(value, style=style(k)) for k, value in enumerate(row)]) for row in rows]
    head = html.Thead(html.Tr([html.Th(name, scope="col", style=style(k)) for k, name in enumerate(heads)]))
    return html.Div(html.Table([head, html.Tbody(cells)]), className="scroll")


def moved(address: Address, **query: str | int | None) -> Any:
    """What is written to the browser's address: nothing where it is there already."""
    there = address.changed(**query)
    return no_update if there == address else there.search
