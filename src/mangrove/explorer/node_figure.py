"""The nodes of a map as a figure: coloured cells that are clicked, and selected with a lasso."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from mangrove.explorer.figure_events import places_of
from mangrove.explorer.node_index import node_at
from mangrove.explorer.selectable import selectable_points
from mangrove.explorer.style import CATEGORIES, UNKNOWN
from mangrove.report.limits import robust_limits
from mangrove.report.node_places import NodePlaces

#: Colours of the node that is looked at, and of the one beside it.
CHOSEN, PINNED = CATEGORIES[5], CATEGORIES[0]
#: Height of a map of nodes, pixels.
_HEIGHT = 470
#: Corners of the strokes that hatch a cell, in cells from its lower left corner.
_STROKES = (((0.0, 0.5), (0.5, 1.0)), ((0.0, 0.0), (1.0, 1.0)), ((0.5, 0.0), (1.0, 0.5)))
#: Most ticks on an axis of nodes.
_MOST_TICKS = 15


class NodeColours(NamedTuple):
    """What colours the nodes of a map.

    Attributes
    ----------
    values : ndarray, shape (n_node,)
        NaN where nothing is known: these nodes are grey.
    title, unit : str
        What it is, and the label of the colour bar, with HTML.
    texts : sequence of str, shape (n_node,)
        What a node says under the pointer, without its name.
    limits : tuple of float, optional
        Of the colours; the 2nd and 98th percentile by default.
    colours : str
        Name of a scale of Plotly.
    hatched : ndarray of bool, shape (n_node,), optional
        Nodes whose value rests on their neighbours too.
    """

    values: np.ndarray
    title: str
    unit: str
    texts: Sequence[str]
    limits: tuple[float, float] | None = None
    colours: str = "Viridis"
    hatched: np.ndarray | None = None


def nodes_figure(places: NodePlaces, shown: NodeColours, outlined: Mapping[int, str]) -> go.Figure:
    """The map coloured; nodes are (column, row) from 1, row 1 at the bottom.

    Parameters
    ----------
    places : NodePlaces
    shown : NodeColours
    outlined : mapping of int to str
        Colours of the frames of some nodes.
    """
    low, high = shown.limits or robust_limits(shown.values)
    names = [f"node {places.name(node)}<br>{text}" for node, text in enumerate(shown.texts)]
    cells = go.Heatmap(
        **_axes_of(places),
        z=places.laid_out(shown.values),
        text=_grid_of_texts(places, names),
        hoverinfo="text",
        zmin=low,
        zmax=high,
        colorscale=shown.colours,
        colorbar={"title": {"text": shown.unit, "side": "right"}, "thickness": 14, "outlinewidth": 0},
        showscale=bool(np.isfinite(shown.values).any()),
    )
    hatches = [] if shown.hatched is None else [_hatches(places, shown.hatched)]
    return _figure(places, [_ground(places), cells, *hatches], outlined)


def mosaic_figure(places: NodePlaces, images: np.ndarray, unit: str, outlined: Mapping[int, str]) -> go.Figure:
    """A small image in the cell of each node, row 1 of each at its bottom.

    Parameters
    ----------
    places : NodePlaces
    images : ndarray, shape (n_node, rows, columns)
        NaN is grey.
    unit : str
        Label of the colour bar.
    outlined : mapping of int to str
        Colours of the frames of some nodes.
    """
    _, rows, columns = images.shape
    laid_out = np.full((places.rows, rows, places.columns, columns), np.nan, np.float32)
    laid_out[places.row, :, places.column, :] = images
    cells = go.Heatmap(
        x0=0.5 + 0.5 / columns,
        dx=1 / columns,
        y0=0.5 + 0.5 / rows,
        dy=1 / rows,
        z=laid_out.reshape(places.rows * rows, places.columns * columns),
        zmin=0,
        zmax=robust_limits(images, high=99.8)[1],
        colorscale="Viridis",
        colorbar={"title": {"text": unit, "side": "right"}, "thickness": 14, "outlinewidth": 0},
        hovertemplate=f"node (%{{x:.0f}}, %{{y:.0f}})<br>{unit}: %{{z:.2f}}<extra></extra>",
    )
    figure = _figure(places, [_ground(places), cells], outlined)
    # All at once: plotly looks through all shapes for each one that is added.
    edges = [_edge(along, k + 0.5) for along, n in (("x", places.columns), ("y", places.rows)) for k in range(1, n)]
    figure.update_layout(shapes=[*figure.layout.shapes, *edges])
    return figure


def clicked_node(places: NodePlaces, click: Any) -> int | None:
    """The node that was clicked in a figure of nodes, from Dash's ``clickData``; None if that is not one of the map."""
    points = places_of(click)
    return node_at(places, *points[0]) if points else None


def selected_nodes(places: NodePlaces, selection: Any) -> list[int]:
    """The nodes in a lasso or a box, ascending, from Dash's ``selectedData``; empty without."""
    found = {node_at(places, *point) for point in places_of(selection)}
    return sorted(node for node in found if node is not None)


def _edge(along: str, at: float) -> dict[str, Any]:
    """A white line between cells, at a place along an axis."""
    across = "y" if along == "x" else "x"
    ends = {f"{along}0": at, f"{along}1": at, f"{across}0": 0, f"{across}1": 1}
    references = {f"{along}ref": along, f"{across}ref": f"{across} domain"}
    return {"type": "line", "line": {"color": "white", "width": 1.5}, **ends, **references}


def _axes_of(places: NodePlaces) -> dict[str, np.ndarray]:
    return {"x": np.arange(1, places.columns + 1), "y": np.arange(1, places.rows + 1)}


def _grid_of_texts(places: NodePlaces, texts: Sequence[str]) -> list[list[str]]:
    grid = [[""] * places.columns for _ in range(places.rows)]
    for row, column, text in zip(places.row, places.column, texts, strict=True):
        grid[row][column] = text
    return grid


def _ground(places: NodePlaces) -> go.Heatmap:
    """Grey cells, seen where nothing is known."""
    grey = [[0.0, UNKNOWN], [1.0, UNKNOWN]]
    blank = np.zeros((places.rows, places.columns))
    return go.Heatmap(**_axes_of(places), z=blank, colorscale=grey, showscale=False, hoverinfo="skip")


def _hatches(places: NodePlaces, chosen: np.ndarray) -> go.Scatter:
    at = np.flatnonzero(chosen)
    strokes = np.array(_STROKES)
    corners = np.stack([places.column[at], places.row[at]], axis=1) + 0.5
    lines = np.full((at.size, len(strokes), 3, 2), np.nan)
    lines[:, :, :2] = corners[:, None, None] + strokes
    x, y = lines.reshape(-1, 2).T
    style = {"color": "rgba(128,128,128,0.85)", "width": 1}
    return go.Scatter(x=x, y=y, mode="lines", line=style, hoverinfo="skip", showlegend=False)


def _figure(places: NodePlaces, traces: list, outlined: Mapping[int, str]) -> go.Figure:
    figure = go.Figure([*traces, selectable_points(places.column + 1, places.row + 1)])
    ticks = {"tickmode": "linear", "tick0": 1, "showgrid": False, "constrain": "domain"}
    figure.update_xaxes(
        title="column",
        range=[0.5, places.columns + 0.5],
        dtick=-(-places.columns // _MOST_TICKS),
        scaleanchor="y",
        **ticks,
    )
    figure.update_yaxes(title="row", range=[0.5, places.rows + 0.5], dtick=-(-places.rows // _MOST_TICKS), **ticks)
    # The same revision for every colour: a lasso stays when another is chosen.
    figure.update_layout(height=_HEIGHT, dragmode="lasso", hovermode="closest", uirevision="nodes")
    # Where arrow keys go on from (assets/explorer.js) when the address names no node.
    figure.update_layout(meta={"node": next((node for node, colour in outlined.items() if colour == CHOSEN), None)})
    for node, colour in outlined.items():
        _outline(figure, places, node, colour)
    return figure


def _outline(figure: go.Figure, places: NodePlaces, node: int, colour: str) -> None:
    """A frame around a node, in white besides, so that it stands out from any colour."""
    x, y = places.column[node] + 0.5, places.row[node] + 0.5
    for around, width in (("white", 6), (colour, 3)):
        line = {"color": around, "width": width}
        figure.add_shape(type="rect", x0=x, x1=x + 1, y0=y, y1=y + 1, line=line, fillcolor="rgba(0,0,0,0)")
