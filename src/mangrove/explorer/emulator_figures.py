"""Figures of the emulator: a continuum in bins, its lines, the map of the inputs, the BPT diagram."""

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from mangrove.explorer.bpt_frame import bpt_frame
from mangrove.explorer.continuum_table import Continuum, ShownRows, mean_flux
from mangrove.explorer.line_emulator import INTERVAL, PredictedLines
from mangrove.explorer.mathtext import as_html
from mangrove.explorer.style import CATEGORIES, INK, SEQUENTIAL, UNKNOWN
from mangrove.physics.bpt import BPT_LINES, MIN_LINE_SNR, bpt_class, bpt_lines, bpt_ratios
from mangrove.report.label_style import BPT_NAMES
from mangrove.report.limits import robust_limits
from mangrove.report.line_names import line_title

#: EW at which the axes of equivalent widths have ticks, Angstrom.
_TICKS = np.array([0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500])
_VECTORS = 3000
_MEASURED, _PREDICTED, _MARK = CATEGORIES[0], CATEGORIES[1], CATEGORIES[5]
_HEIGHT = 360


class MapColour(NamedTuple):
    """What the map of the inputs is coloured by.

    Attributes
    ----------
    value : ndarray, shape (n,)
        One per shown row; equivalent widths as asinh(EW / Angstrom).
    limits : tuple of float
        Of the colours.
    label : str
        Of the colour bar.
    is_ew : bool
    """

    value: np.ndarray
    limits: tuple[float, float]
    label: str
    is_ew: bool


def line_name(line: str) -> str:
    """A line for readers: 'Hα', '[O III] 5008'."""
    return as_html(line_title(line))


def continuum_figure(edges: np.ndarray, flux_bins: np.ndarray, preset: Continuum) -> go.Figure:
    """The continuum that the sliders make in front of that of the preset, both over the mean of the preset.

    Parameters
    ----------
    edges : ndarray, shape (n_bin + 1,)
        Angstrom.
    flux_bins : ndarray, shape (n_bin,)
    """
    figure = go.Figure()
    scale = mean_flux(preset.flux_bins)
    dashed = {"color": UNKNOWN, "width": 2, "dash": "dot"}
    figure.add_scatter(**_stairs(edges, preset.flux_bins / scale), mode="lines", line=dashed, name="preset")
    own = {"color": _PREDICTED, "width": 2.5}
    figure.add_scatter(**_stairs(edges, flux_bins / scale), mode="lines", line=own, name="input of the emulator")
    figure.update_xaxes(title="rest wavelength, vacuum (Å)", range=[edges[0], edges[-1]])
    figure.update_yaxes(title="flux over the mean of the preset", rangemode="tozero")
    return figure.update_layout(height=_HEIGHT, uirevision="continuum")


def lines_figure(found: PredictedLines, preset: Continuum, is_preset: bool) -> go.Figure:
    """Predicted equivalent widths with their 68 % interval, beside those measured in the preset.

    Parameters
    ----------
    is_preset : bool
        Whether the continuum is that of the preset; if not, its measurements are paler.
    """
    names = [line_name(line) for line in found.line]
    place = np.arange(len(names))
    figure = go.Figure()
    arms = {"array": _asinh(found.high) - _asinh(found.median), "arrayminus": _asinh(found.median) - _asinh(found.low)}
    _add_widths(figure, place - 0.16, found.median, arms, "predicted, intrinsic", _PREDICTED, "square")
    _add_widths(figure, place, found.listed, {}, "predicted, as a survey lists it", _PREDICTED, "diamond-open")
    up, down = _asinh(preset.ew + preset.ew_error), _asinh(preset.ew - preset.ew_error)
    arms = {"array": up - _asinh(preset.ew), "arrayminus": _asinh(preset.ew) - down}
    _add_widths(figure, place + 0.16, preset.ew, arms, "measured in the preset", _MEASURED, "circle")
    if not is_preset:
        figure.data[-1].opacity = 0.45
    figure.update_xaxes(tickvals=place, ticktext=names, tickangle=-35, range=[-0.6, len(names) - 0.4], showgrid=False)
    figure.update_yaxes(title="equivalent width (Å)", rangemode="tozero", **_ew_ticks())
    return figure.update_layout(height=_HEIGHT, uirevision="lines")


def map_figure(shown: ShownRows, colour: MapColour, row: int) -> go.Figure:
    """The shown rows on the map of the emulator's inputs, the chosen one with a ring.

    ``customdata`` of every point is its row of the table.
    """
    figure = go.Figure()
    kind = go.Scattergl if len(shown.row) > _VECTORS else go.Scatter
    known = np.isfinite(colour.value)
    place = shown.place
    size = float(np.clip(250.0 / np.sqrt(max(len(shown.row), 1)), 4.0, 8.0))
    unknown = {"color": UNKNOWN, "size": size, "symbol": "circle-open"}
    words = np.sinh(colour.value) if colour.is_ew else colour.value
    for rows, marker in ((~known, unknown), (known, _coloured(colour, known) | {"size": size})):
        text = [f"row {k}<br>{_word(value)}" for k, value in zip(shown.row[rows], words[rows], strict=True)]
        # A list: of an array that Plotly packs, the events of a figure hold no element.
        about = {"text": text, "hovertemplate": "%{text}<extra></extra>", "customdata": shown.row[rows].tolist()}
        figure.add_trace(kind(x=place[rows, 0], y=place[rows, 1], mode="markers", marker=marker, **about))
    chosen = shown.row == row
    ring = {"symbol": "circle-open", "color": _MARK, "size": 17, "line": {"width": 3}}
    figure.add_scatter(x=place[chosen, 0], y=place[chosen, 1], mode="markers", marker=ring, hoverinfo="skip")
    figure.update_xaxes(title="UMAP 1")
    figure.update_yaxes(title="UMAP 2")
    return figure.update_layout(height=420, dragmode="lasso", uirevision="map", showlegend=False)


def bpt_figure(found: PredictedLines, draw: np.ndarray, shown: ShownRows, preset: Continuum) -> go.Figure:
    """Where the predicted lines lie in the BPT diagram, with draws that show their scatter, beside measured rows.

    Parameters
    ----------
    found : PredictedLines
        With the four lines of the diagram (:func:`has_bpt`).
    draw : ndarray, shape (n, n_line)
        Draws of the equivalent widths, Angstrom.
    """
    figure = bpt_frame("EW")
    measured = bpt_ratios(shown.ew, shown.ew_error, found.line, MIN_LINE_SNR)
    flat = go.Scattergl if len(shown.row) > _VECTORS else go.Scatter
    small = {"color": UNKNOWN, "size": 4, "opacity": 0.6}
    figure.add_trace(flat(x=measured[0], y=measured[1], mode="markers", marker=small, name="measured rows"))
    draws = ew_ratios(draw, found.line)
    light = {"color": _PREDICTED, "size": 5, "opacity": 0.35}
    figure.add_scatter(x=draws[0], y=draws[1], mode="markers", marker=light, name="predictive draws", hoverinfo="skip")
    own = bpt_ratios(preset.ew[None], preset.ew_error[None], found.line, MIN_LINE_SNR)
    dot = {"color": _MEASURED, "size": 12, "line": {"width": 1.5, "color": INK}}
    figure.add_scatter(x=own[0], y=own[1], mode="markers", marker=dot, name="preset, measured")
    x, y = ew_ratios(found.median[None], found.line)
    square = dot | {"color": _PREDICTED, "symbol": "square"}
    figure.add_scatter(x=x, y=y, mode="markers", marker=square, name="predicted")
    return figure.update_layout(height=_HEIGHT + 60, uirevision="bpt")


def has_bpt(lines) -> bool:
    """Whether these lines hold the four of the BPT diagram."""
    return set(BPT_LINES) <= set(lines)


def ew_ratios(ew: np.ndarray, line) -> tuple[np.ndarray, np.ndarray]:
    """log [NII]/Halpha and log [OIII]/Hbeta of equivalent widths, shape (n, n_line); NaN where one is not positive."""
    four, _ = bpt_lines(ew, ew, line)
    log = np.log10(np.where(four > 0, four, np.nan))
    return log[:, 0] - log[:, 1], log[:, 2] - log[:, 3]


def bpt_word(found: PredictedLines) -> str:
    """Class of the predicted place in the BPT diagram; empty without the lines."""
    if not has_bpt(found.line):
        return ""
    return BPT_NAMES[int(bpt_class(*ew_ratios(found.median[None], found.line))[0])]


def ew_colour(ew: np.ndarray, limits_of: np.ndarray, label: str) -> MapColour:
    """Equivalent widths, shape (n,), as colours whose limits hold the bulk of others."""
    return MapColour(_asinh(ew), robust_limits(_asinh(limits_of), 2, 98), label, is_ew=True)


def bin_colour(flux_bins: np.ndarray, edges: np.ndarray) -> MapColour:
    """The colour between the bluest and the reddest bin, -log10 of their ratio as the emulator's inputs are."""
    value = np.log10(flux_bins[:, -1] / flux_bins[:, 0])
    first, last = (f"{edges[k]:.0f}–{edges[k + 1]:.0f}" for k in (0, len(edges) - 2))
    return MapColour(value, robust_limits(value, 2, 98), f"log flux({last} Å) / flux({first} Å)", is_ew=False)


def interval_words() -> str:
    """The content of the interval that bars show."""
    return f"{100 * INTERVAL:.0f} %"


def _stairs(edges: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    return {"x": np.repeat(edges, 2)[1:-1], "y": np.repeat(values, 2)}


def _add_widths(figure: go.Figure, place, ew, arms: dict, name: str, colour: str, symbol: str) -> None:
    bars = {"type": "data", "symmetric": False, "thickness": 1.5, "color": colour, **arms} if arms else None
    marker = {"color": colour, "symbol": symbol, "size": 9}
    hover = [f"{name}: {_word(value)} Å" for value in ew]
    figure.add_scatter(
        x=place, y=_asinh(ew), error_y=bars, mode="markers", marker=marker, name=name, text=hover, hoverinfo="text"
    )


def _coloured(colour: MapColour, known: np.ndarray) -> dict:
    bar = {"title": {"text": colour.label, "side": "right"}, "thickness": 14, "outlinewidth": 0}
    bar |= _ew_ticks() if colour.is_ew else {}
    scale = {"colorscale": SEQUENTIAL, "cmin": colour.limits[0], "cmax": colour.limits[1], "colorbar": bar}
    return scale | {"color": colour.value[known], "line": {"width": 0.5, "color": UNKNOWN}}


def _ew_ticks() -> dict[str, list]:
    return {"tickvals": _asinh(_TICKS).tolist(), "ticktext": [f"{tick:g}" for tick in _TICKS]}


def _asinh(ew) -> np.ndarray:
    return np.arcsinh(np.asarray(ew, float))


def _word(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "unknown"
