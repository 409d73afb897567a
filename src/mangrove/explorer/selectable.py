"""What a lasso or a box can select where the figure itself cannot be selected."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go


def selectable_points(x: np.ndarray, y: np.ndarray, rows: Sequence[int] | None = None) -> go.Scatter:
    """Points of an image or a map of cells, unseen until they are selected: neither can be selected by itself.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        In the units of the axes.
    rows : sequence of int, shape (n,), optional
        What they stand for (:func:`mangrove.explorer.figure_events.rows_of`). A list: of an array that Plotly packs, the
        events of a figure hold no element.
    """
    return go.Scatter(
        x=x,
        y=y,
        customdata=rows,
        mode="markers",
        hoverinfo="skip",
        showlegend=False,
        marker={"size": 8, "color": "white", "line": {"color": "black", "width": 1.5}, "opacity": 0},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
    )
