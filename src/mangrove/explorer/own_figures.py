"""Figures of a spectrum that somebody brings: what the map saw of it, its labels and lines beside others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from mangrove.explorer.mathtext import as_html
from mangrove.explorer.own_lines import LinesBeside
from mangrove.explorer.spectral_figures import pdf_figure
from mangrove.explorer.spectral_map import LabelPdf, NodeSpectra
from mangrove.explorer.style import CATEGORIES
from mangrove.notebook.plots import with_zero
from mangrove.report.line_names import line_title

if TYPE_CHECKING:
    from mangrove.notebook.spectrum_fit import LabelValue
    from mangrove.notebook.spectrum_place import SpectrumPlace

NODE, OWN, PREDICTED = CATEGORIES[0], CATEGORIES[5], CATEGORIES[0]
_WAVE = "rest wavelength, vacuum (Å)"
#: Ticks of equivalent widths, Angstrom, on their asinh scale.
_EW_TICKS = np.array([-3, -1, 0, 1, 3, 10, 30, 100, 300, 1000, 3000])


def seen_figure(place: "SpectrumPlace", node: NodeSpectra, flux: str) -> go.Figure:
    """What the network saw of a spectrum, and the prototype of its node.

    Parameters
    ----------
    flux : str
        Label of the axis of flux.
    """
    seen = np.where(place.mask, np.nan, place.flux)
    figure = go.Figure()
    figure.add_scatter(x=place.wave, y=seen, mode="lines", name="your spectrum", line={"color": OWN, "width": 1})
    figure.add_scatter(
        x=node.wave, y=node.prototype, mode="lines", name="prototype", line={"color": NODE, "width": 1.2}
    )
    figure.update_xaxes(title=_WAVE)
    figure.update_yaxes(title=flux, range=with_zero(seen))
    figure.update_layout(height=470, hovermode="x unified")
    return figure


def labels_figure(pdfs: list[LabelPdf], labels: "Mapping[str, LabelValue]", node: str) -> go.Figure:
    """Distributions of the labels on a node, with the values of the fit and their errors where there are some.

    Parameters
    ----------
    node : str
        Its name in the legend.
    """
    figure = pdf_figure({node: pdfs}, {node: NODE})
    named = False
    for k, pdf in enumerate(pdfs):
        own = labels.get(pdf.name)
        if own is None or not np.isfinite(own.value.value):
            continue
        bars = figure.data[2 * k]
        top = 1.3 * float(np.nanmax(pdf.density)) if np.isfinite(pdf.density).any() else 1.0
        value, error = float(own.value.value), float(own.error.value)
        figure.add_scatter(
            x=[value, value],
            y=[0.0, top],
            mode="lines+markers",
            marker={"color": OWN, "size": [0, 8], "opacity": 1},
            line={"color": OWN, "width": 2, "dash": "dot"},
            error_x={"array": [0.0, error if np.isfinite(error) else 0.0], "color": OWN, "thickness": 2, "width": 4},
            name="your fit",
            legendgroup="your fit",
            showlegend=not named,
            xaxis=bars.xaxis,
            yaxis=bars.yaxis,
            hovertemplate=f"your fit: {value:.3g} ± {_known(error, '.2g')}<extra></extra>",
        )
        named = True
    return figure


def lines_figure(lines: LinesBeside) -> go.Figure:
    """Equivalent widths on an asinh scale: measured ones with errors, predicted ones with 16 to 84 % of galaxies."""
    names = [as_html(line_title(name)) for name in lines.names]
    place = np.arange(len(names))
    figure = go.Figure()
    low, median, high = (np.arcsinh(values) for values in (lines.low, lines.median, lines.high))
    span = {"symmetric": False, "array": high - median, "arrayminus": median - low, "thickness": 6, "width": 0}
    figure.add_scatter(
        x=place - 0.15,
        y=median,
        error_y=span | {"color": PREDICTED},
        mode="markers",
        marker={"symbol": "line-ew", "size": 16, "line": {"width": 3, "color": PREDICTED}},
        name="predicted: 16, 50, 84 % of galaxies with this continuum",
        customdata=np.column_stack([lines.median, lines.low, lines.high]),
        hovertemplate="predicted %{customdata[0]:.2f} Å (%{customdata[1]:.2f} to %{customdata[2]:.2f})<extra></extra>",
    )
    figure.add_scatter(
        x=place - 0.15,
        y=np.arcsinh(lines.listed),
        mode="markers",
        marker={"color": PREDICTED, "size": 9, "symbol": "diamond-open"},
        name="predicted: what the training survey would list",
        customdata=lines.listed,
        hovertemplate="would be listed with %{customdata:.2f} Å<extra></extra>",
    )
    bounds = (np.arcsinh(lines.measured + sign * lines.error) for sign in (1, -1))
    up, down = (abs(bound - np.arcsinh(lines.measured)) for bound in bounds)
    figure.add_scatter(
        x=place + 0.15,
        y=np.arcsinh(lines.measured),
        error_y={"symmetric": False, "array": up, "arrayminus": down, "color": OWN, "thickness": 2, "width": 4},
        mode="markers",
        marker={"color": OWN, "size": 8},
        name="measured by your fit",
        customdata=[(ew, _known(error, ".2f")) for ew, error in zip(lines.measured.tolist(), lines.error, strict=True)],
        hovertemplate="measured %{customdata[0]:.2f} ± %{customdata[1]} Å<extra></extra>",
    )
    figure.update_xaxes(tickvals=place, ticktext=names, showgrid=False)
    figure.update_yaxes(title="equivalent width (Å)", tickvals=np.arcsinh(_EW_TICKS), ticktext=_EW_TICKS.astype(str))
    figure.update_layout(height=430, hovermode="closest", legend={"y": 1.02, "font": {"size": 12}})
    return figure


def _known(value: float, digits: str) -> str:
    return format(value, digits) if np.isfinite(value) else "unknown"
