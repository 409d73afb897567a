"""The BPT diagram of a galaxy's baxels, coloured by radius."""

import numpy as np
import plotly.graph_objects as go

from mangrove.codes import BptClass
from mangrove.explorer.galaxy_data import SeenGalaxy
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.style import CATEGORIES
from mangrove.physics.bpt import (
    KEWLEY_LIMIT,
    MIN_LINE_SNR,
    bpt_class,
    bpt_ratios,
    kauffmann_2003,
    kewley_2001,
    schawinski_2007,
)
from mangrove.report.bpt_panel import BPT_NAMES
from mangrove.report.galaxy_panels import radii

#: What a diagram shows.
X_RANGE, Y_RANGE = (-2.0, 0.9), (-1.5, 1.5)


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
    figure = go.Figure([chosen_point(seen, baxel), points, *_curves()])
    figure.update_xaxes(title="log([N II] 6585 / Hα)", range=X_RANGE)
    figure.update_yaxes(title="log([O III] 5008 / Hβ)", range=Y_RANGE)
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


def _curves() -> list[go.Scatter]:
    x = np.linspace(X_RANGE[0], KEWLEY_LIMIT - 0.01, 400)
    beyond = np.linspace(*X_RANGE, 400)
    division = schawinski_2007(beyond)
    seyferts = np.where(bpt_class(beyond, division + 1e-6) == BptClass.SEYFERT, division, np.nan)
    curves = (
        ("Kauffmann+ 2003", x, kauffmann_2003(x), "dash"),
        ("Kewley+ 2001", x, kewley_2001(x), "solid"),
        ("Schawinski+ 2007", beyond, seyferts, "dot"),
    )
    return [
        go.Scatter(
            x=at,
            y=y,
            mode="lines",
            name=name,
            line={"dash": dash, "width": 1.5, "color": CATEGORIES[3]},
            hoverinfo="skip",
        )
        for name, at, y, dash in curves
    ]
