"""The parts that pages are made of: figures with captions and files, tables of facts, code that repeats a view."""

from collections.abc import Sequence

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

#: The buttons of a figure that are of no use here, and the file that its camera saves; assets/explorer.js adds SVG.
_TOOLS = {
    "displaylogo": False,
    "responsive": True,
    # A lasso is not pulled about: a click within it is one on the figure.
    "editSelection": False,
    "toImageButtonOptions": {"format": "png", "scale": 2},
}


def figure_panel(
    id: str,
    figure: go.Figure,
    title: str,
    caption: str,
    *extra: Component,
    wide: bool = False,
    nodes: tuple[int, int] | None = None,
) -> html.Figure:
    """A figure with its title, how to read it, and buttons that save it as PNG and SVG.

    Parameters
    ----------
    id : str
        Id of the graph: 'spectral-map-nodes'; also the name of its files.
    extra : Component
        What stands below the caption: buttons for tables (:func:`mangrove.explorer.downloads.buttons`).
    wide : bool
        Whether it takes the whole width of the page.
    nodes : (int, int), optional
        Rows and columns of a map whose selected node is the address's ``node``: arrow keys then move to the next one.
    """
    saves = [
        html.Button(
            kind.upper(), **{"data-export": kind, "data-graph": id, "aria-label": f"save {title} as {kind.upper()}"}
        )
        for kind in ("png", "svg")
    ]
    return html.Figure(
        [
            html.Div([html.H3(title), html.Div(saves, className="saves")], className="panel-head"),
            _graph(id, figure, title, nodes),
            html.Figcaption(caption),
            *extra,
        ],
        className="panel wide" if wide else "panel",
    )


def _graph(id: str, figure: go.Figure, title: str, nodes: tuple[int, int] | None) -> Component:
    graph = dcc.Graph(id=id, figure=figure, config=_TOOLS)
    if nodes is None:
        return graph
    rows, columns = nodes
    keys = {"data-nodes": f"{rows},{columns}", "aria-label": f"{title}; arrow keys select a node"}
    # The graph takes the keys; caption and buttons beside it have their own.
    return html.Div(graph, tabIndex=0, role="application", **keys)


def facts(rows: Sequence[tuple[str, str | Component]]) -> html.Dl:
    """Names and values in two columns."""
    return html.Dl([part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="facts")


def same_numbers(python: str, command: str = "") -> html.Details:
    """The lines that give the numbers of a view: Python, and a command where one does."""
    blocks = [("Python", python), ("Command", command)]
    return html.Details(
        [
            html.Summary("The same numbers without the explorer"),
            *(
                html.Div([html.H4(name), html.Pre(html.Code(text)), dcc.Clipboard(content=text, title="copy")])
                for name, text in blocks
                if text
            ),
        ],
        className="same-numbers",
    )


def notice(text: str, *more: Component) -> html.P:
    """A sentence instead of a figure: what is missing, or what to do next."""
    return html.P([text, *more], className="notice", role="status")
