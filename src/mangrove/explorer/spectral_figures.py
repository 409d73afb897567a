"""Figures of nodes of the map of spectra: their spectra, and the distributions of labels on them."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mangrove.explorer.mathtext import as_html
from mangrove.explorer.spectral_map import LabelPdf, NodeSpectra
from mangrove.report.label_style import STYLE

_SPECTRA_HEIGHT, _PDF_ROW_HEIGHT = 470, 205
_PDF_COLUMNS = 4
#: Percentiles of the fluxes that the axes hold: strong lines may lie beyond.
_BOTTOM, _TOP = 0.3, 99.7
_BAND, _BARS = 0.25, 0.55
#: Where the interval of a distribution is drawn, in heights of its highest bar, and by how much a second lies higher.
_ABOVE, _STEP = 1.12, 0.12


def spectra_figure(spectra: Mapping[str, NodeSpectra], colours: Mapping[str, str], flux: str) -> go.Figure:
    """Decoded prototypes above, templates with their scatter below, over the rest wavelength.

    Parameters
    ----------
    spectra, colours : mapping of str
        Of one node or more, by its name in the legend.
    flux : str
        Label of the axes of flux.
    """
    some = any(np.isfinite(node.template).any() for node in spectra.values())
    titles = ("prototype", "template and scatter" if some else "no template: no training spectrum")
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=titles)
    for name, node in spectra.items():
        common = {"x": node.wave, "mode": "lines", "legendgroup": name, "name": name}
        line = {"color": colours[name], "width": 1.2}
        figure.add_scatter(y=node.prototype, line=line, **common, row=1, col=1)
        figure.add_trace(_band(node, colours[name], name), row=2, col=1)
        figure.add_scatter(y=node.template, line=line, showlegend=False, **common, row=2, col=1)
    for row, parts in ((1, "prototype"), (2, "template")):
        values = np.concatenate([getattr(node, parts) for node in spectra.values()])
        figure.update_yaxes(range=_flux_range(values), title=flux.replace(" at ", "<br>at "), row=row, col=1)
    figure.update_xaxes(title="rest wavelength, vacuum (Å)", row=2, col=1)
    figure.update_layout(height=_SPECTRA_HEIGHT, hovermode="x unified", uirevision="spectra", legend_y=1.1)
    return figure


def pdf_figure(pdfs: Mapping[str, list[LabelPdf]], colours: Mapping[str, str]) -> go.Figure:
    """A panel for each label: densities as bars; above them medians, and lines from 16 to 84 %.

    Parameters
    ----------
    pdfs : mapping of str to list of LabelPdf
        Of one node or more, by its name in the legend; the same labels in each.
    colours : mapping of str to str
    """
    labels = tuple(pdf.name for pdf in next(iter(pdfs.values())))
    traces = []
    for k in range(len(labels)):
        top = max((np.nanmax(of[k].density) for of in pdfs.values() if np.isfinite(of[k].median)), default=1.0)
        for order, (name, of) in enumerate(pdfs.items()):
            axes = {"xaxis": f"x{k + 1}", "yaxis": f"y{k + 1}"}
            style = {"name": name, "legendgroup": name, "marker": {"color": colours[name]}, **axes}
            traces += [_bars(of[k], style, first=k == 0), _interval(of[k], style, top * (_ABOVE + _STEP * order))]
    return go.Figure(traces, _pdf_layout(labels))


@lru_cache(maxsize=8)
def _pdf_layout(labels: tuple[str, ...]) -> go.Layout:
    """Panels of labels; they take longer to make than what is drawn in them."""
    rows = -(-len(labels) // _PDF_COLUMNS)
    panels = make_subplots(rows, _PDF_COLUMNS, subplot_titles=[STYLE[name].title for name in labels])
    for k, label in enumerate(labels):
        panels.update_xaxes(title=as_html(STYLE[label].axis), row=k // _PDF_COLUMNS + 1, col=k % _PDF_COLUMNS + 1)
    panels.update_xaxes(title_standoff=4)
    panels.update_yaxes(showticklabels=False, rangemode="tozero", showgrid=False)
    panels.update_annotations(font_size=13)
    panels.update_layout(height=_PDF_ROW_HEIGHT * rows + 60, barmode="overlay", uirevision="pdfs", legend_y=1.08)
    return panels.layout


def _band(node: NodeSpectra, colour: str, name: str) -> go.Scatter:
    """The template plus and minus its scatter, where that is known."""
    known = np.isfinite(node.template) & np.isfinite(node.scatter)
    wave, mean, scatter = node.wave[known], node.template[known], node.scatter[known]
    return go.Scatter(
        x=np.concatenate([wave, wave[::-1]]),
        y=np.concatenate([mean + scatter, (mean - scatter)[::-1]]),
        fill="toself",
        fillcolor=colour,
        opacity=_BAND,
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=name,
        showlegend=False,
    )


def _flux_range(values: np.ndarray) -> tuple[float, float]:
    """From zero, or what lies below, to nearly all of the fluxes."""
    if not np.isfinite(values).any():
        return 0.0, 1.0
    low, high = np.nanpercentile(values, [_BOTTOM, _TOP])
    return min(0.0, float(low)), 1.15 * float(high)


def _bars(pdf: LabelPdf, style: dict, first: bool) -> go.Bar:
    return go.Bar(
        x=0.5 * (pdf.edge[1:] + pdf.edge[:-1]),
        y=pdf.density,
        width=np.diff(pdf.edge),
        opacity=_BARS,
        showlegend=first,
        hovertemplate="%{x:.3g}: density %{y:.3g}<extra></extra>",
        **style,
    )


def _interval(pdf: LabelPdf, style: dict, y: float) -> go.Scatter:
    width = {"array": [pdf.high - pdf.median], "arrayminus": [pdf.median - pdf.low], "symmetric": False}
    return go.Scatter(
        x=[pdf.median],
        y=[y],
        mode="markers",
        error_x={"color": style["marker"]["color"], "thickness": 2, "width": 4, **width},
        showlegend=False,
        hovertemplate=f"16 %: {pdf.low:.3g}, median: {pdf.median:.3g}, 84 %: {pdf.high:.3g}<extra></extra>",
        **style,
    )
