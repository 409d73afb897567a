"""How an anomaly score is distributed over the galaxies, with active nuclei and the selected galaxy."""

import numpy as np
import plotly.graph_objects as go

from mangrove.explorer.mathtext import as_html
from mangrove.explorer.scored_galaxies import ScoredGalaxies
from mangrove.explorer.style import CATEGORIES
from mangrove.report.autoencoder_sample import score_title
from mangrove.report.drawing import fenced_limits

#: Fewest and most bars; as many as twice the root of the number of galaxies.
_BARS = (8, 40)


def histogram_figure(scored: ScoredGalaxies, score: str, selected: int | None) -> go.Figure:
    """Galaxies per bin of a score; what lies beyond the bulk is in the outer bars, so that every galaxy counts."""
    values = scored.score(score)
    edges = score_edges(values)
    groups = {"all galaxies": np.ones(values.size, bool)}
    if scored.agn is not None and scored.agn.any():
        groups["known AGN"] = scored.agn.any(axis=1)
    figure = go.Figure()
    for colour, (name, group) in zip(CATEGORIES, groups.items(), strict=False):
        count = counts(values[group], edges)
        hover = [f"{low:.3g} to {high:.3g}: {n:,}" for low, high, n in zip(edges[:-1], edges[1:], count, strict=True)]
        about = {"hovertext": hover, "hoverinfo": "text+name", "marker_color": colour}
        figure.add_bar(x=0.5 * (edges[1:] + edges[:-1]), y=count, width=np.diff(edges), name=name, **about)
    if selected is not None and np.isfinite(values[selected]):
        place = float(np.clip(values[selected], edges[0], edges[-1]))
        figure.add_vline(place, line={"color": "#D55E00", "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=place, y=1, yref="paper", text=scored.plateifu[selected], showarrow=False, xanchor="left", yanchor="top"
        )
    figure.update_xaxes(title=as_html(score_title(score)), range=[edges[0], edges[-1]])
    figure.update_yaxes(title="galaxies", rangemode="tozero")
    return figure.update_layout(barmode="overlay", bargap=0, height=330)


def score_edges(values: np.ndarray) -> np.ndarray:
    """Edges of the bars, ascending, over the bulk of the finite values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.linspace(0.0, 1.0, _BARS[0] + 1)
    low, high = np.clip(fenced_limits(finite), finite.min(), finite.max())
    n_bar = int(np.clip(2.0 * np.sqrt(finite.size), *_BARS))
    return np.linspace(low, high if high > low else low + 1.0, n_bar + 1)


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Finite values in each bar, shape (n_bar,); what lies beyond counts in the outer ones."""
    return np.histogram(np.clip(values[np.isfinite(values)], edges[0], edges[-1]), edges)[0]
