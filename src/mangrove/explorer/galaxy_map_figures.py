"""Figures of a node of the map of galaxies: its fingerprints, and the Hubble types of its galaxies."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mangrove.explorer.galaxy_map import Morphology
from mangrove.explorer.style import CATEGORIES

_HEIGHT, _BAR_HEIGHT = 360, 260


def fingerprints_figure(prototype: np.ndarray, mean: np.ndarray) -> go.Figure:
    """Fingerprints on the nodes of the map of spectra, which are (column, row) from 1, row 1 at the bottom.

    Parameters
    ----------
    prototype, mean : ndarray, shape (rows, columns)
        The decoded prototype, and the mean of the node's galaxies; NaN without any: then the prototype stands alone.
    """
    shown = {"prototype": prototype} | ({"mean of the galaxies": mean} if np.isfinite(mean).any() else {})
    figure = make_subplots(1, len(shown), subplot_titles=list(shown), horizontal_spacing=0.1)
    rows, columns = prototype.shape
    for k, values in enumerate(shown.values(), start=1):
        cells = go.Heatmap(
            x=np.arange(1, columns + 1),
            y=np.arange(1, rows + 1),
            z=values,
            coloraxis="coloraxis",
            hovertemplate="node (%{x}, %{y}) of the map of spectra<br>normalised weight %{z:.2f}<extra></extra>",
        )
        figure.add_trace(cells, row=1, col=k)
        common = {"showgrid": False, "constrain": "domain", "row": 1, "col": k}
        square = {"scaleanchor": f"y{k}" if k > 1 else "y", "range": [0.5, columns + 0.5]}
        figure.update_xaxes(title="column", **square, **common)
        figure.update_yaxes(title="row" if k == 1 else None, range=[0.5, rows + 0.5], **common)
    top = float(np.nanmax(np.stack(list(shown.values())))) or 1.0
    bar = {"title": {"text": "normalised weight", "side": "right"}, "thickness": 14, "outlinewidth": 0}
    scale = {"cmin": 0, "cmax": top, "colorscale": "Viridis", "colorbar": bar}
    figure.update_layout(height=_HEIGHT, coloraxis=scale, uirevision="fingerprints", margin_t=40)
    return figure


def morphology_figure(found: Morphology) -> go.Figure:
    """A bar per Hubble type: its part of the galaxies that have a type."""
    figure = go.Figure(
        go.Bar(
            x=found.hubble,
            y=found.fraction,
            marker_color=CATEGORIES[0],
            hovertemplate="%{x}: %{y:.0%}<extra></extra>",
        )
    )
    figure.update_yaxes(title="part of the galaxies", range=[0, 1.02], tickformat=".0%")
    figure.update_xaxes(title="Hubble type", type="category")
    figure.update_layout(height=_BAR_HEIGHT, uirevision="morphology")
    return figure
