"""How an anomaly score is distributed over the galaxies, with active nuclei and the selected galaxy."""

import numpy as np
import plotly.graph_objects as go

from mangrove.explorer.anomaly_cloud import MARK
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.scored_galaxies import ScoredGalaxies
from mangrove.explorer.style import CATEGORIES
from mangrove.report.autoencoder_sample import score_title

#: Fewest and most bars; as many as twice the root of the number of galaxies.
_BARS = (8, 60)
#: The highest score over the median from which on its axis is logarithmic, and the number of galaxies from which theirs is.
_WIDE, _MANY = 10.0, 200


def histogram_figure(scored: ScoredGalaxies, score: str, selected: int | None) -> go.Figure:
    """Galaxies per bin of a score, the known active nuclei in front, a dashed line at the selected galaxy."""
    values = scored.score(score)
    edges = score_edges(values)
    groups = {"all galaxies": np.ones(values.size, bool)}
    if scored.agn is not None and scored.agn.any():
        groups["known AGN"] = scored.agn.any(axis=1)
    figure = go.Figure()
    for colour, (name, group) in zip(CATEGORIES, groups.items(), strict=False):
        count = counts(values[group], edges)
        hover = [f"{low:.3g} to {high:.3g}: {n:,}" for low, high, n in zip(edges[:-1], edges[1:], count, strict=True)]
        about = {"hovertext": hover, "hoverinfo": "text+name", "marker": {"color": colour, "line": {"width": 0}}}
        figure.add_bar(x=0.5 * (edges[1:] + edges[:-1]), y=count, width=np.diff(edges), name=name, **about)
    many = values.size > _MANY
    if selected is not None and np.isfinite(values[selected]):
        height = max(1, counts(values, edges).max())
        line = {"color": MARK, "width": 2, "dash": "dash"}
        name = str(scored.plateifu[selected])
        figure.add_scatter(x=[values[selected]] * 2, y=[0.5 if many else 0, height], mode="lines", line=line, name=name)
    figure.update_xaxes(title=as_html(score_title(score)), type="log" if _is_wide(values) else "linear")
    figure.update_yaxes(
        title="galaxies", type="log" if many else "linear", **({"dtick": 1} if many else {"tickformat": "d"})
    )
    return figure.update_layout(barmode="overlay", bargap=0, height=360)


def score_edges(values: np.ndarray) -> np.ndarray:
    """Edges of the bars, ascending, over all finite values; of equal ratio where these are far apart."""
    finite = values[np.isfinite(values)].astype(float)
    if not finite.size:
        return np.linspace(0.0, 1.0, _BARS[0] + 1)
    low, high = finite.min(), finite.max() if finite.max() > finite.min() else finite.min() + 1.0
    n_edge = int(np.clip(2.0 * np.sqrt(finite.size), *_BARS)) + 1
    edges = np.geomspace(low, high, n_edge) if _is_wide(values) else np.linspace(low, high, n_edge)
    # Rounding leaves no extreme score outside.
    edges[[0, -1]] = low, high
    return edges


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Finite values in each bar, shape (n_bar,)."""
    return np.histogram(values[np.isfinite(values)].astype(float), edges)[0]


def _is_wide(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() > _WIDE * np.median(finite))
