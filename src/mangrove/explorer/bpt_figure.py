"""The BPT diagram of a galaxy's baxels, coloured by radius."""

import numpy as np
import plotly.graph_objects as go

from mangrove.codes import BptClass
from mangrove.explorer.bpt_frame import bpt_frame
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.mathtext import as_html
from mangrove.physics.bpt import MIN_LINE_SNR, bpt_ratios
from mangrove.report.label_style import BPT_NAMES, radii

#: What a diagram shows, dex.
_X, _Y = (-2.0, 0.9), (-1.5, 1.5)
#: Place of the ring among the traces of a diagram.
RING = 0


def bpt_figure(seen: SeenGalaxy, baxel: int | None) -> go.Figure:
    """The baxels with S/N above 2 in all four lines; a click and a lasso give them back as ``customdata``."""
    rows = seen.rows
    x, y = bpt_ratios(rows["line_flux"], rows["line_flux_err"], rows["line"], MIN_LINE_SNR)
    shown = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    radius, axis = radii(rows)
    names = [BPT_NAMES[BptClass(code)] for code in rows["bpt_class"][shown]]
    points = go.Scatter(
        x=x[shown],
        y=y[shown],
        # A list: of an array that Plotly packs, the events of a figure hold no element.
        customdata=shown.tolist(),
        text=names,
        mode="markers",
        name="baxels",
        showlegend=False,
        hovertemplate="baxel %{customdata}: %{text}<br>(%{x:.2f}, %{y:.2f})<extra></extra>",
        marker={
            "size": 8,
            "color": radius[shown],
            "colorscale": "Viridis",
            "colorbar": {"title": {"text": as_html(axis), "side": "right"}, "thickness": 14, "outlinewidth": 0},
            "line": {"width": 0.5, "color": "#555"},
        },
    )
    frame = bpt_frame(x_range=_X, y_range=_Y)
    figure = go.Figure([chosen_point(seen, baxel), points, *frame.data], frame.layout)
    figure.update_layout(height=400, dragmode="lasso", hovermode="closest", uirevision="bpt")
    return figure


def n_shown(seen: SeenGalaxy) -> int:
    """Number of baxels in the diagram."""
    rows = seen.rows
    x, _ = bpt_ratios(rows["line_flux"], rows["line_flux_err"], rows["line"], MIN_LINE_SNR)
    return int(np.isfinite(x).sum())


def chosen_point(seen: SeenGalaxy, baxel: int | None) -> go.Scatter:
    """A ring around the chosen baxel, if it is in the diagram."""
    rows = seen.rows
    x, y = bpt_ratios(rows["line_flux"], rows["line_flux_err"], rows["line"], MIN_LINE_SNR)
    at = [] if baxel is None or not np.isfinite(x[baxel]) else [baxel]
    ring = {"size": 17, "symbol": "circle-open", "color": "#ff3df2", "line": {"width": 3}}
    return go.Scatter(x=x[at], y=y[at], mode="markers", marker=ring, hoverinfo="skip", showlegend=False)
