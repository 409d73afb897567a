"""The baxels of a galaxy on the map of spectra: a fingerprint coloured by radius."""

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from mangrove.explorer.selectable import selectable_points
from mangrove.explorer.style import UNKNOWN

if TYPE_CHECKING:
    import xarray as xr


def fingerprint_figure(found: "xr.Dataset") -> go.Figure:
    """Nodes with baxels of the galaxy, coloured by their mean radius, with their number; nodes without are left white.

    A lasso selects nodes.

    Parameters
    ----------
    found : Dataset
        Of :meth:`mangrove.notebook.runs.Run.fingerprint`.
    """
    counts, radius = found.counts.values, found.mean_radius.values
    some = counts > 0
    words = np.where(some, counts.astype(int).astype(str), "")
    unknown = go.Heatmap(
        x=found.column.values,
        y=found.row.values,
        z=np.where(some & ~np.isfinite(radius), 0.0, np.nan),
        colorscale=[[0, UNKNOWN], [1, UNKNOWN]],
        showscale=False,
        hoverinfo="skip",
    )
    known = go.Heatmap(
        x=found.column.values,
        y=found.row.values,
        z=np.where(some, radius, np.nan),
        customdata=counts,
        colorscale="Viridis",
        colorbar={
            "title": {"text": "mean radius (R<sub>e</sub>)", "side": "right"},
            "thickness": 14,
            "outlinewidth": 0,
        },
        hovertemplate="node (%{x}, %{y}): %{customdata} baxels<br>mean radius %{z:.2f} R<sub>e</sub><extra></extra>",
        text=words,
        texttemplate="%{text}",
        xgap=1,
        ygap=1,
        hoverongaps=False,
        showscale=bool(np.isfinite(radius[some]).any()),
    )
    row, column = np.nonzero(some)
    figure = go.Figure([unknown, known, selectable_points(column + 1, row + 1)])
    ticks = {"showgrid": False, "constrain": "domain"}
    figure.update_xaxes(title="column", range=[0.5, counts.shape[1] + 0.5], scaleanchor="y", **ticks)
    figure.update_yaxes(title="row", range=[0.5, counts.shape[0] + 0.5], **ticks)
    figure.update_layout(height=400, hovermode="closest", dragmode="lasso")
    return figure
